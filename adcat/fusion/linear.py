"""Logistic regression on a text's terms and its photo's vector side by side.

What early fusion is on few ads: p(c) ∝ exp(W_c x + b_c), where x is the terms' TF-IDF values beside
the image vector, both of length 1, the latter times `scale`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import FOLDS, folds
from adcat.learning import regression
from adcat.learning.regression import (
    MOST_ITERATIONS,
    MOST_SEARCHED,
    Array,
    Rows,
    log_loss,
    out_of_fold,
    reduced,
)
from adcat.progress import Progress
from adcat.types import Labels, Probs

SCALES, STRENGTHS = (0.125, 0.25, 0.5, 1.0), (3.0, 10.0, 30.0, 100.0)
FIRST = 0.5  # the scale with which the strength is chosen


class Regression(NamedTuple):
    """A regression, and the length of the image vectors that it reads."""

    fitted: regression.Regression
    scale: float

    def probs(self, inputs: Sequence[Array]) -> Probs:
        """The probabilities of some ads: [n, categories]."""
        return self.fitted.probs(_scaled(inputs, self.scale))

    def scores(self, inputs: Sequence[Array]) -> NDArray[np.floating]:
        """The logarithms that these are proportional to the powers of: [n, columns]."""
        return self.fitted.scores(_scaled(inputs, self.scale))


def fit(
    inputs: Sequence[Array],
    labels: Labels,
    rows: Rows,
    categories: int,
    strength: float,
    scale: float,
    iterations: int = MOST_ITERATIONS,
) -> Regression:
    """Fits the regression on some ads, with |W|² / (2 strength) for regularisation.

    Args:
      inputs: terms (sparse) and image vectors (dense) of n ads: [n, columns] each.
      labels: [n]
      rows: the ads to learn from.
      categories: how many.
      strength: the inverse of the regularisation's.
      scale: the length of image vectors.
      iterations: at most.
    """
    fitted = regression.fit(
        inputs, labels, rows, categories, strength, lambda x: _scaled(x, scale), iterations
    )
    return Regression(fitted, scale)


def search(
    inputs: Sequence[Array],
    labels: Labels,
    rows: Rows,
    groups: NDArray[np.integer],
    seed: int,
    progress: Progress,
) -> tuple[float, float]:
    """The scale and the strength with the lowest out-of-fold loss: strength first, then scale.

    With fewer than five different ads there is nothing to choose by.

    Args:
      inputs: terms and image vectors of n ads: [n, columns] each.
      labels: [n]
      rows: the ads to learn from; at most so many are used.
      groups: the number of each ad's group, which stays in one fold: [n].
      seed: draws the ads and cuts the folds.
      progress: counts the fits.
    """
    if len(np.unique(groups[rows])) < FOLDS:
        return FIRST, STRENGTHS[0]
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_SEARCHED])
    y, categories = labels[rows], int(labels[rows].max()) + 1
    cuts = list(folds(groups[rows], FOLDS, seed))
    tried: dict[tuple[float, float], float] = {}

    def loss(strength: float) -> float:
        return log_loss(out_of_fold(x, y, cuts, categories, strength), y)

    with progress.task("scale and strength", len(SCALES) + len(STRENGTHS) - 1, "fits") as task:
        x = reduced(_scaled([x[rows] for x in inputs], FIRST))
        for strength in STRENGTHS:
            tried[FIRST, strength] = loss(strength)
            task.advance(1)
        _, strength = min(tried, key=tried.__getitem__)
        for scale in SCALES:
            if scale != FIRST:
                x = reduced(_scaled([x[rows] for x in inputs], scale))
                tried[scale, strength] = loss(strength)
                task.advance(1)
    return min(tried, key=tried.__getitem__)


def _scaled(inputs: Sequence[Array], scale: float) -> list[Array]:
    """Image vectors at the length `scale`; terms as they are."""
    return [_of_length(x, scale) if isinstance(x, np.ndarray) else x for x in inputs]


def _of_length(v: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    norms = np.linalg.norm(v, axis=1, keepdims=True)
    return v * (length / np.maximum(norms, np.finfo(np.float32).tiny))
