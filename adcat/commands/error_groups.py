"""Groups the ads by which baseline is right, and shows what each model recovers."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adcat import thesis
from adcat.causes import (
    causes_table,
    count_causes,
    data_dependent,
    meanings,
    read_causes,
    write_annotations,
)
from adcat.choosing import kind_of
from adcat.errors import BadInputError, MissingArtifactError
from adcat.evaluation.error_groups import (
    ADS,
    CATEGORIES,
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
from adcat.files import sha256, write_json
from adcat.progress import Progress
from adcat.report.example_ads import Examples
from adcat.report.recovery import in_short, recovered_tables
from adcat.settings import models_argument, option, seed_option
from adcat.tables import Report, Table, write_table
from adcat.types import MODALITIES, Labels, Part
from adcat.workspace.ads import (
    iterate_ads,
    read_availabilities,
    read_categories,
    read_labels,
    read_modalities,
)
from adcat.workspace.artifact import reading
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, all_models, models_to_report, read_for
from adcat.workspace.shown_ads import reading_shown


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are looked at on which ads, and what the galleries show."""

    published: ClassVar = thesis.settings("error-groups")
    needs: ClassVar = {"annotate_ads": "annotate"}

    models: list[str] = models_argument("analyse")
    part: Part = option("test", "Part to analyse; train is for text and image only.")
    sample: int = option(SAMPLE, "Ads drawn at random for the galleries.", low=1, panel="Galleries")
    categories: int = option(
        CATEGORIES, "Categories per gallery.", low=1, high=50, panel="Galleries"
    )
    ads: int = option(ADS, "Ads per category.", low=1, high=20, panel="Galleries")
    annotate: Path | None = option(
        None,
        "CSV file of misclassified ads with a column for the cause that you see: written where "
        "there is none of this name, else read and counted.",
        panel="Causes",
        dry_run="",  # nothing outside the workspace is written or looked for
    )
    annotate_ads: int = option(50, "Ads of each error group in it.", low=1, panel="Causes")
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True, slots=True)
class Analysis:
    """What the baselines say of each ad of a part, and what each model gets right."""

    part: Part
    labels: Labels  # [n]
    baselines: Mapping[str, AdResults]  # by modality
    groups: Groups  # [n]
    recovered: Mapping[str, Mapping[str, int]]  # model, best first -> error group -> ads
    causes: Mapping[int, str] | None  # of errors that somebody looked at, by row, if anybody did

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

    With --annotate FILE.csv it also draws misclassified ads for you to look at. Write into the
    column `cause` why each is one, in the words that are listed then, and run the same command
    again: it counts the causes by error group, and draws ads whose cause lies in the data.
    """
    file, split, part = settings.annotate, workspace.split, settings.part
    models = models_to_report(workspace, settings.models, part, progress)
    settings = dataclasses.replace(settings, models=[model.name for model in models])
    annotated = file if file and file.exists() else None
    recorded = dataclasses.replace(settings, annotate=annotated and Path(annotated.name))
    with workspace.error_groups.write(recorded, read_for(workspace, models)) as staging:
        analysis = _analyse(workspace, models, settings, progress)
        write_json(staging.folder / "summary.json", _document(analysis, models))
        _write_groups(staging.folder / "groups.parquet", workspace, analysis)
        tables = _tables(analysis, models, read_categories(split))
        (staging.folder / "tables").mkdir()
        for name, table in tables.items():
            write_table(staging.folder / "tables", name, table)
        with reading_shown(split, part, progress) as read:
            probs = {name: model.probs(part) for name, model in _baselines(workspace).items()}
            examples = Examples(staging.folder, read, read_categories(split), probs)
            remarks = _draw(examples, settings, analysis)
        staging.notes["fitted_on"] = "nothing"
        if annotated:
            staging.notes["annotate_sha256"] = sha256(annotated)
        elif file:
            drawn = settings.annotate_ads, settings.seed
            write_annotations(file, split, part, analysis.groups, analysis.baselines, *drawn)
    shown = [tables["table-4.1"], tables["table-4.2"]]
    title = f"Recovered: ads of each error group that a model gets right, {part} part"
    shown.append(in_short(recovered_table(title, analysis.recovered, count(analysis.groups))))
    written = [f"{name}: {workspace.error_groups / name}" for name in ("tables", "galleries")]
    if annotated:
        shown.append(in_short(tables["causes"]))
    elif file:
        shown.append(meanings())
        written.append(f"{file}: write the causes into its last column and type this again")
    return Report([*_left_out(analysis), *remarks, *written], shown)


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    models = models_to_report(workspace, settings.models, settings.part, progress)
    with reading(read_for(workspace, models)):
        return _document(_analyse(workspace, models, settings, progress), models)


def _analyse(
    workspace: Workspace, models: Sequence[ModelProbs], settings: Settings, progress: Progress
) -> Analysis:
    part = settings.part
    causes = read_causes(settings.annotate, workspace.split, part)
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
    return Analysis(part, labels, right, groups, of_models, causes)


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
    causes = analysis.causes
    return {
        "part": analysis.part,
        "ads": len(analysis.rows),
        "groups": count(analysis.groups),
        "models": [
            {"model": model.name, "recovered": dict(analysis.recovered[model.name])}
            for model in models
        ],
        **({} if causes is None else {"causes": count_causes(analysis.groups, causes)}),
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
    causes = analysis.causes
    return {
        **({} if causes is None else {"causes": causes_table(part, groups, causes)}),
        "table-4.1": agreement_table(part, count(groups)),
        "table-4.2": misclassified_table(part, groups, analysis.labels, categories),
        **recovered_tables(part, by_approach, groups),
    }


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


def _draw(examples: Examples, settings: Settings, analysis: Analysis) -> list[str]:
    """Draws a gallery and the figures; returns a remark for an error group without ads."""
    for name in ("galleries", "figures"):
        (examples.folder / name).mkdir()
    labels, size = analysis.labels, min(settings.sample, len(analysis.rows))
    if not size:
        return []
    causes = analysis.causes or {}
    if rows := data_dependent(analysis.groups, causes):
        heading = f"data-dependent errors: {', '.join(causes[row] for row in rows)}"
        examples.figure("4.2", heading, rows, MODALITIES)
    seed = settings.seed
    drawn = draw(analysis.groups, labels, seed, size, settings.categories, settings.ads)
    remarks: list[str] = []
    for group, categories in drawn.items():
        is_near = _is_near(analysis, group)
        if rows := illustrate(analysis.groups, group, is_near, ILLUSTRATING, seed):
            examples.figure(FIGURES[group], in_words(group), rows, WRONG[group])
        if not categories:
            remarks.append(f"no gallery of {in_words(group)!r}: no such ad among {size:,} drawn")
            continue
        heading = f"{in_words(group)}: the categories with the most such ads among {size:,} drawn"
        examples.gallery(group, heading, categories, WRONG[group])
    return remarks


def _is_near(analysis: Analysis, group: str) -> NDArray[np.bool_]:
    """Whether the classifiers that err in a group nearly had the true category: [n]."""
    ranks = [analysis.baselines[modality].rank for modality in WRONG[group]]
    return np.max(ranks, axis=0) < PREDICTIONS
