"""Runs both classifiers over every ad: vectors and probabilities, one pass per modality."""

import contextlib
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from adcat import heads, thesis
from adcat.errors import AdcatError, BadInputError
from adcat.image.engines import EngineOptions
from adcat.prediction import feature_shards
from adcat.prediction.feature_arrays import files, keep, write
from adcat.prediction.feature_shards import Shards
from adcat.prediction.streams import open_stream
from adcat.progress import Progress
from adcat.settings import classifier_name, folds_option, option, seed_option
from adcat.tables import Cell, Column, Report, Table
from adcat.types import MODALITIES, PARTS, VECTORS, Modality, TextLayer, have
from adcat.workspace.ads import read_availabilities, read_modalities
from adcat.workspace.features import Features
from adcat.workspace.layout import Classifier, Workspace
from adcat.workspace.manifest import ENGINE
from adcat.workspace.photos import reading_photos
from adcat.workspace.shards import Shard
from adcat.workspace.staging import Staging

OWN, SHARED = "Vectors of your own", "Several processes or machines"


@dataclasses.dataclass(frozen=True)
class Settings(EngineOptions):
    """Which modalities, how many photos at a time, and vectors that were made elsewhere."""

    panels: ClassVar = ("Options", OWN, SHARED)
    published: ClassVar = thesis.settings("extract-features")
    needs: ClassVar = {
        **dict.fromkeys(("name", "folds", "seed"), "image_vectors|text_vectors"),
        "shard": "!image_vectors|text_vectors|merge",
    }

    modality: Literal["text", "image", "both"] = option("both", "Classifiers to run.")
    batch_size: int = option(32, "Photos in memory at a time.", low=1, high=1024)
    image_layer: str = option(
        VECTORS,
        "Layer of the image network whose outputs are an ad's image vector, maps as their mean "
        "over all positions: such as mixed7 of inception-v3 or block10_add of efficientnet-lite0; "
        "by default the last one, which the classifier reads. For the classifier without a name.",
    )
    text_layer: TextLayer = option(
        VECTORS,
        "What an ad's text vector is: what the last layer of the text model reads (vectors), or "
        "what it makes of that before the softmax (logits). For the classifier without a name.",
    )
    image_vectors: Path | None = option(
        None,
        "Vectors of the photos, by CLIP for example: a .parquet file with a column id and one of "
        "lists of floats, or a .npy file [n, length] with the ids beside it, each on a line of a "
        ".txt file of the same name.",
        panel=OWN,
    )
    text_vectors: Path | None = option(
        None, "Vectors of the texts, by a sentence encoder for example; likewise.", panel=OWN
    )
    name: str = classifier_name()
    folds: int | None = folds_option()
    seed: int = seed_option()
    shard: str = option(
        "",
        "Run the image network over one of several equal shares of the photos, such as 2/8, and "
        "nothing else; the shares may be made at once.",
        panel=SHARED,
    )
    merge: bool = option(
        False,
        "Take what the image network makes of the photos from the shares, once all are there; "
        "with the same options.",
        panel=SHARED,
    )


def extract_features(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Run every classifier over every ad.

    Writes each classifier's vectors (its last hidden layer, or --image-layer and --text-layer) and
    probabilities of the ads of every part; of the training ads the out-of-fold probabilities where
    the classifier was trained with --folds. Results of an earlier run with the same classifier are
    kept, so a new text model does not cost another pass over the photos. Run an interrupted command
    again to resume it.

    With --shard 2/8, once for each share and on as many machines as share the workspace, the image
    network runs over that share of the photos; then --merge does everything else, and writes what
    a single process would.

    With --image-vectors or --text-vectors a last layer is fitted on the vectors of the training
    ads, the strength of its prior chosen out of fold, and takes the place of the image or the text
    classifier; with --name it stands beside it.
    """
    settings.resolved()  # refuses what is not installed
    workspace.split.check()
    _check_layers(workspace, settings)
    if settings.shard:
        return Report(_write_shards(workspace, settings, progress))
    fitted = _fit_heads(workspace, settings, progress)
    wanted: list[Modality] = [m for m in MODALITIES if settings.modality in (m, "both")]
    lines, tables = _unnamed(workspace, wanted, settings, progress)
    for classifier in workspace.named_classifiers():
        if classifier.modality in wanted:
            lines += _named(workspace, classifier, settings, progress)
    return Report(lines, [*fitted, *tables])


def _write_shards(workspace: Workspace, settings: Settings, progress: Progress) -> list[str]:
    """Runs every image network over a share of the photos, unless its features are current."""
    shard, lines = Shard.parse(settings.shard), list[str]()
    there = "image" in read_modalities(workspace.split) and settings.modality != "text"
    for classifier in [workspace.classifier("image"), *workspace.named_classifiers()] * there:
        if classifier.reads_photos and _is_current(workspace, classifier, settings):
            lines.append(_kept(classifier))
        elif classifier.reads_photos:
            of_photos = _of_photos(classifier, settings)
            made = (classifier, workspace.split, of_photos, settings, shard, progress)
            lines.append(feature_shards.write(*made))
    if not lines:
        raise BadInputError(
            f"--shard {settings.shard}: no classifier that is asked for runs a network over "
            "photos; leave the option out"
        )
    return lines


def _of_photos(classifier: Classifier, settings: Settings) -> Mapping[str, Any]:
    """The settings that a shard depends on."""
    recorded = {**_recorded(settings, "image"), "image_layer": _layer(classifier, settings)}
    return {name: value for name, value in recorded.items() if name != "modality"}


def _merging(
    classifiers: Sequence[Classifier], settings: Settings
) -> contextlib.AbstractContextManager[Shards | None]:
    """The shards of the classifier among these that reads photos, if they are to be merged."""
    for classifier in classifiers:
        if settings.merge and classifier.reads_photos:
            return feature_shards.merging(classifier, _of_photos(classifier, settings), settings)
    return contextlib.nullcontext()


def _check_layers(workspace: Workspace, settings: Settings) -> None:
    """Refuses a layer of a classifier that consists of its last layer only."""
    given = {"text": settings.text_vectors, "image": settings.image_vectors}
    for classifier in map(workspace.classifier, MODALITIES):
        layer, modality = _layer(classifier, settings), classifier.modality
        takes_place = given[modality] and not settings.name
        if layer != VECTORS and (takes_place or classifier.reads_vectors):
            raise BadInputError(
                f"the {modality} classifier is a last layer on vectors made elsewhere, and has no "
                f"layer {layer}; leave --{modality}-layer out"
            )


def _layer(classifier: Classifier, settings: Settings) -> str:
    """The layer of a classifier that is asked for; fusion reads no vectors of a named one."""
    has_name = classifier.name != classifier.modality
    return VECTORS if has_name else getattr(settings, f"{classifier.modality}_layer")


def _fit_heads(workspace: Workspace, settings: Settings, progress: Progress) -> list[Table]:
    """Makes classifiers of the vectors that are given."""
    given: dict[Modality, Path | None] = {
        "text": settings.text_vectors,
        "image": settings.image_vectors,
    }
    if settings.name and all(given.values()):
        raise BadInputError(
            f"only one classifier can have --name {settings.name}; give --image-vectors and "
            "--text-vectors one after the other"
        )
    return [
        heads.fit_on_file(
            workspace.classifier(modality, settings.name),
            *(workspace.split, path, settings.folds, settings.seed, progress),
        )
        for modality, path in given.items()
        if path
    ]


def _unnamed(
    workspace: Workspace, wanted: Sequence[Modality], settings: Settings, progress: Progress
) -> tuple[list[str], list[Table]]:
    """Runs the classifiers without a name of their own; what is current is kept."""
    there = [workspace.classifier(modality) for modality in read_modalities(workspace.split)]
    kept = [classifier for classifier in there if _is_current(workspace, classifier, settings)]
    made = [c for c in there if c in kept or c.modality in wanted]
    if not made:
        raise BadInputError(
            f"no ad has what --modality {settings.modality} needs; leave the option out"
        )
    layers = {f"{c.modality}_layer": _layer(c, settings) for c in made}
    recorded = {**_recorded(settings, "both" if len(made) == 2 else made[0].modality), **layers}
    inputs = [workspace.split, *(classifier.model for classifier in made)]
    with _merging([c for c in made if c not in kept], settings) as shards:
        recorded |= shards.engine if shards else {}
        with workspace.features.write(recorded, inputs, resume=True) as staging:
            for classifier in made:
                if classifier in kept:
                    keep(classifier, staging)
                else:
                    _extract(workspace, classifier, staging, settings, progress, shards)
    for classifier in made:
        feature_shards.remove(classifier)
    return list(map(_kept, kept)), [_table(workspace, made)]


def _named(
    workspace: Workspace, classifier: Classifier, settings: Settings, progress: Progress
) -> list[str]:
    """Runs a classifier with a name of its own, unless its features are current."""
    if _is_current(workspace, classifier, settings):
        return [_kept(classifier)]
    recorded = _recorded(settings, classifier.modality)
    inputs = [workspace.split, classifier.model]
    with _merging([classifier], settings) as shards:
        recorded |= shards.engine if shards else {}
        with classifier.features.write(recorded, inputs, resume=True) as staging:
            _extract(workspace, classifier, staging, settings, progress, shards)
    feature_shards.remove(classifier)
    return [f"{classifier.name}: {classifier.features.path}"]


def _kept(classifier: Classifier) -> str:
    return f"{classifier.name}: kept from an earlier run with the same classifier"


def _recorded(settings: Settings, modality: Modality | Literal["both"]) -> dict[str, Any]:
    """The settings that features depend on."""
    names = ("batch_size", *(field.name for field in dataclasses.fields(EngineOptions)))
    resolved = settings.resolved()
    return {"modality": modality, **{name: getattr(resolved, name) for name in names}}


def _is_current(workspace: Workspace, classifier: Classifier, settings: Settings) -> bool:
    """Whether its arrays are there, current and of the layer and the engine asked for."""
    features, modality = Features(classifier.features), classifier.modality
    try:
        manifest = features.artifact.manifest()
        sources = [workspace.split, classifier.model]
        same = all(manifest.inputs.get(s.name) == s.check().digest for s in sources)
    except AdcatError:
        return False
    if modality == "image" and not settings.takes(manifest.notes.get(ENGINE, "")):
        return False
    same &= features.layer(modality) == _layer(classifier, settings)
    return same and classifier.features.is_intact(manifest, files(classifier))


def _extract(
    workspace: Workspace,
    classifier: Classifier,
    staging: Staging,
    settings: Settings,
    progress: Progress,
    shards: Shards | None,
) -> None:
    """Fills a classifier's arrays: from its shards, or else from what it makes of the ads."""
    split, size = workspace.split, settings.batch_size
    if shards and shards.classifier == classifier:
        write(classifier, split, shards.open_stream(split, staging), staging, progress)
        return
    with reading_photos(split, staging) if classifier.reads_photos else contextlib.nullcontext():
        layer = _layer(classifier, settings)
        stream = open_stream(classifier, split, layer, settings, size, staging, progress)
        write(classifier, split, stream, staging, progress)


def _table(workspace: Workspace, made: Sequence[Classifier]) -> Table:
    rows: list[Sequence[Cell]] = []
    for part, classifier in itertools.product(PARTS, made):
        vectors = Features(classifier.features).vectors(part, classifier.modality)
        ads = have(read_availabilities(workspace.split, part), [classifier.modality]).sum()
        rows.append([part, classifier.modality, int(ads), vectors.shape[1]])
    columns = [Column("part"), Column("modality"), Column("ads", "{:,}"), Column("vector length")]
    return Table("Features", columns, rows)
