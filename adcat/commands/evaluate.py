"""Measures models on the ads of a part and makes a page of it (thesis, chapter 5)."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from adcat import thesis
from adcat.attention.search import LOG
from adcat.choosing import HELP, kind_of, training_of
from adcat.errors import AdcatError
from adcat.evaluation.measuring import Evaluation, Measured, measure_models
from adcat.evaluation.models import Training
from adcat.evaluation.selection import Choice
from adcat.evaluation.significance import PairedDifference
from adcat.files import write_json
from adcat.progress import Progress
from adcat.report.against_thesis import thesis_section
from adcat.report.approaches import approach_section, best_section
from adcat.report.attention import attention_section, best_over_positions
from adcat.report.availability import availability_section, top1_by_availability
from adcat.report.categories import confusion_section, data_section, size_section
from adcat.report.comparison import (
    categories_table,
    models_section,
    overview_section,
    pairs_section,
)
from adcat.report.embedded_images import ReadShown
from adcat.report.items import items_section
from adcat.report.page import Section, render, write_files
from adcat.report.recovery import error_groups_section
from adcat.report.similar_ads import SUMMARY, read_summary, similarity_section
from adcat.report.trust import automation_section, reliability_section
from adcat.report.words import many
from adcat.settings import models_argument, option, seed_option
from adcat.tables import Cell, Column, Report, Table, percent, write_table
from adcat.types import Part
from adcat.workspace.ads import read_split
from adcat.workspace.artifact import Artifact, reading
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, models_to_report, read_for, with_baselines
from adcat.workspace.shown_ads import reading_shown

PAGE = "report.html"
DISTRIBUTION = "figure-4.1.svg"  # that `split` draws


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are measured on which ads, and what they are shown beside."""

    published: ClassVar = thesis.settings("evaluate")

    models: list[str] = models_argument("evaluate")
    part: Part = option(
        "test", "Part to evaluate on; train is for classifiers and out-of-fold models."
    )
    compare: Literal["thesis"] | None = option(None, "Show the thesis' results alongside.")
    seed: int = seed_option()  # of the ads that are shown


def evaluate(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Measure models on the same ads, and write a report.

    Writes report.html, a single file that works offline, and its tables and figures: accuracy,
    recall and precision, significant differences, what each model gets right that text or image
    alone does not, calibration, how much can be automated, and which categories are confused.
    Models are chosen on validation ads, and on training ads where their probabilities of these are
    out-of-fold; everything else that has to be chosen, such as a threshold, on validation ads.
    """
    models = models_to_report(workspace, settings.models, settings.part, progress)
    settings = dataclasses.replace(settings, models=[model.name for model in models])
    of_attention, similar = "the search over attention's settings", "the similar ads"
    search = _current(workspace.attention_search, of_attention, progress)
    nearest = _current(workspace.similar, similar, progress)
    inputs = [*read_for(workspace, models), *(one for one in (search, nearest) if one)]
    with (
        workspace.evaluation.write(settings, inputs) as staging,
        reading_shown(workspace.split, settings.part, progress) as read,
    ):
        evaluation = _measure(workspace, models, settings.part, progress)
        write_json(staging.folder / "metrics.json", _document(evaluation, models))
        trainings = {m.name: training_of(m) for m in models} if settings.compare else {}
        sections = _sections(workspace, evaluation, read, search, nearest, settings, trainings)
        _write_page(staging.folder, evaluation, sections)
        staging.notes["fitted_on"] = "nothing; whatever is chosen is not chosen on test ads"
    return _report(evaluation, workspace)


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    models = models_to_report(workspace, settings.models, settings.part, progress)
    with reading(read_for(workspace, models)):
        return _document(_measure(workspace, models, settings.part, progress), models)


def _current(artifact: Artifact, in_words: str, progress: Progress) -> Artifact | None:
    """An artifact that the page shows if it is there and current."""
    if not artifact.path.exists():
        return None
    try:
        artifact.check()
    except AdcatError as error:
        progress.say(f"warning: left out {in_words}: {error}")
        return None
    return artifact


def _measure(
    workspace: Workspace, models: Sequence[ModelProbs], part: Part, progress: Progress
) -> Evaluation:
    """Measures these models, and the baselines to compare them with."""
    sources = with_baselines(workspace, models)
    kinds = {model.name: kind_of(model) for model in models}
    return measure_models(read_split(workspace.split), part, kinds, sources, progress)


def _document(evaluation: Evaluation, models: Sequence[ModelProbs]) -> dict[str, Any]:
    """Every model's metrics, in the order of `models`."""
    measured_by_name = {measured.name: measured for measured in evaluation.models}
    return {
        "part": evaluation.part,
        "ads": evaluation.ads,
        "choice": dataclasses.asdict(evaluation.choice),
        "no_better_than": {m.name: m.no_better_than for m in evaluation.models if m.no_better_than},
        "models": [
            {
                "model": measured.name,
                **dataclasses.asdict(measured.scores),
                **_kinds(evaluation, measured),
            }
            for measured in (measured_by_name[model.name] for model in models)
        ],
    }


def _kinds(evaluation: Evaluation, measured: Measured) -> dict[str, Any]:
    """The same numbers of each kind of ad, where some lack their text or their photo."""
    availabilities = {
        kind: {"ads": evaluation.ads_by_availability[kind], **dataclasses.asdict(scores)}
        for kind, scores in measured.by_availability.items()
    }
    return {"kinds": availabilities} if availabilities else {}


def _sections(
    workspace: Workspace,
    evaluation: Evaluation,
    read: ReadShown,
    search: Artifact | None,
    nearest: Artifact | None,
    settings: Settings,
    trainings: Mapping[str, Training],
) -> list[Section]:
    """The page's sections in their order, without the last one."""
    compare = settings.compare == "thesis"
    log = search / LOG if search else None
    is_left_out = search is None and workspace.attention_search.path.exists()
    approaches = [
        approach_section(evaluation, "late fusion", compare),
        approach_section(evaluation, "early fusion", compare),
        attention_section(evaluation, log, is_left_out, compare),
    ]
    return [
        overview_section(evaluation),
        models_section(evaluation),
        *([availability_section(evaluation)] if evaluation.ads_by_availability else []),
        pairs_section(evaluation),
        best_section(evaluation, compare),
        *([thesis_section(evaluation, trainings)] if compare else []),
        automation_section(evaluation),
        reliability_section(evaluation),
        error_groups_section(evaluation, read, settings.seed, compare),
        confusion_section(evaluation, read),
        size_section(evaluation),
        data_section(evaluation, workspace.split / DISTRIBUTION),
        *(section for section in approaches if section),
        *([similarity_section(read_summary(nearest / SUMMARY))] if nearest else []),
    ]


def _write_page(folder: Path, evaluation: Evaluation, sections: list[Section]) -> None:
    write_files(folder, sections)
    write_table(folder / "tables", "categories", categories_table(evaluation))
    facts = (
        f"{many(len(evaluation.models), 'model')} on {many(evaluation.ads, 'ad')} of the "
        f"{evaluation.part} part, in {many(len(evaluation.categories), 'category')}; learned from "
        f"{many(int(evaluation.training_ads.sum()), 'ad')}."
    )
    page = render(
        "How accurate are the models?",
        facts,
        [*sections, items_section(sections, best_over_positions(evaluation))],
        folder / "figures",
    )
    (folder / PAGE).write_text(page, encoding="utf-8")


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
        *_on_training_ads(evaluation),
        *_without_gain(evaluation),
        f"report: {workspace.evaluation / PAGE}",
    ]
    tables = [_overview(evaluation)]
    if evaluation.ads_by_availability:
        tables.append(top1_by_availability(evaluation))
    return Report(lines, tables, _verdict(evaluation))


def _verdict(evaluation: Evaluation) -> list[str]:
    """The chosen model, its gain, and what may be as good."""
    chosen, choice = evaluation.chosen, evaluation.choice
    text = f"chosen on {choice.in_words}: {chosen.name}, top-1 {chosen.scores.top1:.2%}"
    if chosen.over_baseline is None:
        return [f"{text}, a classifier alone", *_as_good(choice)]
    gain, interval = _difference_in_short(chosen.over_baseline)
    return [f"{text}, {gain:+.2%} over {evaluation.baseline} ({interval})", *_as_good(choice)]


def _as_good(choice: Choice) -> list[str]:
    names = ", ".join(choice.not_told_apart)
    return [f"not told apart from it there: {names}"] if names else []


def _on_training_ads(evaluation: Evaluation) -> list[str]:
    """Whose probabilities say what a model makes of ads that it has not seen."""
    if evaluation.part != "train":
        return []
    unseen = [m.name for m in evaluation.models if m.source.has_out_of_fold_train_probs]
    unseen_by = ", ".join(unseen) or "none"
    return [f"out-of-fold, by models that had not seen the ad: {unseen_by}; others learned from it"]


def _without_gain(evaluation: Evaluation) -> list[str]:
    """The models that combine classifiers in vain."""
    names = [f"{m.name} ({m.no_better_than})" for m in evaluation.models if m.no_better_than]
    if not names:
        return []
    return [f"no better than a classifier that they combine: {', '.join(names)}", HELP]


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
                measured.name,
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
