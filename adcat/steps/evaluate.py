"""Measures models on the ads of a part: accuracy, recall and precision (thesis, chapter 5)."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import (
    Labels,
    ModelProbs,
    Part,
    all_models,
    models_to_report,
    read_categories,
    read_labels,
)
from adcat.errors import BadInputError
from adcat.manifest import write_json
from adcat.metrics import (
    CategoryCounts,
    Interval,
    PairedDifference,
    Scores,
    accuracy_interval,
    count_categories,
    outcomes,
    paired_difference,
    score,
)
from adcat.progress import Progress
from adcat.settings import argument, option, seed_option
from adcat.tables import Cell, Column, Report, Table, percent, write_table
from adcat.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are measured on which ads."""

    models: list[str] = argument(
        "Models to measure: text, image, a policy's or an attention model's name; "
        "by default all that exist.",
        default=[],
    )
    part: Part = option("test", "The ads to measure on; train exists for text and image only.")
    seed: int = seed_option()  # as every command has; nothing is drawn at random here

    @classmethod
    def thesis(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Nothing to set: like the defaults, the thesis reports the test part (chapter 5)."""
        del given
        return {}


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """One model's metrics."""

    model: str
    scores: Scores
    interval: Interval  # of top-1
    over_baseline: PairedDifference | None  # of top-1; None for the baseline itself
    counts: CategoryCounts


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """Every model's metrics on the ads of one part."""

    part: Part
    ads: int
    categories: list[str]
    baseline: str  # that the others are compared with
    reason: str  # why it is that one
    models: list[Measured]


def evaluate(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Measure how well models put ads into categories.

    Top-1 and top-5 accuracy, recall and precision as means over the categories, a 95 % interval
    of top-1, and the difference to the better baseline, compared on the same ads. The better
    baseline is chosen on the validation ads.
    """
    models = models_to_report(workspace, settings.models, settings.part, progress)
    settings = dataclasses.replace(settings, models=[model.name for model in models])
    inputs = [workspace.split, workspace.features, *(model.artifact for model in models)]
    with workspace.evaluation.write(settings, dict.fromkeys(inputs)) as draft:
        evaluation = _evaluate(workspace, models, settings.part, progress)
        write_json(draft.folder / "metrics.json", _document(evaluation))
        tables = draft.folder / "tables"
        tables.mkdir()
        write_table(tables, "models", _models_table(evaluation))
        write_table(tables, "categories", _categories_table(evaluation))
        draft.notes["fitted_on"] = "nothing; the baseline compared with is chosen on validation"
    return _report(evaluation, workspace)


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    models = models_to_report(workspace, settings.models, settings.part, progress)
    return _document(_evaluate(workspace, models, settings.part, progress))


def _evaluate(
    workspace: Workspace, models: Sequence[ModelProbs], part: Part, progress: Progress
) -> Evaluation:
    labels = read_labels(workspace.split, part)
    if not len(labels):
        raise BadInputError(f"the {part} part has no ads; use another --part, or split again")
    categories = read_categories(workspace.split)
    baseline, reason = _choose_baseline(workspace)
    reference = outcomes(baseline.probs(part), labels, baseline.path(part)).correct
    measured: list[Measured] = []
    with progress.task(f"evaluate {part}", len(labels) * len(models), "ads") as task:
        for model in models:
            against = None if model == baseline else reference
            measured.append(_measure(model, part, labels, against, len(categories)))
            task.advance(len(labels), model.name)
    return Evaluation(part, len(labels), categories, baseline.name, reason, measured)


def _choose_baseline(workspace: Workspace) -> tuple[ModelProbs, str]:
    """The baseline that the others are compared with, and why; the test part has no say."""
    baselines = [model for model in all_models(workspace) if model.is_baseline]
    labels = read_labels(workspace.split, "validation")
    if len(baselines) == 1:
        return baselines[0], "the only baseline"
    if not len(labels):
        return baselines[0], "the baseline named first: no validation ads tell the better one"

    def hits(model: ModelProbs) -> int:
        found = outcomes(model.probs("validation"), labels, model.path("validation"))
        return int(found.correct.sum())

    return max(baselines, key=hits), "the better baseline on the validation part"


def _measure(
    model: ModelProbs,
    part: Part,
    labels: Labels,
    reference: NDArray[np.bool_] | None,
    categories: int,
) -> Measured:
    found = outcomes(model.probs(part), labels, model.path(part))
    counts = count_categories(found, categories)
    return Measured(
        model=model.name,
        scores=score(found, counts),
        interval=accuracy_interval(found.correct),
        over_baseline=None if reference is None else paired_difference(found.correct, reference),
        counts=counts,
    )


def _document(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "part": evaluation.part,
        "ads": evaluation.ads,
        "models": [
            {"model": measured.model, **dataclasses.asdict(measured.scores)}
            for measured in evaluation.models
        ],
    }


def _models_table(evaluation: Evaluation) -> Table:
    """Every number of every model."""
    over = f"over {evaluation.baseline}"
    change = "{:+.2%}"
    columns = [
        Column("model"),
        *map(percent, ("top-1", "top-1 low", "top-1 high", "top-5")),
        *map(percent, ("mean recall", "mean precision")),
        *(Column(heading, change) for heading in (over, f"{over} low", f"{over} high")),
        Column("p", "{:.2g}"),
    ]
    rows = [
        [
            *(measured.model, measured.scores.top1, *measured.interval, measured.scores.top5),
            *(measured.scores.mean_recall, measured.scores.mean_precision),
            *_difference_cells(measured.over_baseline),
        ]
        for measured in evaluation.models
    ]
    return Table(f"Models on the {evaluation.part} part", columns, rows)


def _difference_cells(difference: PairedDifference | None) -> list[Cell]:
    if difference is None:
        return [None] * 4
    return [difference.difference, *difference.interval, difference.p_value]


def _categories_table(evaluation: Evaluation) -> Table:
    """Recall and precision by category; 0 in `predicted` tells why a precision is 0."""
    columns = [Column("model"), Column("category"), Column("ads"), Column("predicted")]
    columns += [Column("correct"), percent("recall"), percent("precision")]
    rows = [
        [measured.model, name, *cells]
        for measured in evaluation.models
        for name, *cells in _category_rows(evaluation.categories, measured.counts)
    ]
    return Table(f"Categories on the {evaluation.part} part", columns, rows)


def _category_rows(categories: Sequence[str], counts: CategoryCounts) -> Iterator[list[Cell]]:
    for c, name in enumerate(categories):
        recall = float(counts.recall[c]) if counts.scored[c] else None
        ads, predicted, correct = (
            int(counts.ads[c]),
            int(counts.predicted[c]),
            int(counts.correct[c]),
        )
        yield [name, ads, predicted, correct, recall, float(counts.precision[c])]


def _report(evaluation: Evaluation, workspace: Workspace) -> Report:
    scored = evaluation.models[0].scores.categories_scored
    means = f"means over {scored} categories"
    absent = len(evaluation.categories) - scored
    if absent:
        left_out = "is left out" if absent == 1 else "are left out"
        means += f"; {absent} without an ad in the {evaluation.part} part {left_out}"
    lines = [
        means,
        f"over {evaluation.baseline}: in top-1, on the same ads; {evaluation.baseline} is "
        f"{evaluation.reason}",
        f"tables: {workspace.evaluation / 'tables'}",
    ]
    return Report(lines, [_overview(evaluation)])


def _overview(evaluation: Evaluation) -> Table:
    """What fits a terminal: intervals as text."""
    return Table(
        f"{evaluation.ads:,} {evaluation.part} ads, 95 % intervals",
        [
            Column("model"),
            percent("top-1"),
            Column("interval"),
            *map(percent, ("top-5", "mean recall", "mean precision")),
            Column(f"over {evaluation.baseline}", "{:+.2%}"),
            Column("interval"),
        ],
        [
            [
                measured.model,
                measured.scores.top1,
                "{:.1%} to {:.1%}".format(*measured.interval),
                measured.scores.top5,
                measured.scores.mean_recall,
                measured.scores.mean_precision,
                *_difference_in_short(measured.over_baseline),
            ]
            for measured in evaluation.models
        ],
    )


def _difference_in_short(difference: PairedDifference | None) -> list[Cell]:
    if difference is None:
        return [None, None]
    return [difference.difference, "{:+.1%} to {:+.1%}".format(*difference.interval)]
