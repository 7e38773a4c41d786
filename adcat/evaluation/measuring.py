"""Models measured on the ads of one part: what tables, figures and the page are made from."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.evaluation.error_groups import Groups, assign
from adcat.evaluation.metrics import (
    AdResults,
    CategoryCounts,
    Scores,
    SelectionScore,
    ad_results,
    count_categories,
    score,
)
from adcat.evaluation.selection import no_better_than
from adcat.evaluation.significance import (
    Interval,
    PairedDifference,
    accuracy_interval,
    paired_difference,
)
from adcat.progress import Progress
from adcat.types import (
    IN_WORDS,
    MODALITIES,
    Availabilities,
    Availability,
    Labels,
    Modality,
    Part,
    Probs,
    SplitAds,
)

Approach: TypeAlias = Literal["baseline", "late fusion", "early fusion", "attention"]
APPROACHES: Sequence[Approach] = ("baseline", "late fusion", "early fusion", "attention")


class Model(Protocol):
    """A model to be measured."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it was made with."""
        ...

    @property
    def modality(self) -> Modality | None:
        """What it reads where it is a classifier, not a combination of several."""
        ...

    @property
    def is_tuned_on_validation(self) -> bool:
        """Whether its training was stopped early, or its settings chosen, on the validation ads."""
        ...

    def path(self, part: Part) -> Path:
        """The file of its probabilities of the ads of a part."""
        ...

    def probs(self, part: Part) -> Probs:
        """Its probabilities of the ads of a part: [n, categories]."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class ModelKind:
    """What a model is."""

    approach: Approach
    policy: str  # or the baseline's name, or the attention model's setting
    settings: Mapping[str, Any]  # that it was made with and depends on
    form: str  # the model's type in the thesis' tables
    in_words: str  # how it works
    parts: Sequence[str] = ()  # the classifiers that it combines

    @property
    def fraction(self) -> float:
        """The share of the ads that it learned from."""
        return float(self.settings.get("fraction", 1))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared with ==
class Measured:
    """One model's results and metrics."""

    source: Model
    kind: ModelKind
    ad_results: AdResults
    on_validation: AdResults  # out-of-fold where the model was fitted on validation ads
    scores: Scores
    interval: Interval  # of top-1
    over_baseline: PairedDifference | None  # of top-1; None for the baseline itself
    counts: CategoryCounts
    by_availability: Mapping[Availability, Scores]  # empty where all ads have text and photo
    no_better_than: str  # the part that it does not beat on the validation ads, if there is one

    @property
    def name(self) -> str:
        """The model's name."""
        return self.source.name

    @property
    def selection_score(self) -> SelectionScore:
        """What models are chosen by, on the validation ads."""
        return self.on_validation.selection_score(self.source.is_tuned_on_validation)

    @property
    def validation_top5(self) -> float:
        """Share of the validation ads with the true category among the first five suggestions."""
        return float((self.on_validation.rank < 5).mean()) if len(self.on_validation.rank) else 0.0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Every model's metrics on the ads of one part."""

    part: Part
    split: SplitAds
    baseline: str  # that the others are compared with
    reason: str  # why it is that one
    models: Sequence[Measured]  # best first: by top-1, then by name
    baselines: Mapping[str, AdResults]  # that exist, whether they are to be reported or not

    @property
    def labels(self) -> Labels:
        """The category of each ad of the part: [n]."""
        return self.split.labels[self.part]

    @property
    def availabilities(self) -> Availabilities:
        """What each ad of the part has: [n]."""
        return self.split.availabilities[self.part]

    @property
    def categories(self) -> Sequence[str]:
        """The names of the categories."""
        return self.split.categories

    @property
    def training_ads(self) -> Labels:
        """How many training ads each category has: [categories]."""
        return np.bincount(self.split.labels["train"], minlength=len(self.categories))

    @property
    def ads(self) -> int:
        """How many the part has."""
        return len(self.labels)

    @property
    def chosen(self) -> Measured:
        """The model with the highest selection score, without looking at the test part."""
        return best(self.models)

    @property
    def groups(self) -> Groups | None:
        """Each ad's error group: [n]; None unless both baselines exist and ads for both."""
        if len(self.baselines) < len(MODALITIES) or "both" not in self.availabilities:
            return None
        correct = {modality: found.correct for modality, found in self.baselines.items()}
        return assign(correct, self.availabilities)

    @property
    def ads_by_availability(self) -> dict[Availability, int]:
        """The number of ads by availability; empty where all have text and photo."""
        found = _by_availability(self.availabilities)
        return {kind: int(of_kind.sum()) for kind, of_kind in found.items()}

    def of(self, *approaches: Approach) -> list[Measured]:
        """The models of some approaches that learned from all of their ads."""
        whole = (model for model in self.models if model.kind.fraction == 1)
        return [model for model in whole if model.kind.approach in approaches]

    @property
    def headline(self) -> list[Measured]:
        """The baselines and the best of each other approach."""
        models = [self.of(approach) for approach in APPROACHES[1:]]
        return self.of("baseline") + [best(found) for found in models if found]


def best(models: Sequence[Measured]) -> Measured:
    """The model with the highest selection score on the validation ads; ties: a classifier."""
    in_order = sorted(models, key=lambda model: (APPROACHES.index(model.kind.approach), model.name))
    return max(in_order, key=lambda model: model.selection_score)


def measure_models(
    split: SplitAds,
    part: Part,
    models: Mapping[str, ModelKind],
    sources: Sequence[Model],
    progress: Progress,
) -> Evaluation:
    """Reads every model's probabilities once and measures them.

    Args:
      split: the ads.
      part: that the models are measured on.
      models: those to report, by name, and what they are.
      sources: where the probabilities of these and of all baselines come from.
      progress: counts the ads.

    Raises:
      BadInputError: the part has no ads, or a file does not hold probabilities.
    """
    labels = split.labels[part]
    if not len(labels):
        raise BadInputError(f"the {part} part has no ads; use another --part, or split again")
    found: dict[str, AdResults] = {}
    with progress.task(f"evaluate {part}", len(labels) * len(sources), "ads") as task:
        for model in sources:
            found[model.name] = _ad_results(model, split, part)
            task.advance(len(labels), model.name)
    on_validation = found
    if part != "validation":
        on_validation = {m.name: _ad_results(m, split, "validation") for m in sources}
    baselines = [model for model in sources if model.name in MODALITIES]
    baseline, reason = _choose_baseline(baselines, on_validation)
    measured = [
        _measure(model, models[model.name], found, on_validation, baseline, split, part)
        for model in sources
        if model.name in models
    ]
    right = {name: found[name] for name in MODALITIES if name in found}
    measured.sort(key=lambda model: (-model.scores.top1, model.name))
    return Evaluation(part, split, baseline, reason, measured, right)


def _ad_results(model: Model, split: SplitAds, part: Part) -> AdResults:
    return ad_results(model.probs(part), split.labels[part], model.path(part))


def _choose_baseline(
    baselines: Sequence[Model], on_validation: Mapping[str, AdResults]
) -> tuple[str, str]:
    """The baseline that the others are compared with, and why; test ads are not used."""
    first = baselines[0].name
    if len(baselines) == 1:
        return first, "the only baseline"
    if not len(on_validation[first].labels):
        return first, "the baseline named first, since no validation ads exist to choose by"

    def score(model: Model) -> SelectionScore:
        return on_validation[model.name].selection_score(model.is_tuned_on_validation)

    return max(baselines, key=score).name, "the better baseline on the validation part"


def _measure(
    model: Model,
    kind: ModelKind,
    results: Mapping[str, AdResults],
    on_validation: Mapping[str, AdResults],
    baseline: str,
    split: SplitAds,
    part: Part,
) -> Measured:
    found, categories = results[model.name], len(split.categories)
    counts = count_categories(found, categories)
    reference = None if model.name == baseline else results[baseline]
    return Measured(
        source=model,
        kind=kind,
        ad_results=found,
        on_validation=on_validation[model.name],
        scores=score(found, counts),
        interval=accuracy_interval(found.correct),
        over_baseline=reference and paired_difference(found.correct, reference.correct),
        counts=counts,
        by_availability={
            name: score(found.of(ads), count_categories(found.of(ads), categories))
            for name, ads in _by_availability(split.availabilities[part]).items()
        },
        no_better_than=no_better_than(
            on_validation[model.name].correct,
            {name: on_validation[name].correct for name in kind.parts if name in on_validation},
        ),
    )


def _by_availability(availabilities: Availabilities) -> dict[Availability, NDArray[np.bool_]]:
    """Which ads have each availability that occurs: [n]; empty where all have both."""
    kinds = () if (availabilities == "both").all() else IN_WORDS
    return {kind: availabilities == kind for kind in kinds if (availabilities == kind).any()}
