"""Runs both classifiers over every ad: vectors and probabilities, one pass per modality."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from adcat.data.text_cleaning import Cleaning, clean
from adcat.errors import AdcatError, BadInputError
from adcat.files import link_or_copy
from adcat.image import extraction
from adcat.image.extraction import Extractor
from adcat.progress import Progress
from adcat.settings import option
from adcat.tables import Column, Report, Table
from adcat.text import registry
from adcat.text.registry import TextModel, cleaning_of
from adcat.types import MODALITIES, PARTS, Modality, Part, Probs, Vectors, have
from adcat.workspace.ads import (
    image_paths,
    iterate_ads,
    read_availabilities,
    read_categories,
    read_modalities,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import TUNED_ON
from adcat.workspace.resumable_arrays import fill
from adcat.workspace.staging import Staging

TEXT = ("title", "description")
Batches: TypeAlias = Iterator[tuple[Vectors, Probs]]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which modalities, and how many photos at a time."""

    modality: Literal["text", "image", "both"] = option("both", "Classifiers to run.")
    batch_size: int = option(32, "Photos in memory at a time.", low=1, high=1024)


def extract_features(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Run both classifiers over every ad.

    Writes each classifier's vectors (its last hidden layer) and probabilities of the ads of every
    part. Results of an earlier run with the same classifier are kept, so a new text model does not
    cost another pass over the photos. Run an interrupted command again to resume it.
    """
    workspace.split.check()
    kept: list[Modality] = [m for m in MODALITIES if _is_current(workspace, m)]
    made: list[Modality] = [
        modality
        for modality in read_modalities(workspace.split)
        if modality in kept or settings.modality in (modality, "both")
    ]
    if not made:
        raise BadInputError(
            f"no ad has what --modality {settings.modality} needs; leave the option out"
        )
    settings = dataclasses.replace(settings, modality="both" if len(made) == 2 else made[0])
    inputs = [workspace.split, *(_classifier(workspace, modality) for modality in made)]
    with workspace.features.write(settings, inputs, resume=True) as staging:
        for modality in made:
            if modality in kept:
                _keep(workspace.features, staging, modality)
            else:
                _extract(workspace, staging, modality, settings.batch_size, progress)
            notes = _classifier(workspace, modality).manifest().notes
            staging.notes[f"{modality}_steered_by"] = notes.get(TUNED_ON)
        staging.notes["fitted_on"] = "nothing"
    return _report(workspace, made, kept)


def _classifier(workspace: Workspace, modality: Modality) -> Artifact:
    return {"text": workspace.text_model, "image": workspace.image_model}[modality]


def _files(modality: Modality) -> list[str]:
    return [f"{part}/{modality}_{kind}.npy" for part in PARTS for kind in ("vectors", "probs")]


def _is_current(workspace: Workspace, modality: Modality) -> bool:
    """Whether this modality's arrays are there and current."""
    try:
        manifest = workspace.features.manifest()
        sources = [workspace.split, _classifier(workspace, modality)]
        same = all(manifest.inputs.get(s.name) == s.check().digest for s in sources)
    except AdcatError:
        return False
    return same and workspace.features.is_intact(manifest, _files(modality))


def _keep(features: Artifact, staging: Staging, modality: Modality) -> None:
    for file in _files(modality):
        target = staging.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(features / file, target)


def _extract(
    workspace: Workspace, staging: Staging, modality: Modality, batch_size: int, progress: Progress
) -> None:
    """Fills this modality's arrays of every part, resuming an earlier run."""
    text = functools.partial(_text_batches, cleaning=cleaning_of(workspace.text_model.path))
    batches = {"text": text, "image": _image_batches}[modality]
    model = _load(workspace, modality)
    columns = {"vectors": model.dimension, "probs": len(read_categories(workspace.split))}
    for part in PARTS:

        def remaining(done: int, part: Part = part) -> Batches:
            return batches(workspace.split, part, model, done, batch_size)

        there = have(read_availabilities(workspace.split, part), [modality])
        folder, count = staging.folder / part, staging.checkpoints / f"{part}-{modality}.rows"
        files = {folder / f"{modality}_{kind}.npy": columns[kind] for kind in ("vectors", "probs")}
        title = f"{modality} features, {part}"
        fill(files, there, count, remaining, progress, title, _UNITS[modality])


_UNITS = {"text": "ads", "image": "images"}


def _load(workspace: Workspace, modality: Modality) -> TextModel | Extractor:
    names = read_categories(workspace.split)
    if modality == "text":
        return registry.load(workspace.text_model.path, names)
    return extraction.load(workspace.image_model.path, len(names))


def _text_batches(
    split: Artifact,
    part: Part,
    model: TextModel,
    done: int,
    batch_size: int,
    cleaning: Cleaning,
) -> Batches:
    del batch_size  # texts are small: the reader's own batches serve
    for chunk in iterate_ads(split, part, TEXT, skip=done, having=["text"]):
        pairs = zip(chunk["title"].to_pylist(), chunk["description"].to_pylist(), strict=True)
        yield model.features([clean(title, text, cleaning) for title, text in pairs])


def _image_batches(
    split: Artifact, part: Part, model: Extractor, done: int, batch_size: int
) -> Batches:
    return extraction.stream_features(model, image_paths(split, part, ["image"])[done:], batch_size)


def _report(workspace: Workspace, made: Sequence[Modality], kept: Sequence[Modality]) -> Report:
    features = Features(workspace.features)
    availabilities = {part: read_availabilities(workspace.split, part) for part in PARTS}
    rows = [
        (
            part,
            modality,
            int(have(availabilities[part], [modality]).sum()),
            features.vectors(part, modality).shape[1],
        )
        for part in PARTS
        for modality in made
    ]
    columns = [Column("part"), Column("modality"), Column("ads", "{:,}"), Column("vector length")]
    lines = [f"{modality}: kept from an earlier run with the same classifier" for modality in kept]
    return Report(lines, [Table("Features", columns, rows)])
