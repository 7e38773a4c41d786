"""Predictions, attention maps and vectors of an attention model."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.attention_model import AttentionModel, Forward, Weights
from adcat.data.thread_map import THREADS, map_ahead
from adcat.image.labelled_images import LabelledImages
from adcat.types import Probs, Vectors

BLOCK = 8192  # maps in memory at a time

Mask: TypeAlias = NDArray[np.bool_]  # [positions]


def stream_predictions(
    model: AttentionModel,
    forward: Forward,
    images: LabelledImages,
    text_vectors: Vectors,
    batch_size: int,
    done: int = 0,
) -> Iterator[tuple[Probs, Weights, Vectors]]:
    """Streams what the model gives for ads, in their order.

    Args:
      model: says how photos are read.
      forward: the model, compiled.
      images: the ads' [n].
      text_vectors: their text vectors [n, dimension].
      batch_size: photos that are in work at a time.
      done: ads at the start that are left out.
    """
    size = -(-batch_size // THREADS)

    def prediction(start: int) -> tuple[Probs, Weights, Vectors]:
        """Probabilities, α and vectors of a block of ads."""
        rows = slice(start, start + size)
        batch = np.stack([model.image.read(path) for path in images.paths[rows]])
        return forward(batch, text_vectors[rows])

    return map_ahead(prediction, range(done, len(images), size))


def border(height: int, width: int) -> Mask:
    """The outermost ring of the positions of a map."""
    ring = np.ones((height, width), np.bool_)
    ring[1:-1, 1:-1] = False
    return ring.ravel()


def mean_by_class(weights: Weights, classes: NDArray[np.integer], number: int) -> Weights:
    """The mean α of the ads of each class [number, keys], in one pass; not a number without ads."""
    sums = np.zeros((number, weights.shape[1]))
    for start in range(0, len(weights), BLOCK):
        block, of_ads = weights[start : start + BLOCK], classes[start : start + BLOCK]
        for i in np.unique(of_ads):
            sums[i] += block[of_ads == i].sum(axis=0, dtype=np.float64)
    counts = np.bincount(classes, minlength=number)[:, None]
    return np.where(counts, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
