"""What an ad is answered with: one rule for every combination of modalities that an ad may have."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import MODALITIES, Labels, Modality, Probs
from adcat.prediction.calibration import fit_temperature, with_temperature
from adcat.prediction.conformal import scores, set_sizes, threshold

Kind: TypeAlias = Literal["both", "text", "image", "none"]  # of modalities that an answer rests on
KINDS: Mapping[frozenset[Modality], Kind] = {
    frozenset(("text", "image")): "both",
    frozenset(("text",)): "text",
    frozenset(("image",)): "image",
    frozenset(): "none",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """From the arrays that a model reads to probabilities and sets of categories."""

    reads: Sequence[str]  # such as `image_probs`: what `combine` takes, in this order
    combine: Callable[[Sequence[np.ndarray]], NDArray[np.floating]]  # to [n, categories]
    temperature: float = 1.0
    threshold: float | None = None  # of the sets; None where a fixed number is suggested

    @property
    def modalities(self) -> frozenset[Modality]:
        """What an ad must have for this rule."""
        return frozenset(m for m in MODALITIES for name in self.reads if name.startswith(f"{m}_"))

    def probs(self, arrays: Mapping[str, np.ndarray], rows: NDArray[np.integer]) -> Probs:
        """The probabilities of some rows of the arrays: [rows, categories]."""
        combined = self.combine([arrays[name][rows] for name in self.reads])
        return with_temperature(np.asarray(combined), self.temperature)

    def sizes(self, probs: Probs, top: int) -> NDArray[np.int64]:
        """How many categories to suggest for each ad: [n]."""
        if self.threshold is None:
            return np.full(len(probs), min(top, probs.shape[1]))
        return set_sizes(probs, self.threshold)


def baseline(modality: Modality) -> Rule:
    """The rule of a classifier alone."""
    return Rule((f"{modality}_probs",), lambda arrays: arrays[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """What is to be calibrated on validation ads."""

    calibrate: bool
    coverage: float | None
    seed: int

    def keep(self, rule: Rule, probs: Probs, labels: Labels) -> Rule:
        """The rule with its temperature and its threshold.

        Where both are asked for, each is found on its own half of the ads: a temperature that has
        seen the ads behind the threshold would break the promise.

        Args:
          rule: without them.
          probs: its answers to ads that its model was not fitted on: [n, categories].
          labels: their categories: [n].
        """
        mixed = np.random.default_rng(self.seed).permutation(len(labels))
        first, second = mixed, mixed
        if self.calibrate and self.coverage:
            first, second = np.array_split(mixed, 2)
        if self.calibrate:
            rule = dataclasses.replace(
                rule, temperature=fit_temperature(probs[first], labels[first])
            )
        if self.coverage:
            tempered = with_temperature(probs[second], rule.temperature)
            found = threshold(scores(tempered, labels[second]), self.coverage)
            rule = dataclasses.replace(rule, threshold=found)
        return rule
