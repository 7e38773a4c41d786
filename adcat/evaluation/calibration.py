"""Calibration: how confidence relates to accuracy, and which predictions to accept.

`confidence` is the probability of the predicted category and `correct` whether it is the true one,
both [n].
"""

import dataclasses
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import decimal, highest

Confidence: TypeAlias = NDArray[np.float32]  # [n]
Correct: TypeAlias = NDArray[np.bool_]  # [n]

BINS = 10
POINTS = 200  # of a curve


@dataclasses.dataclass(frozen=True, slots=True)
class Reliability:
    """Ads put together by confidence, in bins of equal width; each [bins that have ads]."""

    ads: NDArray[np.int64]
    confidence: NDArray[np.float64]  # mean
    accuracy: NDArray[np.float64]

    @property
    def expected_calibration_error(self) -> float:
        """ECE = Σ_b n_b / n · |accuracy_b - confidence_b| (Naeini et al., 2015)."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.average(gaps, weights=self.ads))


def reliability(confidence: Confidence, correct: Correct, bins: int = BINS) -> Reliability:
    """Compares confidence with accuracy, bin by bin; a bin has its upper edge and not its lower."""
    positions = np.clip(np.ceil(confidence * np.float32(bins)).astype(np.int64) - 1, 0, bins - 1)
    ads = np.bincount(positions, minlength=bins)
    here = ads > 0
    sums = np.bincount(positions, weights=confidence, minlength=bins)
    right = np.bincount(positions, weights=correct, minlength=bins)
    return Reliability(ads[here], sums[here] / ads[here], right[here] / ads[here])


@dataclasses.dataclass(frozen=True, slots=True)
class Automation:
    """The effect of accepting every prediction above a confidence without review."""

    threshold: float
    accepted: int
    errors: int  # among those accepted
    ads: int

    @property
    def share(self) -> float:
        """Of all ads, those accepted."""
        return self.accepted / self.ads

    @property
    def precision(self) -> float | None:
        """Of those accepted, the ones that are right; None where none is accepted."""
        return (self.accepted - self.errors) / self.accepted if self.accepted else None


def is_accepted(confidence: Confidence | float, threshold: float) -> Correct | np.bool_:
    """Whether a confidence is at least the threshold, in single precision as confidences are."""
    return confidence >= np.float32(threshold)


def automate(confidence: Confidence, correct: Correct, threshold: float) -> Automation:
    """Accepts the ads whose confidence is at least the threshold."""
    accepted = is_accepted(confidence, threshold)
    errors = np.count_nonzero(accepted & ~correct)
    return Automation(threshold, int(np.count_nonzero(accepted)), int(errors), len(correct))


def threshold_for(confidence: Confidence, correct: Correct, precision: float) -> float | None:
    """The lowest threshold at which the accepted ads reach a precision; None where none does.

    They count with one right and one wrong ad more (Laplace's rule of succession), so that a few
    ads, all of them right, do not reach what they cannot show: 99 % takes 98 of them.
    """
    lowest, accepted, right = _by_confidence(confidence, correct)
    enough = np.flatnonzero((right + 1) / (accepted + 2) >= precision)
    return decimal(float(lowest[enough[-1]])) if len(enough) else None


def automation_curve(
    confidence: Confidence, correct: Correct
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share accepted and precision as the threshold falls: both [at most `POINTS`]."""
    _, accepted, right = _by_confidence(confidence, correct)
    every = np.linspace(0, len(accepted) - 1, min(POINTS, len(accepted))).astype(np.int64)
    return accepted[every] / len(correct), (right / accepted)[every]


def _by_confidence(
    confidence: Confidence, correct: Correct
) -> tuple[Confidence, NDArray[np.int64], NDArray[np.int64]]:
    """Each confidence that occurs, highest first; the ads from there on and the right ones."""
    order = highest(confidence)
    sorted_confidence = confidence[order]
    last = np.append(np.flatnonzero(np.diff(sorted_confidence)), len(order) - 1)  # of equal ones
    return sorted_confidence[last], last + 1, np.cumsum(correct[order], dtype=np.int64)[last]
