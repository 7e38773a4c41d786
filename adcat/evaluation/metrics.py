"""How good a model's probabilities are (thesis, chapter 5).

The probabilities are read once, a block of ads at a time; of each ad its `AdResults` are kept, from
which every metric follows.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.types import Labels, Probs

BLOCK = 1024  # ads at a time: their probabilities of 193 categories stay in the processor's cache
TOLERANCE = 1e-3  # that a row of probabilities may differ from 1


@dataclasses.dataclass(frozen=True, slots=True)
class AdResults:
    """Per-ad results: the prediction for every ad of a part, and the rank of its true category."""

    labels: Labels  # [n], the true category
    predicted: Labels  # [n]
    confidence: NDArray[np.float32]  # [n], the probability of the predicted category
    rank: Labels  # [n], of the true category; 0 where the prediction is correct
    loss: NDArray[np.float32]  # [n], -log of the probability of the true category, in nats

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is right: [n]."""
        return self.rank == 0

    def of(self, chosen: NDArray[np.bool_]) -> "AdResults":
        """Those of some ads: `chosen` is [n]."""
        columns = (getattr(self, field.name) for field in dataclasses.fields(self))
        return AdResults(*(column[chosen] for column in columns))


def ad_results(probs: Probs, labels: Labels, source: Path) -> AdResults:
    """Reads a model's probabilities and ranks the true category; ties: lowest index.

    Args:
      probs: [n, categories], memory-mapped or not.
      labels: the true category of each ad: [n].
      source: the file that the probabilities come from, for the error message.

    Raises:
      BadInputError: there is another number of ads, or a row is not a distribution.
    """
    n = len(labels)
    if len(probs) != n:
        raise BadInputError(f"{source}: expected a row for each of {n} ads, found {len(probs)}")
    made = AdResults(
        labels,
        predicted=np.empty(n, np.int64),
        confidence=np.empty(n, np.float32),
        rank=np.empty(n, np.int64),
        loss=np.empty(n, np.float32),
    )
    columns = np.arange(probs.shape[1])
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        block, y = np.asarray(probs[rows]), labels[rows, None]  # [b, categories], [b, 1]
        _check_block(block, start, source)
        p_y = np.take_along_axis(block, y, axis=1)
        before = (block > p_y) | ((block == p_y) & (columns < y))
        made.rank[rows] = np.count_nonzero(before, axis=1)
        made.predicted[rows] = block.argmax(axis=1)
        made.confidence[rows] = block.max(axis=1)
        made.loss[rows] = -np.log(np.maximum(p_y[:, 0], np.finfo(np.float32).tiny))
    return made


def check_distributions(probs: Probs, source: Path, there: NDArray[np.bool_] | None = None) -> None:
    """Checks that every row is a distribution.

    Args:
      probs: [n, categories], memory-mapped or not.
      source: the file that they come from, for the error message.
      there: the rows that are looked at; by default all: [n].

    Raises:
      BadInputError: one is not.
    """
    for start in range(0, len(probs), BLOCK):
        rows = slice(start, start + BLOCK)
        ignored = False if there is None else ~there[rows]
        _check_block(np.asarray(probs[rows]), start, source, ignored)


def _check_block(
    block: Probs, start: int, source: Path, ignored: NDArray[np.bool_] | bool = False
) -> None:
    sums, least = block.sum(axis=1), block.min(axis=1)
    # Comparisons with NaN are false.
    is_sound = ignored | ((np.abs(sums - 1) <= TOLERANCE) & (least >= 0))
    if not is_sound.all():
        row = int(is_sound.argmin())
        raise BadInputError(
            f"{source}: row {start + row} is not a probability distribution: expected non-negative "
            f"numbers that sum to 1, found a sum of {sums[row]:.4g}, a minimum of "
            f"{least[row]:.4g}; run the command that makes the file"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class CategoryCounts:
    """A model's hits and misses by category, each [categories]."""

    ads: Labels  # of the category: true positives + false negatives
    predicted: Labels  # as the category: true positives + false positives
    correct: Labels  # true positives

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether the category has an ad in the part, so that it counts in the means."""
        return self.ads > 0

    @property
    def recall(self) -> NDArray[np.float64]:
        """TP / (TP + FN); not a number where the part has no ad of the category."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.ads

    @property
    def precision(self) -> NDArray[np.float64]:
        """TP / (TP + FP); 0 for a category that is never predicted."""
        return self.correct / np.maximum(self.predicted, 1)


def count_categories(ad_results: AdResults, categories: int) -> CategoryCounts:
    """Counts ads, predictions and correct predictions of each category."""
    return CategoryCounts(
        ads=np.bincount(ad_results.labels, minlength=categories),
        predicted=np.bincount(ad_results.predicted, minlength=categories),
        correct=np.bincount(ad_results.labels[ad_results.correct], minlength=categories),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """The thesis' four metrics, as fractions."""

    top1: float
    top5: float
    mean_recall: float  # over the categories scored
    mean_precision: float  # likewise
    categories_scored: int


def score(ad_results: AdResults, counts: CategoryCounts) -> Scores:
    """Top-1 and top-5 accuracy, mean recall and mean precision (thesis, chapter 5)."""
    return Scores(
        top1=float(np.mean(ad_results.rank < 1)),
        top5=float(np.mean(ad_results.rank < 5)),
        mean_recall=float(counts.recall[counts.scored].mean()),
        mean_precision=float(counts.precision[counts.scored].mean()),
        categories_scored=int(counts.scored.sum()),
    )
