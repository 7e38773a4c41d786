"""Trains the image classifier."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from adcat.artifacts import image_paths, read_categories, read_labels
from adcat.errors import BadInputError
from adcat.progress import Progress
from adcat.settings import option, seed_option
from adcat.tables import Column, Report, Table, percent, write_table
from adcat.workspace import Artifact, Draft, Workspace

if TYPE_CHECKING:
    from adcat.image.classifier import ImageModel
    from adcat.image.examples import LabelledPhotos
    from adcat.image.schedule import Evaluation, Schedule

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
    optimizer: Literal["rmsprop", "adam", "sgd", "adagrad"] = option(
        "rmsprop", "The optimizer of both stages."
    )
    learning_rate: float = option(0.001, "The learning rate of both stages.", low=0)
    epochs: int = option(100, "Passes over the photos to train all layers, at most.", low=1)
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

    Inception v3 from ImageNet weights in two stages: the last layer, on vectors that the frozen
    network makes once; then all layers on random views, with an auxiliary head, the learning rate
    × 0.1 when the validation loss stalls. From random weights (--weights none) there is the second
    stage only, or, with --stage head, a last layer on a random network whose batch norm is fitted
    to training photos. An interrupted run goes on where it was.
    """
    split = workspace.split
    split.check()
    training, validation = (_photos(split, part) for part in ("train", "validation"))
    with workspace.image_model.write(_recorded(settings), [split], resume=True) as draft:
        model, histories = _train(workspace, settings, draft, training, validation, progress)
        ...
