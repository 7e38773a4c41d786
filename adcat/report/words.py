"""How numbers are put into sentences."""

from adcat.evaluation.measuring import Measured
from adcat.evaluation.significance import PairedDifference

CHANCE = 0.05  # p-value above which a difference is not significant


def share(fraction: float) -> str:
    """A fraction as a percentage."""
    return f"{fraction:.1%}"


def points(difference: float) -> str:
    """A difference of two fractions in percentage points, without its sign."""
    return f"{abs(100 * difference):.1f} points"


def many(number: int, word: str) -> str:
    """A number of things."""
    ending = "" if number == 1 else "s"
    if number != 1 and word.endswith("y"):
        word, ending = word[:-1], "ies"
    return f"{number:,} {word}{ending}"


def compared(difference: PairedDifference, other: str) -> str:
    """How a model's top-1 differs from another's on the same ads, and whether significantly."""
    if difference.difference == 0:
        return f"exactly as much as {other} alone"
    more = "more" if difference.difference > 0 else "less"
    gap, no = points(difference.difference), "" if difference.p_value < CHANCE else "not "
    return f"{gap} {more} than {other} alone, {no}a significant difference"


def praise(model: Measured, baseline: str) -> str:
    """What a model gets right, and what that is against the baseline."""
    text = f"{model.name} puts {share(model.scores.top1)} of the ads into the right category"
    if model.over_baseline is None:
        return text
    return f"{text}: {compared(model.over_baseline, baseline)}"
