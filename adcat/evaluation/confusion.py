"""Which categories are taken for each other, and what a category's size does to it."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import highest
from adcat.types import Labels

# Training ads of a category from which on it belongs to the next class of size.
SIZES = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


@dataclasses.dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two categories, and the ads of one that are taken for the other."""

    first: int  # the category that loses more ads to the other
    second: int
    first_as_second: int
    second_as_first: int
    rows: NDArray[np.int64]  # of those ads, the most confident mistakes first


def most_confused(
    labels: Labels, predicted: Labels, confidence: NDArray[np.float32], top: int
) -> list[ConfusedPair]:
    """The pairs of categories with the most ads taken for each other, at most `top`."""
    wrong = np.flatnonzero(labels != predicted)
    wrong = wrong[highest(confidence[wrong])]
    y, p = labels[wrong], predicted[wrong]
    keys = np.stack([np.minimum(y, p), np.maximum(y, p)], axis=1)  # [mistakes, 2]
    pairs, position, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    found: list[ConfusedPair] = []
    for k in highest(counts, top):
        low, high = pairs[k].tolist()
        here = position.ravel() == k
        lost = int(np.count_nonzero(y[here] == low))
        won = int(counts[k]) - lost
        both = (high, low, won, lost) if won > lost else (low, high, lost, won)
        found.append(ConfusedPair(*both, wrong[here]))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class SizeClass:
    """The categories with about as many training ads."""

    low: int  # training ads, at least
    high: int | None  # at most; None for the largest class
    categories: NDArray[np.int64]


def size_classes(training_ads: NDArray[np.int64]) -> list[SizeClass]:
    """Puts the categories together by size, smallest first; classes without any are left out."""
    positions = np.searchsorted(SIZES, training_ads, side="right") - 1
    ends = [*(size - 1 for size in SIZES[1:]), None]
    return [
        SizeClass(SIZES[k], ends[k], np.flatnonzero(positions == k)) for k in np.unique(positions)
    ]
