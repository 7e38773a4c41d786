"""The uncertainty of measured accuracies and differences."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95  # of every interval

Interval: TypeAlias = tuple[float, float]


def accuracy_interval(correct: NDArray[np.bool_]) -> Interval:
    """The Wilson score interval of top-1: sound on small sets and near 0 and 1 (Wilson, 1927)."""
    from scipy.stats import binomtest

    result = binomtest(int(correct.sum()), len(correct))
    low, high = result.proportion_ci(LEVEL, method="wilson")
    return float(low), float(high)


def mean_interval(values: NDArray[np.floating]) -> Interval:
    """The interval of a mean by Student's t; of a single value it is that value."""
    from scipy.stats import t

    n = len(values)
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * values.std(ddof=1) / math.sqrt(n) if n > 1 else 0
    return float(values.mean() - reach), float(values.mean() + reach)


@dataclasses.dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better a model's top-1 is than a reference's on the same ads."""

    difference: float
    interval: Interval
    p_value: float  # of the same top-1, McNemar's exact test


def paired_difference(correct: NDArray[np.bool_], reference: NDArray[np.bool_]) -> PairedDifference:
    """Compares two models on the same ads; only ads that exactly one of them gets right matter.

    The interval is the adjusted Wald interval for paired proportions (Bonett and Price, 2012,
    Journal of Educational and Behavioral Statistics 37:479).
    """
    n = len(correct)
    gained = int(np.count_nonzero(correct & ~reference))
    lost = int(np.count_nonzero(reference & ~correct))
    p_gained, p_lost = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)
    reach = z * math.sqrt((p_gained + p_lost - (p_gained - p_lost) ** 2) / (n + 2))
    low, high = p_gained - p_lost - reach, p_gained - p_lost + reach
    return PairedDifference(
        difference=(gained - lost) / n if n else 0.0,
        interval=(max(low, -1.0), min(high, 1.0)),
        p_value=mcnemar(gained, lost),
    )


def mcnemar(gained: int, lost: int) -> float:
    """The exact p-value: gained is Binomial(gained + lost, 1/2) where neither is better."""
    from scipy.stats import binomtest

    discordant = gained + lost
    return float(binomtest(gained, discordant, 0.5).pvalue) if discordant else 1.0


def fisher(hits: int, ads: int, other_hits: int, other_ads: int) -> float:
    """The exact p-value of two shares of different ads being equal."""
    from scipy.stats import fisher_exact

    table = [[hits, ads - hits], [other_hits, other_ads - other_hits]]
    return float(fisher_exact(table).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, corrected for their number.

    Holm, 1979, Scandinavian Journal of Statistics 6:65.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for position, i in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[i]))
        corrected[i] = highest
    return corrected
