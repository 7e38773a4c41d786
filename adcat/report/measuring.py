"""Every model measured on the ads of one part: what tables, figures and page are made from."""

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
    SelectionScore,
    ad_results,
    count_categories,
    score,
)
from adcat.evaluation.significance import (
    Interval,
    PairedDifference,
    accuracy_interval,
    paired_difference,
)
from adcat.progress import Progress
from adcat.report.model_kinds import APPROACHES, Approach, Availability, kind_of
from adcat.types import IN_WORDS, MODALITIES, Availabilities, Labels, Modality, Part
from adcat.types import Availability as AdKind
from adcat.workspace.ads import read_availabilities, read_categories, read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, all_models


@dataclasses.dataclass(frozen=True, slots=True, eq=False)  # arrays have no one answer to ==
class Measured:
    """One model's answers and metrics."""

    source: ModelProbs
    kind: Availability
    ad_results: AdResults
    on_validation: AdResults  # out-of-fold where the model was fitted on validation ads
    scores: Scores
    interval: Interval  # of top-1
    over_baseline: PairedDifference | None  # of top-1; None for the baseline itself
    counts: CategoryCounts
    by_availability: Mapping[
        AdKind, Scores
    ]  # of ads; only where some lack their text or their photo

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
    labels: Labels  # [n]
    availabilities: Availabilities  # what each ad has: [n]
    categories: Sequence[str]
    training_ads: Labels  # [categories]
    baseline: str  # that the others are compared with
    reason: str  # why it is that one
    models: Sequence[Measured]
    baselines: Mapping[Modality, AdResults]  # that exist, whether they are to be reported or not

    @property
    def ads(self) -> int:
        """How many the part has."""
        return len(self.labels)

    @property
    def chosen(self) -> Measured:
        """The model with the greatest merit; the test part has no say."""
        return best(self.models)

    @property
    def groups(self) -> Groups | None:
        """Each ad's error group: [n]; None unless both baselines exist and ads for both."""
        if len(self.baselines) < len(MODALITIES) or "both" not in self.availabilities:
            return None
        correct = {modality: found.correct for modality, found in self.baselines.items()}
        return assign(correct, self.availabilities)

    @property
    def ads_by_availability(self) -> dict[AdKind, int]:
        """How many ads there are of each kind; empty where all have text and photo."""
        return {
            kind: int(of_kind.sum()) for kind, of_kind in _of_kinds(self.availabilities).items()
        }

    def of(self, *approaches: Approach) -> list[Measured]:
        """The models of some approaches that learned from all of their ads."""
        return [
            model
            for model in self.models
            if model.kind.approach in approaches and model.kind.fraction == 1
        ]

    @property
    def headline(self) -> list[Measured]:
        """The baselines and the best of each other approach."""
        models = [self.of(approach) for approach in APPROACHES[1:]]
        return self.of("baseline") + [best(found) for found in models if found]


def best(models: Sequence[Measured]) -> Measured:
    """The model with the greatest merit on the validation ads."""
    return max(models, key=lambda model: model.selection_score)


def measure_models(
    workspace: Workspace, models: Sequence[ModelProbs], part: Part, progress: Progress
) -> Evaluation:
    """Reads every model's probabilities once and measures them.

    Raises:
      BadInputError: the part has no ads, or a file holds no probabilities.
    """
    labels = read_labels(workspace.split, part)
    if not len(labels):
        raise BadInputError(f"the {part} part has no ads; use another --part, or split again")
    known = [model for model in all_models(workspace) if model.is_baseline]
    every = [*known, *(model for model in models if not model.is_baseline)]
    of_validation = read_labels(workspace.split, "validation")
    found: dict[str, AdResults] = {}
    with progress.task(f"evaluate {part}", len(labels) * len(every), "ads") as task:
        for model in every:
            found[model.name] = ad_results(model.probs(part), labels, model.path(part))
            task.advance(len(labels), model.name)
    on_validation = {
        model.name: found[model.name]
        if part == "validation"
        else ad_results(model.probs("validation"), of_validation, model.path("validation"))
        for model in every
    }
    categories, availabilities = (
        read_categories(workspace.split),
        read_availabilities(workspace.split, part),
    )
    baseline, reason = _choose_baseline(known, on_validation)
    return Evaluation(
        part=part,
        labels=labels,
        availabilities=availabilities,
        categories=categories,
        training_ads=np.bincount(read_labels(workspace.split, "train"), minlength=len(categories)),
        baseline=baseline,
        reason=reason,
        models=[
            _measure(
                model,
                found[model.name],
                on_validation[model.name],
                availabilities,
                len(categories),
                None if model.name == baseline else found[baseline],
            )
            for model in models
        ],
        baselines={name: found[name] for name in MODALITIES if name in found},
    )


def _choose_baseline(
    baselines: Sequence[ModelProbs], on_validation: Mapping[str, AdResults]
) -> tuple[str, str]:
    """The baseline that the others are compared with, and why; the test part has no say."""
    first = baselines[0].name
    if len(baselines) == 1:
        return first, "the only baseline"
    if not len(on_validation[first].labels):
        return first, "the baseline named first: no validation ads tell the better one"
    better = max(
        baselines,
        key=lambda model: on_validation[model.name].selection_score(model.is_tuned_on_validation),
    )
    return better.name, "the better baseline on the validation part"


def _measure(
    model: ModelProbs,
    found: AdResults,
    on_validation: AdResults,
    availabilities: Availabilities,
    categories: int,
    reference: AdResults | None,
) -> Measured:
    counts = count_categories(found, categories)
    return Measured(
        source=model,
        kind=kind_of(model),
        ad_results=found,
        on_validation=on_validation,
        scores=score(found, counts),
        interval=accuracy_interval(found.correct),
        over_baseline=reference and paired_difference(found.correct, reference.correct),
        counts=counts,
        by_availability={
            kind: score(found.of(ads), count_categories(found.of(ads), categories))
            for kind, ads in _of_kinds(availabilities).items()
        },
    )


def _of_kinds(availabilities: Availabilities) -> dict[AdKind, NDArray[np.bool_]]:
    """Which ads are of each kind that there is: [n]; empty where all have text and photo."""
    if (availabilities == "both").all():
        return {}
    return {kind: availabilities == kind for kind in IN_WORDS if (availabilities == kind).any()}
