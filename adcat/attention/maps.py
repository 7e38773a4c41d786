"""Predictions and attention maps of an attention model."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.attention_model import AttentionModel, Forward, Weights
from adcat.data.thread_map import THREADS, map_ahead
from adcat.image.labelled_images import LabelledImages
from adcat.types import Probs, Vectors

Mask: TypeAlias = NDArray[np.bool_]  # [positions]


def stream_predictions(
    model: AttentionModel,
    forward: Forward,
    images: LabelledImages,
    text_vectors: Vectors,
    batch_size: int,
    done: int = 0,
) -> Iterator[tuple[Probs, Weights]]:
    """Streams probabilities [b, categories] and α [b, keys] of ads, in their order.

    Args:
      model: says how photos are read.
      forward: the model, compiled.
      images: the ads' [n].
      text_vectors: their text vectors [n, dimension].
      batch_size: photos that are in work at a time.
      done: ads at the start that are left out.
    """
    size = -(-batch_size // THREADS)

    def prediction(start: int) -> tuple[Probs, Weights]:
        """Probabilities and α of a block of ads."""
        rows = slice(start, start + size)
        batch = np.stack([model.image.read(path) for path in images.paths[rows]])
        return forward(batch, text_vectors[rows])

    return map_ahead(prediction, range(done, len(images), size))


def border(height: int, width: int) -> Mask:
    """The outermost ring of the positions of a map."""
    ring = np.ones((height, width), np.bool_)
    ring[1:-1, 1:-1] = False
    return ring.ravel()


def mean_by_category(weights: Weights, labels: NDArray[np.int64], categories: int) -> Weights:
    """The mean α of each category's ads: [categories, keys]; not a number without ads."""
    means = np.full((categories, weights.shape[1]), np.nan, np.float32)
    for category in np.unique(labels):
        means[category] = weights[labels == category].mean(axis=0)
    return means
