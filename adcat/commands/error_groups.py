"""Groups the ads by which baseline is right, and shows what each model recovers."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adcat import thesis
from adcat.choosing import kind_of
from adcat.errors import BadInputError, MissingArtifactError
from adcat.evaluation.error_groups import (
    ADS,
    CATEGORIES,
    ERROR_GROUPS,
    FIGURES,
    GROUPS,
    ILLUSTRATING,
    NO_GROUP,
    PREDICTIONS,
    SAMPLE,
    WRONG,
    Groups,
    agreement_table,
    assign,
    count,
    draw,
    illustrate,
    in_words,
    misclassified_table,
    recovered,
    recovered_table,
)
from adcat.evaluation.metrics import AdResults, ad_results
from adcat.evaluation.models import Approach
from adcat.files import write_json
from adcat.plotting.galleries import Example, gallery
from adcat.progress import Progress
from adcat.report.embedded_images import ReadShown
from adcat.report.example_ads import drawn_examples, read_examples
from adcat.report.recovery import recovered_tables
from adcat.settings import models_argument, option, seed_option
from adcat.tables import Column, Report, Table, percent, write_table
from adcat.types import MODALITIES, Labels, Part
from adcat.workspace.ads import (
    iterate_ads,
    read_availabilities,
    read_categories,
    read_labels,
    read_modalities,
    reading_shown,
)
from adcat.workspace.artifact import reading
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, all_models, models_to_report, read_for


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are looked at on which ads, and what the galleries show."""

    published: ClassVar = thesis.settings("error-groups")

    models: list[str] = models_argument("analyse")
    part: Part = option("test", "Part to analyse; train is for text and image only.")
    sample: int = option(SAMPLE, "Ads drawn at random for the galleries.", low=1, panel="Galleries")
    categories: int = option(
        CATEGORIES, "Categories per gallery.", low=1, high=50, panel="Galleries"
    )
    ads: int = option(ADS, "Ads per category.", low=1, high=20, panel="Galleries")
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True, slots=True)
class Analysis:
    """What the baselines say of each ad of a part, and what each model gets right."""

    part: Part
    labels: Labels  # [n]
    baselines: Mapping[str, AdResults]  # by modality
    groups: Groups  # [n]
    recovered: Mapping[str, Mapping[str, int]]  # model, best first -> error group -> ads

    @property
    def rows(self) -> NDArray[np.int64]:
        """The ads that have a group: those with text and photo."""
        return np.flatnonzero(self.groups != NO_GROUP)


def error_groups(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Show the ads that text or image gets wrong.

    Each ad with both text and photo falls into one of four groups: both classifiers are right,
    only text, only image, or neither. Writes the group of each ad, the thesis' tables with the
    errors that each model recovers, and a gallery of each error group: random ads of the
    categories that are misclassified most.
    """
    models = models_to_report(workspace, settings.models, settings.part, progress)
    settings = dataclasses.replace(settings, models=[model.name for model in models])
    with workspace.error_groups.write(settings, read_for(workspace, models)) as staging:
        analysis = _analyse(workspace, models, settings.part, progress)
        write_json(staging.folder / "summary.json", _document(analysis, models))
        _write_groups(staging.folder / "groups.parquet", workspace, analysis)
        tables = _tables(analysis, models, read_categories(workspace.split))
        (staging.folder / "tables").mkdir()
        for name, table in tables.items():
            write_table(staging.folder / "tables", name, table)
        with reading_shown(workspace.split, settings.part, progress) as read:
            remarks = _draw(staging.folder, workspace, read, settings, analysis)
        staging.notes["fitted_on"] = "nothing"
    written = [f"{name}: {workspace.error_groups / name}" for name in ("tables", "galleries")]
    shown = [tables["table-4.1"], tables["table-4.2"], _recovered(analysis)]
    return Report([*_left_out(analysis), *remarks, *written], shown)


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    models = models_to_report(workspace, settings.models, settings.part, progress)
    with reading(read_for(workspace, models)):
        return _document(_analyse(workspace, models, settings.part, progress), models)


def _analyse(
    workspace: Workspace, models: Sequence[ModelProbs], part: Part, progress: Progress
) -> Analysis:
    labels = read_labels(workspace.split, part)
    if not len(labels):
        raise BadInputError(f"the {part} part has no ads; use another --part, or split again")
    baselines = _baselines(workspace)
    units = len(labels) * (len(baselines) + len(models))
    with progress.task(f"error groups of {part}", units, "ads") as task:

        def read(model: ModelProbs) -> AdResults:
            """Reads a model's results, and counts them as done."""
            found = ad_results(model.probs(part), labels, model.path(part))
            task.advance(len(labels), model.name)
            return found

        right = {modality: read(model) for modality, model in baselines.items()}
        correct = {modality: of_all.correct for modality, of_all in right.items()}
        groups = assign(correct, read_availabilities(workspace.split, part))
        found = {model.name: read(model).correct for model in models}
    best_first = sorted(found, key=lambda name: (-found[name].mean(), name))
    of_models = {name: recovered(groups, found[name]) for name in best_first}
    return Analysis(part, labels, right, groups, of_models)


def _left_out(analysis: Analysis) -> list[str]:
    """A line on the ads without a group, if there are any."""
    ads, grouped = len(analysis.groups), len(analysis.rows)
    if ads == grouped:
        return []
    return [f"the groups are of the {grouped:,} of {ads:,} ads that have both text and photo"]


def _baselines(workspace: Workspace) -> dict[str, ModelProbs]:
    """The classifiers of all modalities that there are."""
    models = {model.name: model for model in all_models(workspace)}
    modalities = read_modalities(workspace.split)
    for modality in modalities:
        if modality not in models:
            raise MissingArtifactError(
                f"{workspace.features.path} has no probabilities of the {modality} classifier; "
                f"make them: {workspace.features.command}"
            )
    return {modality: models[modality] for modality in modalities}


def _document(analysis: Analysis, models: Sequence[ModelProbs]) -> dict[str, Any]:
    return {
        "part": analysis.part,
        "ads": len(analysis.rows),
        "groups": count(analysis.groups),
        "models": [
            {"model": model.name, "recovered": dict(analysis.recovered[model.name])}
            for model in models
        ],
    }


def _tables(
    analysis: Analysis, models: Sequence[ModelProbs], categories: Sequence[str]
) -> dict[str, Table]:
    """The tables by the names of their files."""
    part, groups = analysis.part, analysis.groups
    kinds = {model.name: kind_of(model) for model in models}
    by_approach: dict[Approach, dict[str, Mapping[str, int]]] = {}
    for name, found in analysis.recovered.items():
        if kinds[name].fraction == 1:
            by_approach.setdefault(kinds[name].approach, {})[name] = found
    return {
        "table-4.1": agreement_table(part, count(groups)),
        "table-4.2": misclassified_table(part, groups, analysis.labels, categories),
        **recovered_tables(part, by_approach, groups),
    }


def _recovered(analysis: Analysis) -> Table:
    """Every model in one table, narrow enough for a terminal."""
    title = f"Recovered: ads of each error group that a model gets right, {analysis.part} part"
    table = recovered_table(title, analysis.recovered, count(analysis.groups))
    incorrect = ("both" if len(WRONG[group]) > 1 else WRONG[group][0] for group in ERROR_GROUPS)
    pairs = [(Column(f"{who}\nincorrect", "{:,}"), percent("share")) for who in incorrect]
    return dataclasses.replace(table, columns=[table.columns[0], *itertools.chain(*pairs)])


def _write_groups(path: Path, workspace: Workspace, analysis: Analysis) -> None:
    """Writes the group of each ad that has one and what the baselines predict, by batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = read_categories(workspace.split)
    words = ("id", "category", "group", "text_prediction", "image_prediction")
    confidences = [(f"{modality}_confidence", pa.float32()) for modality in MODALITIES]
    schema = pa.schema([("row", pa.int64()), *((w, pa.string()) for w in words), *confidences])
    start, own = 0, ["row", "id", "category"]
    with pq.ParquetWriter(path, schema) as file:
        for chunk in iterate_ads(workspace.split, analysis.part, own, having=MODALITIES):
            rows = analysis.rows[start : start + chunk.num_rows]
            columns = chunk.to_pydict()
            columns["group"] = [GROUPS[group] for group in analysis.groups[rows]]
            for modality, found in analysis.baselines.items():
                columns[f"{modality}_prediction"] = [names[c] for c in found.predicted[rows]]
                columns[f"{modality}_confidence"] = found.confidence[rows]
            file.write_table(pa.table(columns, schema))
            start += chunk.num_rows


def _draw(
    folder: Path, workspace: Workspace, read: ReadShown, settings: Settings, analysis: Analysis
) -> list[str]:
    """Draws a gallery and a figure of each error group; returns a remark for one without ads."""
    for name in ("galleries", "figures"):
        (folder / name).mkdir()
    labels, size = analysis.labels, min(settings.sample, len(analysis.rows))
    if not size:
        return []
    names, classifiers = read_categories(workspace.split), _baselines(workspace)
    seed = settings.seed
    drawn = draw(analysis.groups, labels, seed, size, settings.categories, settings.ads)
    remarks: list[str] = []
    for group, categories in drawn.items():
        probs = {modality: classifiers[modality].probs(settings.part) for modality in WRONG[group]}
        rows = illustrate(analysis.groups, group, _is_near(analysis, group), ILLUSTRATING, seed)
        if rows:
            _draw_figure(folder / "figures", group, rows, read_examples(read, names, rows, probs))
        if not categories:
            remarks.append(f"no gallery of {in_words(group)!r}: no such ad among {size:,} drawn")
            continue
        heading = f"{in_words(group)}: the categories with the most such ads among {size:,} drawn"
        examples = drawn_examples(read, names, categories, probs)
        gallery(folder / "galleries" / f"{group}.png", heading, examples)
    return remarks


def _is_near(analysis: Analysis, group: str) -> NDArray[np.bool_]:
    """Whether the classifiers that err in a group nearly had the true category: [n]."""
    ranks = [analysis.baselines[modality].rank for modality in WRONG[group]]
    return np.max(ranks, axis=0) < PREDICTIONS


def _draw_figure(
    folder: Path, group: str, rows: Sequence[int], examples: Mapping[int, Example]
) -> None:
    """Draws figure 4.3, 4.4 or 4.5."""
    for form in ("png", "svg"):
        path = folder / f"figure-{FIGURES[group]}.{form}"
        gallery(path, in_words(group), [("", [examples[row] for row in rows])])
