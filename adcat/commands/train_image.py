"""Trains the image classifier."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from adcat.errors import BadInputError
from adcat.files import sha256
from adcat.image import classifier, inception, stages
from adcat.image.classifier import ImageModel
from adcat.image.labelled_images import LabelledImages
from adcat.learning.keras_files import save_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import Evaluation, OptimizerName, Schedule
from adcat.progress import Progress
from adcat.settings import option, seed_option
from adcat.tables import Column, Report, Table, percent, write_table
from adcat.types import Part
from adcat.workspace.ads import image_paths, read_categories, read_labels, read_modalities
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import TUNED_ON
from adcat.workspace.staging import Staging

NOTHING = "no ad has a photo: there is nothing to train, and no other command needs it"
RANDOM = "none"
HEAD_PATIENCE = 10  # evaluations; one costs next to nothing
HEAD_EPOCHS = 1000  # at most: it is over when the validation loss converges


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the weights come from, and how they are trained."""

    weights: str = option(
        "imagenet",
        "The network's weights: imagenet (Keras' own, downloaded once), none (random), or a file "
        "without top layers (.h5, .weights.h5) or with a model (.keras).",
    )
    stage: Literal["head", "all"] = option(
        "all", "Train the last layer only (head), or then all layers as well."
    )
    image_size: int = option(
        299, "Height and width in pixels that photos are resized to.", low=75, high=1024
    )
    batch_size: int = option(32, "Photos in a step, at most.", low=1, high=1024)
    optimizer: OptimizerName = option("rmsprop", "The optimizer of both stages.")
    learning_rate: float = option(0.001, "The learning rate of both stages.", low=0)
    epochs: int = option(
        100, "Passes over the photos to train all layers, at most.", low=1, dry_run=1
    )
    patience: int = option(
        2, "Evaluations without a lower validation loss until the rate is × 0.1, or ends.", low=1
    )
    evaluate_every: int = option(
        5000, "Steps between evaluations; an epoch where it has fewer.", low=1
    )
    views: int = option(
        1, "Views of a photo that the last layer learns from: central, then random.", low=1
    )
    seed: int = seed_option()

    @classmethod
    def thesis(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Section 4.3.2 and Appendix A.3.2."""
        del given
        return {
            "weights": "imagenet",
            "stage": "all",
            "image_size": 299,
            "batch_size": 32,
            "optimizer": "rmsprop",
            "learning_rate": 0.001,
        }


def train_image(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train the image classifier.

    Inception v3 in two stages: its last layer, on vectors that the frozen network makes once; then
    all layers on random views of the photos, with an auxiliary head, the learning rate × 0.1 when
    the validation loss stalls. From random weights (--weights none) there is the second stage only
    or, with --stage head, the last layer of a network left random. An interrupted run goes on where
    it was.
    """
    split = workspace.split
    split.check()
    if "image" not in read_modalities(split):
        return Report([NOTHING])
    training, validation = (_images(split, part) for part in ("train", "validation"))
    recorded = _recorded(settings)
    with workspace.image_model.write(recorded, [split], resume=True) as staging:
        model = _build(settings, len(read_categories(split)))
        histories = _train(model, settings, training, validation, staging, progress)
        classifier.save(model, staging.folder)
        write_table(staging.folder, "history", _history(histories))
        staging.notes.update({"fitted_on": "train", TUNED_ON: "validation"})
    return Report(tables=[_summary(histories)])


def _images(split: Artifact, part: Part) -> LabelledImages:
    """The photos of a part, read when they are needed."""
    having = ("image",)
    images = LabelledImages(image_paths(split, part, having), read_labels(split, part, having))
    if not len(images):
        raise BadInputError(
            f"the {part} part of {split.path} has no ads with a photo; split again with larger "
            "fractions"
        )
    return images


def _recorded(settings: Settings) -> Settings:
    """What stands under the digest: a file's name and content, not where it lay."""
    if settings.weights in (inception.IMAGENET, RANDOM):
        return settings
    path = Path(settings.weights)
    return dataclasses.replace(settings, weights=f"{path.name} sha256:{sha256(path)}")


def _build(settings: Settings, categories: int) -> ImageModel:
    weights = None if settings.weights == RANDOM else settings.weights
    seeded_tensorflow(settings.seed)
    return classifier.build(settings.image_size, categories, weights)


def _train(
    model: ImageModel,
    settings: Settings,
    training: LabelledImages,
    validation: LabelledImages,
    staging: Staging,
    progress: Progress,
) -> dict[str, list[Evaluation]]:
    """Trains as the settings say; returns the history of each stage."""
    histories = {}
    parts, folder = (training, validation), staging.checkpoints
    if settings.weights != RANDOM or settings.stage == "head":
        schedule = _schedule(settings, HEAD_EPOCHS, HEAD_PATIENCE, decays=0)
        histories["head"] = stages.train_last_layer(
            model, *parts, schedule, settings.views, settings.weights == RANDOM, folder, progress
        )
    if settings.stage == "all":
        schedule = _schedule(settings, settings.epochs, settings.patience, decays=1)
        histories["all"], auxiliary = stages.train_all_layers(
            model, *parts, schedule, folder, progress
        )
        save_network(auxiliary, staging.folder / classifier.AUXILIARY)
    return histories


def _schedule(settings: Settings, epochs: int, patience: int, decays: int) -> Schedule:
    return Schedule(
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        evaluate_every=settings.evaluate_every,
        seed=settings.seed,
        epochs=epochs,
        patience=patience,
        decays=decays,
    )


def _history(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
    columns = [Column("stage"), *(Column(field.name) for field in dataclasses.fields(Evaluation))]
    rows = [
        (stage, *dataclasses.astuple(evaluation))
        for stage, history in histories.items()
        for evaluation in history
    ]
    return Table("Training of the image model", columns, rows)


def _summary(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
    """The evaluation of each stage whose weights were kept."""
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
        kept = min(history, key=lambda evaluation: evaluation.validation_loss)
        top1 = kept.train_top1, kept.validation_top1
        rows.append((stage, history[-1].epoch, kept.epoch, kept.validation_loss, *top1))
    return Table("Image model", columns, rows)
