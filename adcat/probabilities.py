"""What several methods do with probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.types import Labels


def prior(labels: Labels, categories: int) -> NDArray[np.float64]:
    """The categories' smoothed shares of the training ads: (n_c + 1) / (N + categories)."""
    counts = np.bincount(labels, minlength=categories)
    return (counts + 1) / (len(labels) + categories)


def log(probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logarithm in double precision; a probability of 0 counts as the smallest float32."""
    return np.log(np.maximum(probs, np.finfo(np.float32).tiny), dtype=np.float64)


def decimal(value: float) -> float:
    """The shortest decimal that is the same number in single precision: what is shown to be typed.

    A probability shown with fewer digits would be another one.
    """
    return float(str(np.float32(value)))


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """exp(logits) / Σ exp(logits) over the categories, without overflow: [n, categories]."""
    from scipy.special import softmax

    return softmax(logits, axis=-1)


def highest(scores: NDArray[Any], count: int | None = None) -> NDArray[np.int64]:
    """Indices of the highest scores along the last axis, highest first; ties: lowest index.

    Args:
      scores: [..., n].
      count: how many; by default all.
    """
    return np.argsort(-scores, axis=-1, kind="stable")[..., :count]
