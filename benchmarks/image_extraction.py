"""Image extraction against `keras.Model.predict`, on the same files and the same network.

`predict` gets the photos decoded by adcat's own function: all of them at once, or a batch at a
time, as it would have to where they do not fit into memory. The ways take turns, so that whatever
else the machine does hits all alike, and the best run of each counts. Their probabilities are
compared. Run: python benchmarks/image_extraction.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from adcat.image import classifier
from adcat.image.backbones import BACKBONES
from adcat.image.classifier import ImageModel
from adcat.image.extraction import Extractor, extractor, stream_features
from adcat.learning.runtime import seeded_tensorflow

PHOTOS, SIZE = 192, (600, 450)
SIDE, CATEGORIES, BATCH = 299, 193, 32
ROUNDS = 4
TARGET = 1.2  # times faster


def main() -> None:
    """Draws photos, times every way and prints a table."""
    ways = {"predict, one call": predict, "predict, batches": predict_batches, "adcat": extract}
    rates = dict.fromkeys(ways, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        paths = draw_photos(Path(folder))
        seeded_tensorflow(0)
        model = extractor(classifier.build(BACKBONES["inception-v3"], SIDE, CATEGORIES, None))
        expected = predict(model, paths)
        for measured in [False, *[True] * ROUNDS]:  # what is called first compiles
            for name, way in ways.items():
                start = time.perf_counter()
                probs = way(model, paths)
                rate = PHOTOS / (time.perf_counter() - start)
                rates[name] = max(rates[name], rate * measured)
                assert abs(probs - expected).max() < 1e-5
    print(f"{'':<18}{'images/s':>10}")
    for name, rate in rates.items():
        print(f"{name:<18}{rate:>10.1f}")
    print(f"ratio {rates['adcat'] / rates['predict, one call']:.2f}, target {TARGET}")


def draw_photos(folder: Path) -> list[str]:
    """Writes JPEGs that take as long to decode as photos."""
    random = np.random.default_rng(0)
    paths = [str(folder / f"{i}.jpg") for i in range(PHOTOS)]
    for path in paths:
        coarse = random.integers(0, 256, (45, 60, 3), np.uint8)
        Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(path)
    return paths


def read(model: ImageModel, paths: list[str]) -> np.ndarray:
    """Decodes photos one after another: [n, side, side, 3]."""
    return np.stack([model.read(path) for path in paths])


def predict(model: Extractor, paths: list[str]) -> np.ndarray:
    """Keras with all photos in memory: probabilities [n, categories]."""
    return model.model.network.predict(read(model.model, paths), batch_size=BATCH, verbose=0)


def predict_batches(model: Extractor, paths: list[str]) -> np.ndarray:
    """Keras with a batch of photos in memory: probabilities [n, categories]."""
    batches = (paths[start : start + BATCH] for start in range(0, len(paths), BATCH))
    return np.concatenate([predict(model, batch) for batch in batches])


def extract(model: Extractor, paths: list[str]) -> np.ndarray:
    """What `extract-features` does: probabilities [n, categories], and the vectors beside them."""
    return np.concatenate([probs for _, probs in stream_features(model, paths, BATCH)])


if __name__ == "__main__":
    main()
