"""Runs both classifiers over every ad: vectors and probabilities, one pass per modality."""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from adcat import heads, thesis
from adcat.errors import BadInputError
from adcat.parallel.spark_session import spark_session
from adcat.parallel.spark_tasks import in_spark
from adcat.prediction import feature_shards
from adcat.prediction.feature_arrays import keep, write
from adcat.prediction.feature_settings import FeatureSettings
from adcat.prediction.feature_shards import Shards
from adcat.prediction.streams import open_stream
from adcat.progress import Progress, Silent
from adcat.settings import classifier_name, folds_option, option, seed_option, spark_option
from adcat.tables import Cell, Column, Report, Table
from adcat.types import MODALITIES, PARTS, VECTORS, Modality, have
from adcat.workspace.ads import read_availabilities, read_modalities
from adcat.workspace.features import Features
from adcat.workspace.layout import Classifier, Workspace
from adcat.workspace.photos import reading_photos
from adcat.workspace.shards import Shard, all_of, all_shards_for
from adcat.workspace.staging import Staging

OWN, SHARED = "Vectors of your own", "Several processes or machines"


@dataclasses.dataclass(frozen=True)
class Settings(FeatureSettings):
    """What to extract, from which vectors that were made elsewhere, and where."""

    panels: ClassVar = ("Options", OWN, SHARED)
    published: ClassVar = thesis.settings("extract-features")
    needs: ClassVar = {
        **dict.fromkeys(("name", "folds", "seed"), "image_vectors|text_vectors"),
        "shard": "!image_vectors|text_vectors|merge",
        "spark": "!image_vectors|text_vectors|merge|shard",
    }

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
    spark: str = spark_option(SHARED)


def extract_features(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Run every classifier over every ad.

    Writes each classifier's vectors (its last hidden layer, or --image-layer and --text-layer) and
    probabilities of the ads of every part; of the training ads the out-of-fold probabilities where
    the classifier was trained with --folds. Results of an earlier run with the same classifier are
    kept, so a new text model does not cost another pass over the photos. Run an interrupted command
    again to resume it.

    With --shard 2/8, once for each share and on as many machines as share the workspace, the image
    network runs over that share of the photos; then --merge does everything else, and writes what
    a single process would. With --spark the tasks of a Spark cluster make the shares.

    With --image-vectors or --text-vectors a last layer is fitted on the vectors of the training
    ads, the strength of its prior chosen out of fold, and takes the place of the image or the text
    classifier; with --name it stands beside it.
    """
    settings.resolved()  # refuses what is not installed
    workspace.split.check()
    _check_layers(workspace, settings)
    if settings.shard:
        return Report(_write_shards(workspace, settings, progress))
    if settings.spark:
        settings = _have_shards_made(workspace, settings, progress)
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
    for classifier in _networks(workspace, settings):
        if settings.is_current(classifier):
            lines.append(_kept(classifier))
        else:
            of_photos = settings.of_photos(classifier)
            made = (classifier, workspace.split, of_photos, settings, shard, progress)
            lines.append(feature_shards.write(*made))
    if not lines:
        raise BadInputError(
            f"--shard {settings.shard}: no classifier that is asked for runs a network over "
            "photos; leave the option out"
        )
    return lines


def _networks(workspace: Workspace, settings: Settings) -> list[Classifier]:
    """The classifiers asked for that run a network over photos."""
    there = "image" in read_modalities(workspace.split) and settings.modality != "text"
    images = [workspace.classifier("image"), *workspace.named_classifiers()] * there
    return [classifier for classifier in images if classifier.reads_photos]


def _have_shards_made(workspace: Workspace, settings: Settings, progress: Progress) -> Settings:
    """Lets Spark make every share of what is not current; returns the settings that merge them."""
    made = [c for c in _networks(workspace, settings) if not settings.is_current(c)]
    if not made:
        return settings
    with spark_session(settings.spark) as session:
        shards = all_shards_for(session.sparkContext.defaultParallelism)
        if begun := [shard for classifier in made for shard in classifier.found_shards()]:
            shards = all_of(begun, made[0].shards, "remove the folder")
        work = functools.partial(_make_shard, workspace.root.resolve(), settings)
        with progress.task("running the image network", len(shards), "shards") as task:
            for _ in in_spark(session)(work, shards):
                task.advance(1)
    return dataclasses.replace(settings, merge=True)


def _make_shard(root: Path, settings: Settings, shard: Shard) -> None:
    _write_shards(Workspace(root), dataclasses.replace(settings, shard=str(shard)), Silent())


def _merging(
    classifiers: Sequence[Classifier], settings: Settings
) -> contextlib.AbstractContextManager[Shards | None]:
    """The shards of the classifier among these that reads photos, if they are to be merged."""
    for classifier in classifiers:
        if settings.merge and classifier.reads_photos:
            return feature_shards.merging(classifier, settings.of_photos(classifier), settings)
    return contextlib.nullcontext()


def _check_layers(workspace: Workspace, settings: Settings) -> None:
    """Refuses a layer of a classifier that consists of its last layer only."""
    given = {"text": settings.text_vectors, "image": settings.image_vectors}
    for classifier in map(workspace.classifier, MODALITIES):
        layer, modality = settings.layer(classifier), classifier.modality
        takes_place = given[modality] and not settings.name
        if layer != VECTORS and (takes_place or classifier.reads_vectors):
            raise BadInputError(
                f"the {modality} classifier is a last layer on vectors made elsewhere, and has no "
                f"layer {layer}; leave --{modality}-layer out"
            )


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
    kept = [classifier for classifier in there if settings.is_current(classifier)]
    made = [c for c in there if c in kept or c.modality in wanted]
    if not made:
        raise BadInputError(
            f"no ad has what --modality {settings.modality} needs; leave the option out"
        )
    layers = {f"{c.modality}_layer": settings.layer(c) for c in made}
    recorded = {**settings.recorded("both" if len(made) == 2 else made[0].modality), **layers}
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
    if settings.is_current(classifier):
        return [_kept(classifier)]
    recorded = settings.recorded(classifier.modality)
    inputs = [workspace.split, classifier.model]
    with _merging([classifier], settings) as shards:
        recorded |= shards.engine if shards else {}
        with classifier.features.write(recorded, inputs, resume=True) as staging:
            _extract(workspace, classifier, staging, settings, progress, shards)
    feature_shards.remove(classifier)
    return [f"{classifier.name}: {classifier.features.path}"]


def _kept(classifier: Classifier) -> str:
    return f"{classifier.name}: kept from an earlier run with the same classifier"


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
        layer = settings.layer(classifier)
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
