"""How fast fusion networks train, against a plain Keras `fit` and against their matrix products.

Late fusion: one epoch of `nn` on 646,187 ads (the thesis' training set) of 193 + 193
probabilities, at batch sizes 16 and 128. Early fusion: `pool` on vectors of 2048 + 100, on a tenth
of the ads. Validation is left out on both sides, and so is what is done once: compiling, and for
Keras reading the arrays. Each figure is the fastest of three runs, taken in turns; processor time
stands beside it, since on a busy machine seconds say little. Give a smaller number of ads as the
first argument for a quicker look.
"""

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import Sample
from adcat.fusion.training import Machine
from adcat.learning.runtime import import_tensorflow, seeded_tensorflow

ADS = 646_187
CATEGORIES = 193
RUNS = 3
SIZES = {"image_probs": 193, "text_probs": 193, "image_vectors": 2048, "text_vectors": 100}


def write_inputs(folder: Path, policy: str, ads: int) -> list[Path]:
    """Writes random float32 inputs of a policy, block by block."""
    rng, paths = np.random.default_rng(0), []
    for name in POLICIES[policy].reads:
        paths.append(folder / f"{name}.npy")
        array = np.lib.format.open_memmap(paths[-1], "w+", np.float32, (ads, SIZES[name]))
        for start in range(0, ads, 8192):
            block = rng.random(array[start : start + 8192].shape, np.float32)
            array[start : start + 8192] = block / block.sum(axis=1, keepdims=True)
    return paths


def labels(ads: int) -> np.ndarray:
    """Random categories [ads]."""
    return np.random.default_rng(1).integers(0, CATEGORIES, ads)


def settings_of(policy: str, batch_size: int) -> PolicySettings:
    """The published settings at another batch size."""
    published = POLICIES[policy].published
    return PolicySettings(**{**published, "batch_size": batch_size, "standardise": False})


def adcat_epoch(policy: str, paths: list[Path], batch_size: int) -> Callable[[], None]:
    """One epoch in adcat, from memory-mapped arrays."""
    tf = seeded_tensorflow(0, POLICIES[policy].threads)
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    ads = len(arrays[0])
    rows = np.arange(ads)
    sample = Sample(arrays, labels(ads), np.ones(ads, np.float32), rows, rows)
    widths, settings = [array.shape[1] for array in arrays], settings_of(policy, batch_size)
    machine = Machine(tf, POLICIES[policy], widths, CATEGORIES, settings)
    rng = np.random.default_rng(0)
    few = dataclasses.replace(sample, rows=rows[: 20 * batch_size])
    list(machine.learn(few, 1, rng, 0.001, every=1))  # compiles
    return lambda: list(machine.learn(sample, 1, rng, 0.001, every=1))


def keras_epoch(policy: str, paths: list[Path], batch_size: int) -> Callable[[], None]:
    """One epoch of `fit` with `compile()` defaults, on arrays in memory."""
    import_tensorflow()
    import keras

    settings = settings_of(policy, batch_size)
    inputs = [keras.Input((SIZES[name],), name=name) for name in POLICIES[policy].reads]
    logits = POLICIES[policy].build(inputs, CATEGORIES, settings).logits
    model = keras.Model(inputs, keras.layers.Softmax()(logits))
    model.compile(
        keras.optimizers.Adam(settings.learning_rate), keras.losses.SparseCategoricalCrossentropy()
    )
    arrays = [np.load(path) for path in paths]
    y = labels(len(arrays[0]))
    warm = 20 * batch_size
    model.fit([a[:warm] for a in arrays], y[:warm], batch_size=batch_size, verbose=0)
    return lambda: model.fit(arrays, y, batch_size=batch_size, verbose=0)


def products_epoch(policy: str, paths: list[Path], batch_size: int) -> Callable[[], None]:
    """The matrix products of one epoch: forward, and back to weights and hidden layers."""
    tf = import_tensorflow(POLICIES[policy].threads)
    settings = settings_of(policy, batch_size)
    size, hidden = settings.transformer_size, settings.hidden_units
    widths = [SIZES[name] for name in POLICIES[policy].reads]
    first = [(width, size) for width in widths] if policy == "pool" else [(sum(widths), hidden)]
    after = [(size, hidden), (hidden, CATEGORIES)] if policy == "pool" else [(hidden, CATEGORIES)]
    layers = [
        [
            tf.Variable(tf.random.normal(shape))
            for shape in ((batch_size, m), (m, n), (batch_size, n))
        ]
        for m, n in first + after
    ]

    @tf.function
    def run(steps):
        total = tf.constant(0.0)
        for i in tf.range(steps):
            for j, (x, w, d) in enumerate(layers):
                x[0, 0].assign(tf.cast(i, tf.float32))  # so that no step is like the one before
                products = [x @ w, tf.matmul(x, d, transpose_a=True)]
                if j >= len(first):  # what the network reads has no gradient
                    products.append(tf.matmul(d, w, transpose_b=True))
                total += sum(product[0, 0] for product in products)
        return total

    run(tf.constant(20))
    steps = -(-len(np.load(paths[0], mmap_mode="r")) // batch_size)
    return lambda: run(tf.constant(steps)).numpy()


AVAILABILITIES = {"adcat": adcat_epoch, "keras": keras_epoch, "products": products_epoch}


def measure(kind: str, policy: str, folder: Path, batch_size: int) -> list[float]:
    """Seconds, processor seconds and peak memory in GB of one kind, in a process of its own."""
    words = [sys.executable, __file__, "--one", kind, policy, str(folder), str(batch_size)]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return [float(word) for word in out]


def run_one(kind: str, policy: str, folder: Path, batch_size: int) -> None:
    """Prints seconds, processor seconds, and peak memory that is not of mapped files, in GB."""
    paths = [folder / f"{name}.npy" for name in POLICIES[policy].reads]
    epoch = AVAILABILITIES[kind](policy, paths, batch_size)
    started, worked = time.perf_counter(), time.process_time()
    epoch()
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    status = Path("/proc/self/status").read_text()
    mapped = int(status.split("RssFile:")[1].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - mapped
    print(seconds, processor, peak / 1e6)


def main(ads: int) -> None:
    """Prints the table."""
    row = "{:6} {:>5} {:>9} {:>8} {:>8} {:>11} {:>11} {:>9}"
    heads = ("policy", "batch", "of", "seconds", "cpu s", "adcat times", "in cpu time", "peak GB")
    print(row.format(*heads))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for policy, batch_size, count in (
            ("nn", 16, ads),
            ("nn", 128, ads),
            ("pool", 32, ads // 10),
        ):
            write_inputs(folder, policy, count)
            runs = [
                [measure(k, policy, folder, batch_size) for k in AVAILABILITIES]
                for _ in range(RUNS)
            ]
            best = np.min(runs, axis=0)  # [kinds, 3]
            for kind, figures in zip(AVAILABILITIES, best, strict=True):
                ratios = figures[:2] / best[0, :2]
                words = [f"{figure:.2f}" for figure in (*figures[:2], *ratios, figures[2])]
                print(row.format(policy, batch_size, kind, *words), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ADS)
