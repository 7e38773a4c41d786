"""Image extraction from files against `keras.Model.predict` of Inception v3 on arrays in memory.

adcat decodes the photos as it goes, `predict` gets them decoded. The ways take turns, so that
whatever else the machine does hits all alike, and the best run of each counts. What OpenVINO gives
is compared with TensorFlow, as the commands do. Run: python benchmarks/image_extraction.py
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from adcat.image import classifier
from adcat.image.backbones import BACKBONES
from adcat.image.classifier import ImageModel
from adcat.image.engines import CHECKED, EngineOptions, choose
from adcat.image.extraction import Extractor, extractor, stream_features
from adcat.image.inference import TENSORFLOW, Engine
from adcat.learning.runtime import seeded_tensorflow
from adcat.progress import Silent

PHOTOS, SIZE = 128, (600, 450)
CATEGORIES, BATCH = 193, 32
ROUNDS = 3
PREDICT = "inception-v3, predict"
# Times as fast as `predict`, from files. Of TensorFlow no more than the decoding is asked for.
TARGETS = {
    "inception-v3, tensorflow": 1.0,
    "inception-v3, openvino": 2.3,
    "efficientnet-lite0, tensorflow": 2.0,
    "efficientnet-lite0, openvino": 12.0,
}


def main() -> None:
    """Draws photos, times every way and prints a table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = draw_photos(Path(folder))
        ways, used = {}, {}
        for name, weights in (("inception-v3", None), ("efficientnet-lite0", "imagenet")):
            seeded_tensorflow(0)
            backbone = BACKBONES[name]
            model = classifier.build(backbone, backbone.side, CATEGORIES, weights)
            if not ways:
                ways[PREDICT] = predict(model, paths)
            for engine in (TENSORFLOW, openvino(model, paths)):
                used[f"{name}, {engine.name}"] = engine
                ways[f"{name}, {engine.name}"] = extract(extractor(model, engine), paths)
        rates = measured(ways)
    print(f"{'':<32}{'images/s':>10}{'ratio':>8}{'target':>8}")
    for name, rate in rates.items():
        of = f"{rate / rates[PREDICT]:>8.2f}{TARGETS[name]:>8}" if name in TARGETS else ""
        print(f"{name:<32}{rate:>10.1f}{of}  {used.get(name, '')}")
    print(f"load at the end {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def openvino(model: ImageModel, paths: list[str]) -> Engine:
    """The engine that `--engine openvino` takes for a network."""
    photos = lambda: model.read_all(paths[:CHECKED])  # noqa: E731
    return choose(EngineOptions("openvino"), model.network, model.outputs, photos, None, Silent())


def measured(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The best rate of each way, in photos a second."""
    rates = dict.fromkeys(ways, 0.0)
    for counts in [False, *[True] * ROUNDS]:  # what is called first compiles
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            rates[name] = max(rates[name], counts * PHOTOS / (time.perf_counter() - start))
    return rates


def draw_photos(folder: Path) -> list[str]:
    """Writes JPEGs that take as long to decode as photos."""
    random = np.random.default_rng(0)
    paths = [str(folder / f"{i}.jpg") for i in range(PHOTOS)]
    for path in paths:
        coarse = random.integers(0, 256, (45, 60, 3), np.uint8)
        Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(path)
    return paths


def predict(model: ImageModel, paths: list[str]) -> Callable[[], object]:
    """Keras with all photos decoded in memory."""
    photos = model.read_all(paths)
    return lambda: model.network.predict(photos, batch_size=BATCH, verbose=0)


def extract(model: Extractor, paths: list[str]) -> Callable[[], object]:
    """What `extract-features` does: vectors and probabilities."""
    return lambda: list(stream_features(model, paths, BATCH))


if __name__ == "__main__":
    main()
