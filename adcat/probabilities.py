"""What several methods do with probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.types import Labels, Probs


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


def smoothed(labels: Labels, predictions: Sequence[Probs], n: int) -> NDArray[np.float64]:
    """The categories of n ads, or of a block of them, as targets of a fit (Platt, 1999).

    An ad is of its category with probability (n + 1) / (n + 2), otherwise of another one, in the
    proportions that the models' product gives them: however right or wrong they are on these ads,
    what is fitted stays finite, and becomes no surer than n ads allow. An ad whose category a model
    gives no probability at all, such as one without training ads, is left to the product: no weight
    and no temperature changes a probability of 0.

    Args:
      labels: of the block [b].
      predictions: of each model [b, categories], as the targets are.
      n: the number of all ads of the fit.
    """
    ads = np.arange(len(labels))
    others = np.sum([log(o) for o in predictions], axis=0)
    others[ads, labels] = -np.inf
    possible = np.all([o[ads, labels] > 0 for o in predictions], axis=0)
    own = np.where(possible, (n + 1) / (n + 2), 0)
    targets = softmax(others) * (1 - own)[:, None]
    targets[ads, labels] = own
    return targets


def highest(scores: NDArray[Any], count: int | None = None) -> NDArray[np.int64]:
    """Indices of the highest scores along the last axis, highest first; ties: lowest index.

    Args:
      scores: [..., n].
      count: how many; by default all.
    """
    return np.argsort(-scores, axis=-1, kind="stable")[..., :count]
