"""What an image network makes of photos, each share of them in a process of its own.

A shard holds the outputs of the layers that features are made of, one file each. Of a network that
was left as it is these are vectors: its last layer, whose outputs are rounded by whole blocks of
ads, is run where the shards are merged.
"""

import contextlib
import dataclasses
import functools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.errors import AdcatError, BadInputError, StaleArtifactError
from adcat.files import open_array
from adcat.image import classifier as images
from adcat.image.classifier import PROBABILITIES
from adcat.image.engines import EngineOptions
from adcat.image.extraction import appended_rows, run
from adcat.image.frozen import BLOCK
from adcat.image.inference import Forward, compiled
from adcat.image.last_layer import LastLayer
from adcat.prediction.streams import Batches, Network, Stream, open_network
from adcat.progress import Progress
from adcat.settings import flag
from adcat.types import PARTS, VECTORS, Part, Vectors, have
from adcat.workspace import command_lines
from adcat.workspace.ads import image_paths, photos_of, read_availabilities, read_categories
from adcat.workspace.artifact import Artifact, reading
from adcat.workspace.layout import Classifier
from adcat.workspace.manifest import ENGINE, FROZEN, Manifest, versions
from adcat.workspace.photos import Among, reading_photos
from adcat.workspace.resumable_arrays import Batch, fill
from adcat.workspace.shards import Shard, all_of, difference, shards_in
from adcat.workspace.staging import Staging

ENGINE_SETTINGS = [field.name for field in dataclasses.fields(EngineOptions)]


def write(
    classifier: Classifier,
    split: Artifact,
    settings: Mapping[str, Any],
    options: EngineOptions,
    shard: Shard,
    progress: Progress,
) -> str:
    """Runs a network over a share of the photos, unless that is done; returns what to tell.

    Args:
      classifier: one that `reads_photos`.
      split: the ads.
      settings: `batch_size`, `image_layer` and those of the engine.
      options: what runs the network.
      shard: which share.
      progress: counts the photos.
    """
    target, recorded = classifier.shard(shard), {**settings, "shard": str(shard)}
    if _is_done(target, recorded):
        return f"{target.path} is up to date"
    layer, size = settings["image_layer"], settings["batch_size"]
    with target.write(recorded, [split, classifier.model], resume=True) as staging:
        network = open_network(classifier, split, layer, options, size, staging, progress)
        of_frozen = [[name] for name in dict.fromkeys((layer, VECTORS))]
        among = photos_of(split, shard.rows)
        with reading_photos(split, staging, among):
            for layers in of_frozen if network.frozen else [[layer, PROBABILITIES]]:
                _Pass(network, layers).fill(shard, among, staging, f"{classifier.name} {shard}")
    return f"{classifier.name} {shard}: {target.path}"


def _is_done(target: Artifact, recorded: Mapping[str, Any]) -> bool:
    with contextlib.suppress(AdcatError):
        found = target.check()
        return found.settings == recorded and found.record.get("packages") == versions()
    return False


@dataclasses.dataclass(frozen=True)
class _Pass:
    """The outputs of layers that one pass over photos gives."""

    network: Network
    layers: Sequence[str]

    @functools.cached_property
    def _columns(self) -> list[int]:
        model = self.network.model.network
        return [model.get_layer(name).output.shape[-1] for name in self.layers]

    @functools.cached_property
    def _forward(self) -> Forward:
        return compiled(self.network.model.network, *self.layers, engine=self.network.engine)

    def fill(self, shard: Shard, among: Among, staging: Staging, title: str) -> None:
        """Fills the arrays of a shard, from where an interrupted run stopped."""
        for part in PARTS:
            paths = image_paths(self.network.split, part, ["image"], among)
            rows = shard.rows(len(paths))
            names = (staging.folder / part / f"{layer}.npy" for layer in self.layers)
            fill(
                dict(zip(names, self._columns, strict=True)),
                np.ones(len(rows), bool),
                staging.checkpoints / f"{part}-{self.layers[0]}.rows",
                functools.partial(self._outputs, part, paths, rows),
                self.network.progress,
                f"{title}, {part}",
                "images",
            )

    def _outputs(self, part: Part, paths: Sequence[str], rows: range, done: int) -> Iterator[Batch]:
        """What is kept of the photos of these rows but the first `done`, else what is made."""
        network, left = self.network, rows[done:]
        if network.frozen:
            file = network.kept(part).with_suffix(f".{self.layers[0]}")
            kept = appended_rows(file, self._columns[0])
            if rows.stop <= len(kept):
                return ([kept[i : min(i + BLOCK, rows.stop)]] for i in left[::BLOCK])
        read: Callable[[int], Images] = lambda k: network.model.read(paths[k])  # noqa: E731
        return run(self._forward, read, left, len(paths), network.batch_size)


@dataclasses.dataclass(frozen=True, slots=True)
class Shards:
    """All shards of a classifier."""

    classifier: Classifier
    folders: Sequence[Artifact]
    manifest: Manifest  # of the first; the others say the same

    @property
    def engine(self) -> Mapping[str, Any]:
        """The settings of what ran the network."""
        return {name: self.manifest.settings.get(name) for name in ENGINE_SETTINGS}

    def open_stream(self, split: Artifact, staging: Staging) -> Stream:
        """Opens what `streams.open_stream` would without them."""
        staging.notes[ENGINE] = self.manifest.notes.get(ENGINE)
        staging.record["shards"] = len(self.folders)
        layer, folder = self.manifest.settings["image_layer"], self.classifier.model.path
        model = images.load(folder, len(read_categories(split))).at(layer)
        last_layer = LastLayer(*model.last_layer.get_weights())
        is_frozen = FROZEN in self.classifier.model.manifest().notes

        def read(part: Part, layer: str, rows: range, count: int) -> NDArray[np.float32]:
            """Reads rows of all photos of a part from the shards that hold them."""
            columns, found = model.network.get_layer(layer).output.shape[-1], list[Vectors]()
            for number, folder in enumerate(self.folders, 1):
                held = Shard(number, len(self.folders)).rows(count)
                if held.start < rows.stop and rows.start < held.stop:
                    array = open_array(folder / f"{part}/{layer}.npy", len(held), columns)
                    found.append(array[max(rows.start - held.start, 0) : rows.stop - held.start])
            return np.concatenate(found)

        def batches(part: Part, done: int) -> Batches:
            """The rows of all shards, in the blocks of a single process."""
            count = int(have(read_availabilities(split, part), ["image"]).sum())
            for start in range(done, count, BLOCK):
                rows = range(start, min(start + BLOCK, count))
                vectors = read(part, layer, rows, count)
                if is_frozen:
                    yield vectors, last_layer.probs(read(part, VECTORS, rows, count))
                else:
                    yield vectors, read(part, PROBABILITIES, rows, count)

        return Stream(model.dimension, batches)


@contextlib.contextmanager
def merging(
    classifier: Classifier, settings: Mapping[str, Any], options: EngineOptions
) -> Iterator[Shards]:
    """Checks the shards of a classifier, and keeps them from being replaced within the block.

    Args:
      classifier: one that `reads_photos`.
      settings: as in `write`.
      options: what is to have run the network.

    Raises:
      MissingArtifactError: one is missing.
      StaleArtifactError: one was edited, is of another model or split, or differs from the first.
      BadInputError: there are none, or they were made with other settings.
    """
    command, where = classifier.features.command, classifier.shards
    wanted = all_of(shards_in(where), where, f"{command} --shard 1/N, and so on to N/N")
    folders = [classifier.shard(shard) for shard in wanted]
    with reading(folders) as manifests:
        first = manifests[folders[0].name]
        for folder, shard in zip(folders, wanted, strict=True):
            found = manifests[folder.name]
            again = command_lines.like(found.record, folder.root, folder.name)
            if found.settings.get("shard") != str(shard):
                raise StaleArtifactError(f"{folder.path} is not shard {shard}; type: {again}")
            if other := difference(found, first):
                raise StaleArtifactError(
                    f"{folder.path} was made with {other} as {folders[0].path}; make one of them "
                    f"again: {again}"
                )
        _check_settings(where, first, settings, options)
        yield Shards(classifier, folders, first)


def remove(classifier: Classifier) -> None:
    """Removes the shards of a classifier, finished or not, once its features are there."""
    for shard in classifier.found_shards():
        classifier.shard(shard).staging_area.discard()
    shutil.rmtree(classifier.shards, ignore_errors=True)
    with contextlib.suppress(OSError):  # those of another classifier may be there
        classifier.shards.parent.rmdir()


def _check_settings(
    where: object, first: Manifest, settings: Mapping[str, Any], options: EngineOptions
) -> None:
    """Refuses shards of other settings than a merge has; it may have left the engine open."""
    asked = {name: settings[name] for name in ("batch_size", "image_layer")}
    asked |= {name: getattr(options, name) for name in ENGINE_SETTINGS}
    is_open = options.takes(first.notes.get(ENGINE, ""))
    for name, value in asked.items():
        made_with = first.settings.get(name)
        if made_with != value and not (is_open and name in ENGINE_SETTINGS):
            raise BadInputError(
                f"the shards in {where} were made with {flag(name)} {made_with}, not {value}; give "
                "--merge the same options"
            )
