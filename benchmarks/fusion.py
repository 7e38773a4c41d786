"""How fast fusion networks train, against a plain Keras `fit` of the same network.

Late fusion: one epoch of `nn` on 646,187 ads (the thesis' training set) of 193 + 193
probabilities, at batch sizes 16 and 128. Early fusion: `pool` on vectors of 2048 + 100, against
the time of its matrix products alone. Validation is left out on both sides. Give a smaller number
of ads as the first argument for a quicker look.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from adcat.fusion.networks import NETWORKS, NetworkSettings
from adcat.fusion.published import PUBLISHED
from adcat.fusion.samples import Sample
from adcat.fusion.training import Machine
from adcat.quiet import import_tensorflow

ADS = 646_187
CATEGORIES = 193
SIZES = {"image_probs": 193, "text_probs": 193, "image_vectors": 2048, "text_vectors": 100}


def write_inputs(folder: Path, policy: str, ads: int) -> list[Path]:
    """Writes random float32 inputs of a policy, block by block."""
    rng, paths = np.random.default_rng(0), []
    for name in NETWORKS[policy].reads:
        paths.append(folder / f"{name}.npy")
        array = np.lib.format.open_memmap(paths[-1], "w+", np.float32, (ads, SIZES[name]))
        for start in range(0, ads, 8192):
            block = rng.random(array[start : start + 8192].shape, np.float32)
            array[start : start + 8192] = block / block.sum(axis=1, keepdims=True)
    return paths


def labels(ads: int) -> np.ndarray:
    """Random categories [ads]."""
    return np.random.default_rng(1).integers(0, CATEGORIES, ads)


def settings_of(policy: str, batch_size: int) -> NetworkSettings:
    """The published settings at another batch size."""
    return NetworkSettings(**{**PUBLISHED[policy], "batch_size": batch_size, "standardise": False})


def adcat_epoch(policy: str, paths: list[Path], batch_size: int) -> float:
    """Seconds of one epoch in adcat, from memory-mapped arrays."""
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    ads = len(arrays[0])
    sample = Sample(arrays, labels(ads), np.ones(ads, np.float32), np.arange(ads))
    machine = Machine(
        import_tensorflow(), policy, sample, CATEGORIES, settings_of(policy, batch_size)
    )
    rng = np.random.default_rng(0)
    list(machine.epoch(sample.subset(np.arange(20 * batch_size)), rng, 0.001, parts=1))
    started = time.perf_counter()
    list(machine.epoch(sample, rng, 0.001, parts=1))
    return time.perf_counter() - started


def keras_epoch(policy: str, paths: list[Path], batch_size: int) -> float:
    """Seconds of one epoch of `fit` with `compile()` defaults, on arrays in memory."""
    import_tensorflow()
    import keras

    settings = settings_of(policy, batch_size)
    inputs = [keras.Input((SIZES[name],), name=name) for name in NETWORKS[policy].reads]
    logits = NETWORKS[policy].build(inputs, CATEGORIES, settings).logits
    model = keras.Model(inputs, keras.layers.Softmax()(logits))
    model.compile(
        keras.optimizers.Adam(settings.learning_rate), keras.losses.SparseCategoricalCrossentropy()
    )
    arrays = [np.load(path) for path in paths]
    y = labels(len(arrays[0]))
    warm = 20 * batch_size
    model.fit([a[:warm] for a in arrays], y[:warm], batch_size=batch_size, verbose=0)
    started = time.perf_counter()
    model.fit(arrays, y, batch_size=batch_size, verbose=0)
    return time.perf_counter() - started


def products_epoch(policy: str, paths: list[Path], batch_size: int) -> float:
    """Seconds of the matrix products of one epoch of `pool`: forward, and back to the weights."""
    tf = import_tensorflow()
    settings = settings_of(policy, batch_size)
    size, hidden = settings.transformer_size, settings.hidden_units
    shapes = [(2048, size), (100, size), (size, hidden), (hidden, CATEGORIES)]
    x = [tf.random.normal((batch_size, rows)) for rows, _ in shapes]
    w = [tf.Variable(tf.random.normal(shape)) for shape in shapes]
    d = [tf.random.normal((batch_size, columns)) for _, columns in shapes]

    @tf.function
    def run(steps):
        total = tf.constant(0.0)
        for i in tf.range(steps):
            scale = tf.cast(i, tf.float32)  # without it the products would be taken out of the loop
            for j in range(len(shapes)):
                products = [(x[j] * scale) @ w[j], tf.transpose(x[j] * scale) @ d[j]]
                if j > 1:  # the vectors themselves have no gradient
                    products.append((d[j] * scale) @ tf.transpose(w[j]))
                total += sum(product[0, 0] for product in products)
        return total

    steps = -(-len(np.load(paths[0], mmap_mode="r")) // batch_size)
    run(tf.constant(20))
    started = time.perf_counter()
    run(tf.constant(steps)).numpy()
    return time.perf_counter() - started


KINDS = {"adcat": adcat_epoch, "keras": keras_epoch, "products": products_epoch}


def measure(kind: str, policy: str, folder: Path, batch_size: int) -> tuple[float, float]:
    """Seconds and peak memory in GB of one kind, in a process of its own."""
    words = [sys.executable, __file__, "--one", kind, policy, str(folder), str(batch_size)]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return float(out[0]), float(out[1])


def run_one(kind: str, policy: str, folder: Path, batch_size: int) -> None:
    """Prints seconds, and peak memory that is not of mapped files, in GB."""
    paths = [folder / f"{name}.npy" for name in NETWORKS[policy].reads]
    seconds = KINDS[kind](policy, paths, batch_size)
    status = Path("/proc/self/status").read_text()
    mapped = int(status.split("RssFile:")[1].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - mapped
    print(seconds, peak / 1e6)


def main(ads: int) -> None:
    """Prints the table."""
    row = "{:8} {:>5} {:>8} {:>9} {:>8} {:>6} {:>9}"
    print(row.format("policy", "batch", "adcat s", "other", "other s", "ratio", "adcat GB"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for policy, batch_size, other, count in (
            ("nn", 16, "keras", ads),
            ("nn", 128, "keras", ads),
            ("pool", 32, "keras", ads // 10),
            ("pool", 32, "products", ads // 10),
        ):
            write_inputs(folder, policy, count)
            mine, peak = measure("adcat", policy, folder, batch_size)
            theirs, _ = measure(other, policy, folder, batch_size)
            ratio = mine / theirs if other == "products" else theirs / mine
            figures = [policy, batch_size, f"{mine:.2f}", other, f"{theirs:.2f}", f"{ratio:.2f}"]
            print(row.format(*figures, f"{peak:.2f}"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ADS)
