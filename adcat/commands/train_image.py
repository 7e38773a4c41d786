"""Trains the image classifier."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from adcat import thesis
from adcat.data.splitting import folds, folds_for
from adcat.errors import BadInputError
from adcat.files import save_array, sha256
from adcat.image import classifier, inception, stages
from adcat.image.backbones import BACKBONES, IMAGENET
from adcat.image.classifier import ImageModel
from adcat.image.labelled_images import LabelledImages
from adcat.image.stages import Stored
from adcat.learning.keras_files import save_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import Evaluation, TrainingOptions, best
from adcat.learning.training_loop import Run
from adcat.progress import Progress
from adcat.settings import classifier_name, folds_option, option
from adcat.tables import Column, Report, Table, percent, write_table
from adcat.types import Modality, Part
from adcat.workspace.ads import (
    image_paths,
    read_categories,
    read_groups,
    read_labels,
    read_modalities,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import (
    OUT_OF_FOLD,
    OUT_OF_FOLD_TRAIN_PROBS,
    TRAIN_PROBS,
    TUNED_ON,
)
from adcat.workspace.photos import reading_photos
from adcat.workspace.staging import Staging

NOTHING = "no ad has a photo, so there is nothing to train, and no other command needs it"
RANDOM = "none"
HAVING: Sequence[Modality] = ("image",)
HEAD_PATIENCE = 10  # evaluations; one costs next to nothing
HEAD_EPOCHS = 1000  # at most: training stops when the validation loss converges

if TYPE_CHECKING:
    BackboneName: TypeAlias = str
else:
    BackboneName = Literal[*BACKBONES]


@dataclasses.dataclass(frozen=True)
class Settings(TrainingOptions):
    """The initial weights, and how they are trained."""

    panel: ClassVar = "Network"
    panels: ClassVar = ("Network", "Training")
    selector: ClassVar = "stage"
    published: ClassVar = thesis.settings("train-image")

    backbone: BackboneName = option(
        inception.NAME,
        "Network: the thesis' Inception v3; EfficientNet-Lite0, whose ImageNet weights are in the "
        "package and which runs on a laptop; or another of Keras' own.",
    )
    weights: str = option(
        "imagenet",
        "Initial weights: imagenet (downloaded once by Keras, but for efficientnet-lite0), none "
        "(random), or a file of weights without top layers (.h5, .weights.h5) or of a model "
        "(.keras).",
    )
    stage: Literal["head", "all"] = option(
        "all", "Train the last layer only (head), or all layers after it (all)."
    )
    name: str = classifier_name()
    folds: int | None = folds_option()
    image_size: int | None = option(
        None,
        "Height and width in pixels that photos are resized to; by default the network's own: 299 "
        "of inception-v3, 224 of efficientnet-lite0.",
        low=32,
        high=1024,
    )

    @staticmethod
    def reads(stage: str, field: str) -> bool:
        """Whether a stage reads an option; the head's training has its own end."""
        return stage == "all" or field not in ("epochs", "patience")


def train_image(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train the image classifier.

    A network is trained in two stages: its last layer, on vectors that the frozen network
    computes once; then all layers, on random crops of the photos, with an auxiliary head and a
    learning rate that drops to a tenth when the validation loss stalls. Random weights
    (--weights none) skip the first stage, or with --stage head stay random below the last layer.
    An interrupted run resumes where it stopped.

    For the out-of-fold probabilities of --folds, only the last layer is trained again: on stored
    vectors, after --stage all on those of the finished network, which has seen every photo.
    """
    if settings.weights == RANDOM and settings.stage == "all" and settings.views > 1:
        raise BadInputError("--views is for training the last layer; --weights none leaves it out")
    split = workspace.split
    split.check()
    target = workspace.classifier("image", settings.name).model
    if "image" not in read_modalities(split):
        return Report([NOTHING])
    training, validation = (_images(split, part) for part in ("train", "validation"))
    recorded = _recorded(settings)
    with target.write(recorded, [split], resume=True) as staging:
        model = _build(settings, len(read_categories(split)))
        start = model.last_layer.get_weights()
        with reading_photos(split, staging):
            histories = _train(model, settings, training, validation, staging, progress)
        classifier.save(model, staging.folder)
        with reading_photos(split, staging):
            model.last_layer.set_weights(start)
            _write_out_of_fold(model, settings, training, validation, split, staging, progress)
        write_table(staging.folder, "history", _history(histories))
        staging.notes.update({"fitted_on": "train", TUNED_ON: "validation"})
    return Report(tables=[_summary(histories)])


def _images(split: Artifact, part: Part) -> LabelledImages:
    """The photos of a part, read when they are needed."""
    images = LabelledImages(image_paths(split, part, HAVING), read_labels(split, part, HAVING))
    if not len(images):
        raise BadInputError(
            f"the {part} part of {split.path} has no ads with a photo; split again with larger "
            "fractions"
        )
    return images


def _recorded(settings: Settings) -> Settings:
    """The settings under the digest: of a weights file its name and content, not its folder."""
    unnamed = dataclasses.replace(settings, name="")
    if settings.weights in (IMAGENET, RANDOM):
        return unnamed
    path = Path(settings.weights)
    return dataclasses.replace(unnamed, weights=f"{path.name} sha256:{sha256(path)}")


def _build(settings: Settings, categories: int) -> ImageModel:
    weights = None if settings.weights == RANDOM else settings.weights
    seeded_tensorflow(settings.seed)
    backbone = BACKBONES[settings.backbone]
    return classifier.build(backbone, settings.image_size or backbone.side, categories, weights)


def _train(
    model: ImageModel,
    settings: Settings,
    training: LabelledImages,
    validation: LabelledImages,
    staging: Staging,
    progress: Progress,
) -> dict[str, list[Evaluation]]:
    """Trains as the settings say; returns the history of each stage."""
    histories, is_random = {}, settings.weights == RANDOM
    if settings.stage == "head" or not is_random:
        run = _head_run(settings, staging, progress)
        vectors = _vectors(model, settings, training, validation, run, "head")
        histories["head"] = stages.train_last_layer(model, *vectors, run, is_random)
    if settings.stage == "all":
        run = Run(settings.schedule(), staging.checkpoints / "all_layers.npz", progress)
        histories["all"], auxiliary = stages.train_all_layers(model, training, validation, run)
        if auxiliary:
            save_network(auxiliary, staging.folder / classifier.AUXILIARY)
    return histories


def _write_out_of_fold(
    model: ImageModel,
    settings: Settings,
    training: LabelledImages,
    validation: LabelledImages,
    split: Artifact,
    staging: Staging,
    progress: Progress,
) -> None:
    """Writes the training photos' probabilities by last layers that did not see them, if any."""
    groups = read_groups(split, "train", HAVING)
    if count := folds_for(settings.folds, groups):
        run = _head_run(settings, staging, progress)
        vectors = _vectors(model, settings, training, validation, run, settings.stage)
        cuts, scaled = folds(groups, count, settings.seed), settings.weights == RANDOM
        probs = stages.out_of_fold_probs(model, *vectors, cuts, run, scaled)
        save_array(staging.folder / OUT_OF_FOLD_TRAIN_PROBS, probs)
        staging.notes.update({TRAIN_PROBS: OUT_OF_FOLD, "trained_per_fold": "the last layer"})


def _head_run(settings: Settings, staging: Staging, progress: Progress) -> Run:
    schedule = settings.schedule()
    head = dataclasses.replace(schedule, epochs=HEAD_EPOCHS, patience=HEAD_PATIENCE, decays=0)
    return Run(head, staging.checkpoints / "last_layer.npz", progress)


def _vectors(
    model: ImageModel,
    settings: Settings,
    training: LabelledImages,
    validation: LabelledImages,
    run: Run,
    after: Literal["head", "all"],
) -> tuple[Stored, Stored]:
    """What the network makes of the photos before or after all layers were trained."""
    stem, crops = ("", settings.views) if after == "head" else (" after all layers", 1)

    def run_over(images: LabelledImages, part: Part, crops: int) -> Stored:
        vectors = stages.frozen_vectors(model, images, run, part + stem, crops)
        return Stored(vectors, images.labels)

    return run_over(training, "train", crops), run_over(validation, "validation", 1)


def _history(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
    columns = [Column("stage"), *(Column(field.name) for field in dataclasses.fields(Evaluation))]
    rows = [
        (stage, *dataclasses.astuple(evaluation))
        for stage, history in histories.items()
        for evaluation in history
    ]
    return Table("Training of the image model", columns, rows)


def _summary(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
    """The evaluation of each stage whose weights are kept."""
    columns = [
        Column("stage"),
        Column("epochs", "{:.4g}"),
        Column("best epoch", "{:.4g}"),
        Column("validation loss", "{:.4f}"),
        percent("train top-1"),
        percent("validation top-1"),
    ]
    rows = []
    for stage, history in histories.items():
        kept = best(history, "validation_loss")
        top1 = kept.train_top1, kept.validation_top1
        rows.append((stage, history[-1].epoch, kept.epoch, kept.validation_loss, *top1))
    return Table("Image model", columns, rows)
