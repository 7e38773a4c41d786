"""The classifiers of a workspace, each read when it is first needed."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from adcat.errors import AGAIN, BadInputError
from adcat.image import classifier as images
from adcat.image.classifier import ImageModel
from adcat.image.engines import EngineOptions, choose, drawn_photos
from adcat.image.extraction import extractor
from adcat.image.inference import Engine, Forward
from adcat.prediction.predictor import once
from adcat.progress import Progress
from adcat.text import registry as texts
from adcat.types import Modality, TextLayer
from adcat.workspace.ads import read_categories
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features
from adcat.workspace.layout import Classifier, Workspace

EngineOf: TypeAlias = Callable[[ImageModel], Engine]


def classifiers(
    workspace: Workspace, modality: Modality, check: Callable[[Artifact], Path]
) -> dict[str, Callable[[], Any]]:
    """What reads each classifier of a modality, by what the names of its arrays end in.

    Args:
      workspace: holds them.
      modality: theirs.
      check: where a classifier lies, if it is as it should be.
    """
    named = [c for c in workspace.named_classifiers() if c.modality == modality]
    there = [c for c in (workspace.classifier(modality), *named) if not c.reads_vectors]
    return {
        c.array("probs").removeprefix(f"{modality}_probs"): once(
            lambda c=c: _fitting(c, check(c.model), workspace)
        )
        for c in there
    }


def engine_on_drawn_photos(
    options: EngineOptions, root: Path | None, progress: Progress
) -> EngineOf:
    """What chooses an image classifier's engine before there is any photo of the ads.

    Args:
      options: what is asked for.
      root: the workspace, which remembers what was found; None for none.
      progress: is told which engine is not used.
    """

    def choose_engine(model: ImageModel) -> Engine:
        photos = functools.partial(drawn_photos, model.side)
        return choose(options, model.network, model.outputs, photos, root, progress)

    return choose_engine


def forwards(
    images: Mapping[str, Callable[[], ImageModel]], engine_of: EngineOf
) -> dict[str, Callable[[], Forward]]:
    """What runs each image classifier, compiled when it is first needed."""

    def forward(image: ImageModel) -> Forward:
        return extractor(image, engine_of(image)).forward

    return {of: once(lambda i=image: forward(i())) for of, image in images.items()}


def classifier_at(folder: Path, modality: Modality, names: Sequence[str], layer: str) -> Any:
    """Reads a text or an image classifier of these categories, with the vectors of this layer."""
    if modality == "text":
        return texts.load(folder, names, cast(TextLayer, layer))
    return images.load(folder, len(names)).at(layer)


def _fitting(classifier: Classifier, folder: Path, workspace: Workspace) -> Any:
    """A classifier whose categories and vectors are those that were extracted.

    One of texts comes with what it reads of an ad.

    Raises:
      BadInputError: they are others.
    """
    names, modality = read_categories(workspace.split), classifier.modality
    features = Features(classifier.features)
    columns = features.columns() if features.artifact.exists() else {}
    model = classifier_at(folder, modality, names, features.layer(modality))
    length = columns.get(f"{modality}_vectors", model.dimension)
    if model.dimension != length:
        raise BadInputError(
            f"{folder} gives vectors of length {model.dimension}, extracted were {length}; {AGAIN}"
        )
    return (model, texts.reading_of(folder)) if modality == "text" else model
