"""What a classifier of any kind makes of the ads of a part, as a stream."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from adcat import heads
from adcat.image import classifier as images
from adcat.image import extraction
from adcat.image.backbones import VECTORS
from adcat.image.classifier import ImageModel
from adcat.image.engines import CHECKED, EngineOptions, choose
from adcat.image.extraction import Extractor
from adcat.image.frozen import stream_stored
from adcat.image.inference import Engine
from adcat.progress import Progress
from adcat.text import registry
from adcat.types import Part, Probs, TextLayer, Vectors
from adcat.workspace.ads import image_paths, iterate_ads, read_categories
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Classifier
from adcat.workspace.manifest import ENGINE, FROZEN
from adcat.workspace.photos import vectors_folder
from adcat.workspace.staging import Staging

TEXT = ("title", "description")
Batches: TypeAlias = Iterator[tuple[Vectors, Probs]]


class Stream(NamedTuple):
    """Vectors and probabilities of the ads of a part that a classifier can read."""

    dimension: int  # of a vector
    batches: Callable[[Part, int], Batches]  # called with the number of ads to pass over


def open_stream(
    classifier: Classifier,
    split: Artifact,
    layer: str,
    options: EngineOptions,
    batch_size: int,
    staging: Staging,
    progress: Progress,
) -> Stream:
    """Reads a classifier.

    Args:
      classifier: which one.
      split: the ads.
      layer: whose outputs are the vectors.
      options: what runs an image network.
      batch_size: photos in memory at a time.
      staging: whose notes say what ran it.
      progress: counts the photos that are read, and is told which engine is not used.

    Raises:
      BadInputError: it is none of these categories, or lacks the layer.
    """
    names = read_categories(split)
    if classifier.reads_vectors:
        head = heads.load(classifier, len(names))
        return Stream(head.dimension, lambda part, done: head.stream(split, part, done))
    if classifier.modality == "image":
        network = open_network(classifier, split, layer, options, batch_size, staging, progress)
        return Stream(network.model.dimension, network.stream)
    return _texts(classifier, split, names, cast(TextLayer, layer))


@dataclasses.dataclass(frozen=True)
class Network:
    """An image classifier that reads photos."""

    model: ImageModel
    engine: Engine  # runs it
    frozen: str  # NETWORK/FILE: where what it makes of the training photos is kept, if it is
    split: Artifact
    batch_size: int
    progress: Progress

    def stream(self, part: Part, done: int) -> Batches:
        """Vectors and probabilities of the photos of a part but the first `done`."""
        paths, size = image_paths(self.split, part, ["image"]), self.batch_size
        if not self.frozen:
            return extraction.stream_features(self._extractor, paths, size, done)
        file = self.kept(part)
        return stream_stored(self.model, self.engine, paths, file, size, self.progress, done)

    @functools.cached_property
    def _extractor(self) -> Extractor:
        return extraction.extractor(self.model, self.engine)

    def kept(self, part: Part) -> Path:
        """Where the vectors are kept that a network that was left as it is makes of a part."""
        network, _, of_training = self.frozen.partition("/")
        folder = vectors_folder(self.split, f"{network}-{self.engine}")
        is_there = part == "train" and (folder / of_training).exists()
        return folder / (of_training if is_there else f"{part}.{VECTORS}")


def open_network(
    classifier: Classifier,
    split: Artifact,
    layer: str,
    options: EngineOptions,
    batch_size: int,
    staging: Staging,
    progress: Progress,
) -> Network:
    """Reads a classifier that `reads_photos`; the arguments are those of `open_stream`."""
    model = images.load(classifier.model.path, len(read_categories(split))).at(layer)
    frozen = classifier.model.manifest().notes.get(FROZEN, "")
    layers = [VECTORS] if frozen and layer == VECTORS else model.outputs
    photos = lambda: model.read_all(image_paths(split, "train", ["image"])[:CHECKED])  # noqa: E731
    engine = choose(options, model.network, layers, photos, split.root, progress)
    staging.notes[ENGINE] = str(engine)
    return Network(model, engine, frozen, split, batch_size, progress)


def _texts(
    classifier: Classifier, split: Artifact, names: Sequence[str], layer: TextLayer
) -> Stream:
    folder = classifier.model.path
    model, reading = registry.load(folder, names, layer), registry.reading_of(folder)

    def batches(part: Part, done: int) -> Batches:
        for chunk in iterate_ads(split, part, TEXT, skip=done, having=["text"]):
            pairs = zip(chunk["title"].to_pylist(), chunk["description"].to_pylist(), strict=True)
            yield model.features([reading.text(*both) for both in pairs])

    return Stream(model.dimension, batches)
