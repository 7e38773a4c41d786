"""Models measured on the ads of one part: what tables, figures and the page are made from."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.evaluation.error_groups import Groups, assign
from adcat.evaluation.metrics import (
    AdResults,
    CategoryCounts,
    Scores,
    ad_results,
    count_categories,
    score,
)
from adcat.evaluation.models import APPROACHES, Approach, Model, ModelKind
from adcat.evaluation.selection import Candidate, Choice, choose, no_better_than
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
    Part,
    SplitAds,
)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared with ==
class Measured:
    """One model's results and metrics."""

    source: Model
    kind: ModelKind
    ad_results: AdResults
    candidate: Candidate  # what it says of ads that it has not learned from
    scores: Scores
    interval: Interval  # of top-1
    over_baseline: PairedDifference | None  # of top-1; None for the baseline itself
    counts: CategoryCounts
    by_availability: Mapping[Availability, Scores]  # empty where all ads have text and photo
    no_better_than: str  # the classifier among its parts that it does not beat, if there is one

    @property
    def name(self) -> str:
        """The model's name."""
        return self.source.name

    @property
    def on_validation(self) -> AdResults:
        """Its results on the validation ads; out-of-fold where it was fitted on them."""
        return self.candidate.results["validation"]

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
    choice: Choice

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
        """The model to take; the test ads have no say."""
        return next(model for model in self.models if model.name == self.choice.model)

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
    """The one of these models to take; the test ads have no say."""
    name = choose([model.candidate for model in models]).model
    return next(model for model in models if model.name == name)


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
            found[model.name] = _ad_results(model, split.labels, part)
            task.advance(len(labels), model.name)
    candidates = {
        model.name: read_candidate(
            model, models[model.name].form if model.name in models else "baseline", split.labels
        )
        for model in sources
    }
    baselines = [model.name for model in sources if model.name in MODALITIES]
    baseline, reason = _choose_baseline([candidates[name] for name in baselines])
    measured = [
        _measure(model, models[model.name], found, candidates, baseline, split, part)
        for model in sources
        if model.name in models
    ]
    measured.sort(key=lambda model: (-model.scores.top1, model.name))
    right = {name: found[name] for name in baselines}
    choice = choose([model.candidate for model in measured])
    return Evaluation(part, split, baseline, reason, measured, right, choice)


def _ad_results(model: Model, labels: Mapping[Part, Labels], part: Part) -> AdResults:
    return ad_results(model.probs(part), labels[part], model.path(part))


def read_candidate(model: Model, form: str, labels: Mapping[Part, Labels]) -> Candidate:
    """Reads what a model says of ads that it has not learned from.

    Args:
      model: the model.
      form: its type in the thesis' tables.
      labels: the categories of the ads of each part: [n] each.

    Raises:
      BadInputError: a file does not hold probabilities.
    """
    parts: list[Part] = ["validation"]
    if model.has_out_of_fold_train_probs:
        parts.append("train")
    results: dict[Part, AdResults] = {p: _ad_results(model, labels, p) for p in parts}
    return Candidate(model.name, form, model.is_tuned_on_validation, results)


def _choose_baseline(baselines: Sequence[Candidate]) -> tuple[str, str]:
    """The baseline that the others are compared with, and why; test ads are not used."""
    first, choice = baselines[0].name, choose(baselines)
    if len(baselines) == 1:
        return first, "the only baseline"
    if not choice.ads:
        return first, "the baseline named first, since no validation ads exist to choose by"
    return choice.model, f"the better baseline on {choice.in_words}"


def _measure(
    model: Model,
    kind: ModelKind,
    results: Mapping[str, AdResults],
    candidates: Mapping[str, Candidate],
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
        candidate=candidates[model.name],
        scores=score(found, counts),
        interval=accuracy_interval(found.correct),
        over_baseline=reference and paired_difference(found.correct, reference.correct),
        counts=counts,
        by_availability={
            name: score(found.of(ads), count_categories(found.of(ads), categories))
            for name, ads in _by_availability(split.availabilities[part]).items()
        },
        no_better_than=no_better_than(
            candidates[model.name], [candidates[name] for name in kind.parts if name in candidates]
        ),
    )


def _by_availability(availabilities: Availabilities) -> dict[Availability, NDArray[np.bool_]]:
    """Which ads have each availability that occurs: [n]; empty where all have both."""
    kinds = () if (availabilities == "both").all() else IN_WORDS
    return {kind: availabilities == kind for kind in kinds if (availabilities == kind).any()}
