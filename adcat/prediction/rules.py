"""How an ad is predicted: one rule for each combination of modalities that an ad may have."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import cut
from adcat.fusion.fused_model import FusedModel
from adcat.prediction.conformal import scores, set_sizes, threshold
from adcat.prediction.temperature import fit_temperature, with_temperature
from adcat.types import AVAILABILITIES, MODALITIES, Availability, Labels, Modality, Probs, read_by

FEWEST = 50  # ads that a temperature is fitted on


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """From the arrays that a model reads to probabilities and sets of categories."""

    reads: Sequence[str]  # such as `image_probs`: what `combine` takes, in this order
    combine: Callable[[Sequence[np.ndarray]], NDArray[np.floating]]  # to [n, categories]
    temperature: float | None = None  # where one was fitted
    threshold: float | None = None  # of the sets; None where a fixed number is suggested

    @property
    def modalities(self) -> frozenset[Modality]:
        """What an ad must have for this rule."""
        return read_by(self.reads)

    def probs(self, arrays: Mapping[str, np.ndarray], rows: NDArray[np.integer]) -> Probs:
        """The probabilities of some rows of the arrays: [rows, categories]."""
        combined = self.combine([arrays[name][rows] for name in self.reads])
        return with_temperature(np.asarray(combined), self.temperature)

    def sizes(self, probs: Probs, top: int) -> NDArray[np.int64]:
        """How many categories to suggest for each ad: [n]."""
        if self.threshold is None:
            return np.full(len(probs), min(top, probs.shape[1]))
        return set_sizes(probs, self.threshold)


def baselines() -> dict[Availability, Rule]:
    """The rules of both classifiers, each by itself."""
    return {m: Rule((f"{m}_probs",), lambda arrays: arrays[0]) for m in MODALITIES}


def fused_rules(model: FusedModel) -> dict[Availability, Rule]:
    """A fused model's rule for the ads that it reads, and for those that lack a modality."""

    def single(modality: Modality) -> Rule:
        return Rule(
            model.single_reads(modality),
            lambda arrays: model.single_modality_probs(modality, arrays),
        )

    rules: dict[Availability, Rule] = {modality: single(modality) for modality in MODALITIES}
    return {**rules, AVAILABILITIES[model.modalities]: Rule(model.reads, model.combine)}


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """What to calibrate on validation ads."""

    calibrate: bool
    coverage: float | None
    seed: int

    @property
    def fewest(self) -> int:
        """The number of ads from which on a temperature is fitted."""
        return FEWEST * (2 if self.calibrate and self.coverage else 1)

    def keep(self, rule: Rule, probs: Probs, labels: Labels, groups: NDArray[np.int64]) -> Rule:
        """The rule with its temperature and threshold fitted.

        Where both are asked for, each is fitted on its own half of the ads: a temperature that has
        seen the threshold's ads, or their duplicates, would break the guarantee. On fewer ads than
        `fewest` no temperature is fitted; without ads the threshold is infinite.

        Args:
          rule: without them.
          probs: its probabilities of ads that the model was not fitted on: [n, categories].
          labels: their categories: [n].
          groups: the number of each one's group, which duplicates share: [n].
        """
        calibrate = self.calibrate and len(labels) >= self.fewest
        first = second = np.arange(len(labels))
        if calibrate and self.coverage:
            first, second = cut(groups, -(-len(labels) // 2), self.seed)
        if calibrate:
            found = fit_temperature(probs[first], labels[first])
            rule = dataclasses.replace(rule, temperature=found)
        if self.coverage:
            tempered = with_temperature(probs[second], rule.temperature)
            found = threshold(scores(tempered, labels[second]), self.coverage)
            rule = dataclasses.replace(rule, threshold=found)
        return rule
