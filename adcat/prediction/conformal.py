"""Sets of categories that contain the true one with a guaranteed probability.

Split conformal prediction with adaptive sets: Romano, Sesia and Candès, 2020 (Classification with
valid and adaptive coverage), section 2. Their sets are drawn at random at the border; these are
not (their u is 0), so that the same ad always gets the same set and no set is empty. The guarantee
still holds: for ads like the calibration ads, at least a share `coverage` of the sets contain the
true category, whatever the model.
"""

import math

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import highest
from adcat.types import Labels, Probs


def scores(probs: Probs, labels: Labels) -> NDArray[np.float64]:
    """The probability mass ranked before the true category: [n].

    Args:
      probs: of ads that the model was not fitted on: [n, categories].
      labels: their categories: [n].
    """
    order, before = _ranked(probs)
    return before[order == labels[:, None]]


def threshold(scores: NDArray[np.float64], coverage: float) -> float:
    """The ⌈(n + 1) coverage⌉-th smallest score; infinite where n ads are too few."""
    position = math.ceil((len(scores) + 1) * coverage - 1e-9)  # 20 · 0.95 is a little above 19
    return float(np.sort(scores)[position - 1]) if position <= len(scores) else math.inf


def set_sizes(probs: Probs, threshold: float) -> NDArray[np.int64]:
    """The number of most probable categories in each ad's set, at least 1: [n]."""
    _, before = _ranked(probs)
    return np.count_nonzero(before <= threshold, axis=1)


def _ranked(probs: Probs) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Categories by falling probability, and the mass before each: [n, categories]."""
    order = highest(probs)
    p = np.take_along_axis(probs, order, axis=1).astype(np.float64)
    return order, np.cumsum(p, axis=1) - p
