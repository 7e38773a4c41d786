"""Exports a model into a folder, for serving elsewhere."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adcat.choosing import chosen_model, kind_of
from adcat.errors import BadInputError
from adcat.evaluation.measuring import measure_models
from adcat.prediction.export_folder import Runtime, largest_difference, load
from adcat.prediction.export_folder import export as write_export
from adcat.prediction.new_ads import Ad
from adcat.progress import Progress
from adcat.report.model_card import model_card
from adcat.settings import argument, model_option
from adcat.tables import Column, Report, Table
from adcat.types import MODALITIES, have
from adcat.workspace.ads import read_ads, read_availabilities, read_split
from adcat.workspace.artifact import Artifact, reading
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import TUNED_ON
from adcat.workspace.models import ModelProbs, read_for, with_baselines
from adcat.workspace.photos import check_photos, images_folder

CHECKED = 50  # ads
LARGEST_DIFFERENCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model, and where to."""

    folder: Path = argument("Folder to create.")
    model: str = model_option("export")


def export(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Export a model for serving elsewhere.

    The folder holds only what serving needs: the text model, the image network in ONNX and Keras
    formats, the fusion, the categories and the preprocessing, and a README that says how to use
    it and what to expect. `adcat predict --exported` reads it. Both formats are checked on test
    ads: the export fails if a probability differs by more than 0.0001 from the workspace's.
    """
    if settings.folder.exists():
        raise BadInputError(f"{settings.folder} already exists; name another folder")
    model = chosen_model(workspace, settings.model, progress)
    classifiers = [Artifact(workspace.root, name) for name in workspace.features.check().inputs]
    staging = settings.folder.with_name(f".{settings.folder.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        with reading([*read_for(workspace, [model]), *classifiers]):
            serving = write_export(workspace, model, staging)
            lines = _check(workspace, model, staging)
            card = _card(workspace, model, serving, progress)
            (staging / "README.md").write_text(card, encoding="utf-8")
        staging.rename(settings.folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Report([*lines, f"{model.name}: {settings.folder}"])


def _card(
    workspace: Workspace, model: ModelProbs, serving: Mapping[str, Any], progress: Progress
) -> str:
    """The folder's README."""
    kinds, sources = {model.name: kind_of(model)}, with_baselines(workspace, [model])
    evaluation = measure_models(read_split(workspace.split), "test", kinds, sources, progress)
    parts = {
        f"{name} classifier": Artifact(workspace.root, f"train-{name}")
        for name in serving["preprocessing"]
    }
    weights = {
        part: Path(start).name
        for part, artifact in parts.items()
        for setting in ("weights", "pretrained_vectors")
        if (start := artifact.manifest().settings.get(setting))
    }
    if not model.is_baseline:
        parts[model.name] = model.artifact
    noted = [(part, artifact.manifest().notes) for part, artifact in parts.items()]
    fitted = Table(
        "What was fitted on what",
        [Column("part of the model"), Column("fitted on"), Column("stopped or tuned on")],
        [[part, notes.get("fitted_on"), notes.get(TUNED_ON)] for part, notes in noted],
    )
    return model_card(evaluation, serving, fitted, weights)


def _check(workspace: Workspace, model: ModelProbs, folder: Path) -> list[str]:
    """Compares the exported model with the workspace on test ads.

    Raises:
      BadInputError: a probability differs too much.
      StaleArtifactError: photos changed or are gone.
    """
    exported = load(folder)
    reads = exported.model.modalities
    runtimes: list[Runtime] = ["keras"]
    if "image" in reads & exported.modalities:
        check_photos(workspace.split)
        runtimes.insert(0, "onnx")
    readable = have(read_availabilities(workspace.split, "test"), reads)
    # Of the others a model of one modality has the prior stored, and asks the other classifier.
    rows = np.flatnonzero(readable | (len(reads) == len(MODALITIES)))[:CHECKED]
    expected = np.asarray(model.probs("test")[rows])
    columns = ["id", "title", "description", "image"]
    found = read_ads(workspace.split, "test", columns, rows.tolist())
    ads = [
        Ad(row, ad["id"], ad["title"], ad["description"], ad["image"])
        for row, ad in enumerate(found, 1)
    ]
    images = images_folder(workspace.split)
    lines = []
    for runtime in runtimes:
        difference = largest_difference(load(folder, runtime), ads, images, expected)
        if not difference <= LARGEST_DIFFERENCE:  # NaN is refused, too
            raise BadInputError(
                f"the exported {model.name} ({runtime}) differs by {difference:.2g} from the "
                f"workspace's on {len(ads)} test ads; expected {LARGEST_DIFFERENCE:g} at most"
            )
        lines.append(f"{runtime}: largest difference {difference:.2g} on {len(ads)} test ads")
    return lines
