"""Which model to take, and which are not worth it; the test ads have no say.

Models are compared on the ads that they have not learned from: the validation ads, and the training
ads where a model's probabilities of them are out-of-fold.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.evaluation.metrics import AdResults
from adcat.evaluation.significance import paired_difference
from adcat.types import Part

SIMPLICITY = (  # forms of models, the simplest first
    *("baseline", "heuristic policy", "fitted policy", "linear model", "network policy"),
    *("early fusion", "attention"),
)
MARGIN = 1.0  # standard errors behind the best model up to which a simpler one is taken


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A model to choose among, and what it says of ads that it has not learned from."""

    name: str
    form: str  # one of `SIMPLICITY`
    is_tuned_on_validation: bool
    results: Mapping[Part, AdResults]  # of the validation ads; of the training ads if out-of-fold

    def correct(self, parts: Sequence[Part]) -> NDArray[np.bool_]:
        """Whether it is right about the ads of these parts: [n]."""
        return np.concatenate([self.results[part].correct for part in parts])

    def loss(self, parts: Sequence[Part]) -> NDArray[np.float64]:
        """Its loss on each ad of these parts, in nats: [n]."""
        return np.concatenate([self.results[part].loss for part in parts], dtype=np.float64)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """The model to take, and on what it was chosen."""

    model: str
    parts: Sequence[Part]  # whose ads it was chosen on
    ads: int
    top1: float  # on these
    not_told_apart: Sequence[str]  # whose top-1 differs from its by no more than chance

    @property
    def in_words(self) -> str:
        """What it was chosen on."""
        return in_words(self.parts)


def in_words(parts: Sequence[Part]) -> str:
    """The ads of the parts that models are compared on."""
    return f"{'the training ads (out-of-fold) and ' * ('train' in parts)}the validation ads"


def choose(candidates: Sequence[Candidate]) -> Choice:
    """The simplest of the models that cannot be told from the best by one standard error.

    It is the error of the difference on the same ads, of top-1 and of the log loss, which tells
    models apart on fewer ads. Models with out-of-fold probabilities of the training ads are
    compared on these and the validation ads together; unless a combination is among them, all are
    compared on the validation ads. Any other is compared with the model chosen so far on the
    validation ads alone, and takes its place only where its top-1 is higher by more than chance.
    """
    candidates = sorted(candidates, key=lambda one: one.name)
    well_known = [one for one in candidates if "train" in one.results]
    if all(one.form == SIMPLICITY[0] for one in well_known):
        well_known = candidates
    parts = common_parts(well_known)
    chosen = _simplest(well_known, parts)
    better = [
        one
        for one in candidates
        if not set(parts) <= set(one.results) and _interval(one, chosen)[0] > 0
    ]
    if better:
        parts, chosen = common_parts(better), _simplest(better, common_parts(better))
    right = chosen.correct(parts)
    equal = [one.name for one in candidates if one is not chosen and _may_be_equal(one, chosen)]
    return Choice(chosen.name, parts, len(right), float(right.mean()) if len(right) else 0.0, equal)


def common_parts(candidates: Sequence[Candidate]) -> Sequence[Part]:
    """The parts that all of these can be compared on."""
    both = all("train" in one.results for one in candidates)
    return ("train", "validation") if both else ("validation",)


def _simplest(candidates: Sequence[Candidate], parts: Sequence[Part]) -> Candidate:
    """The simplest model that is about as accurate as any, and of those about as sure as any.

    The loss of a model that was tuned on these ads is too low to compare others with.
    """
    right = {one: one.correct(parts).astype(np.float64) for one in candidates}
    most = max(right.values(), key=np.sum)
    accurate = [one for one, correct in right.items() if _lead(most, correct) <= MARGIN]
    loss = {one: one.loss(parts) for one in accurate}
    least = loss[min(accurate, key=lambda one: (one.is_tuned_on_validation, loss[one].sum()))]
    return min(
        (one for one in accurate if _lead(loss[one], least) <= MARGIN),
        key=lambda one: (
            SIMPLICITY.index(one.form), one.is_tuned_on_validation, loss[one].sum(), one.name,
        ),
    )  # fmt: skip


def _lead(more: NDArray[np.float64], less: NDArray[np.float64]) -> float:
    """By how many of its standard errors the mean difference exceeds 0: [n] each."""
    total = float((more - less).sum())
    if total <= 0:
        return 0.0
    spread = float((more - less).std()) * math.sqrt(len(more))
    return total / spread if spread else math.inf


def _interval(one: Candidate, other: Candidate) -> tuple[float, float]:
    """Of the difference of their top-1, on the ads that both can be compared on."""
    parts = common_parts([one, other])
    return paired_difference(one.correct(parts), other.correct(parts)).interval


def _may_be_equal(one: Candidate, other: Candidate) -> bool:
    low, high = _interval(one, other)
    return low <= 0 <= high


def no_better_than(candidate: Candidate, classifiers: Sequence[Candidate]) -> str:
    """The best of the classifiers that a model combines, where the model is not more often right.

    Returns:
      Its name; empty where the model is better, or the ads to tell by are missing.
    """
    if not classifiers:
        return ""
    parts = common_parts([candidate, *classifiers])
    best = max(classifiers, key=lambda one: (one.correct(parts).sum(), one.name))
    right = candidate.correct(parts).sum()
    return best.name if len(candidate.correct(parts)) and right <= best.correct(parts).sum() else ""
