"""Trains the image classifier."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat import thesis
from adcat.data.splitting import folds_for
from adcat.errors import BadInputError
from adcat.files import sha256
from adcat.heads import Fitting
from adcat.image import classifier, inception, last_layer, stages
from adcat.image.backbones import BACKBONES, IMAGENET, VECTORS
from adcat.image.classifier import ImageModel
from adcat.image.engines import CHECKED, EngineOptions, choose
from adcat.image.frozen import Crops, frozen_vectors
from adcat.image.inference import Engine
from adcat.image.labelled_images import LabelledImages
from adcat.image.last_layer import LabelledVectors
from adcat.image.stages import Stored
from adcat.learning.examples import Examples, stored
from adcat.learning.keras_files import save_network
from adcat.learning.runtime import import_tensorflow, seeded_tensorflow
from adcat.learning.schedule import PUBLISHED, Evaluation, TrainingOptions
from adcat.learning.training_loop import Run
from adcat.progress import Progress
from adcat.settings import classifier_name, folds_option, option
from adcat.tables import Report, Table, write_table
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
from adcat.workspace.manifest import ENGINE, FROZEN, TUNED_ON
from adcat.workspace.photos import reading_photos, vectors_folder
from adcat.workspace.staging import Staging

NOTHING = "no ad has a photo, so there is nothing to train, and no other command needs it"
RANDOM = "none"
TRAINING = (*PUBLISHED, "evaluate_every", "patience")
HAVING: Sequence[Modality] = ("image",)
HEAD_PATIENCE = 10  # evaluations; one costs next to nothing
FEW = 5000  # photos; on 2,489 the first epochs lost what the frozen network knows
HEAD_EPOCHS = 1000  # at most: training stops when the validation loss converges

if TYPE_CHECKING:
    BackboneName: TypeAlias = str
else:
    BackboneName = Literal[*BACKBONES]


@dataclasses.dataclass(frozen=True)
class Settings(EngineOptions, TrainingOptions):
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
        "all",
        "Fit the last layer only (head), the strength of its prior chosen out of fold, or train it "
        "and then all layers (all), as in the thesis.",
    )
    views: int = option(
        1,
        "Crops of each training photo for the last layer, computed once: the central one, then "
        "random ones; with 0 a new random one in every epoch, as in the thesis.",
        low=0,
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
        """Whether a stage reads an option; the last layer is fitted, not trained."""
        return stage == "all" or field not in TRAINING


def train_image(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train the image classifier.

    A network is trained in two stages: its last layer, on what the frozen network makes of each
    photo's central crop (--views for others); then all layers, on random crops, with an auxiliary
    head where the network has one and a learning rate that drops to a tenth when the validation
    loss stalls. With --stage head the last layer is fitted instead, and the rest stays as it is.
    Random weights (--weights none) skip the first stage. An interrupted run resumes where it
    stopped.

    For the out-of-fold probabilities of --folds, only the last layer is fitted again: on stored
    vectors, after --stage all on those of the finished network, which has seen every photo.
    """
    if settings.weights == RANDOM and settings.stage == "all" and settings.views > 1:
        raise BadInputError("--views is for training the last layer; --weights none leaves it out")
    if settings.stage == "head" and not settings.views:
        raise BadInputError("--views 0 is for --stage all; to fit the last layer type: --views 1")
    backbone, split = BACKBONES[settings.backbone], workspace.split
    settings = settings.following(backbone.recipe) if settings.stage == "all" else settings
    side = settings.image_size or backbone.side
    settings = dataclasses.replace(settings.resolved(), image_size=side)
    split.check()
    target = workspace.classifier("image", settings.name).model
    if "image" not in read_modalities(split):
        return Report([NOTHING])
    training, validation = (_images(split, part) for part in ("train", "validation"))
    recorded = _recorded(settings)
    with target.write(recorded, [split], resume=True) as staging:
        model = _build(settings, len(read_categories(split)))
        groups = read_groups(split, "train", HAVING)
        images: dict[Part, LabelledImages] = {"train": training, "validation": validation}
        work = Work(model, settings, images, split, staging, progress)
        with reading_photos(split, staging):
            table = _fit(work, groups) if settings.stage == "head" else _train(work, groups)
        classifier.save(model, staging.folder)
        staging.notes["fitted_on"] = "train"
        if settings.stage == "head":
            file = work.file("train", settings.views)
            staging.notes[FROZEN] = f"{_network(settings, model)}/{file}"
    return Report(tables=[table])


@dataclasses.dataclass(frozen=True)
class Work:
    """What is trained, on what, and where its files go."""

    model: ImageModel
    settings: Settings
    images: Mapping[Part, LabelledImages]
    split: Artifact
    staging: Staging
    progress: Progress

    @property
    def categories(self) -> int:
        """How many there are."""
        return self.model.last_layer.units

    @functools.cached_property
    def engine(self) -> Engine:
        """What runs the network where it is frozen; chosen when it first is."""
        model, root = self.model, self.split.root
        photos = lambda: model.read_all(self.images["train"].paths[:CHECKED])  # noqa: E731
        chosen = choose(self.settings, model.network, [VECTORS], photos, root, self.progress)
        self.staging.notes[ENGINE] = str(chosen)
        return chosen

    @functools.cached_property
    def frozen(self) -> Path:
        """The folder of the vectors that its network makes as it is."""
        return vectors_folder(self.split, f"{_network(self.settings, self.model)}-{self.engine}")

    def file(self, part: Part, crops: int) -> str:
        """What the vectors of so many crops of a part's photos are called."""
        return f"{part}.vectors" if crops == 1 else f"{part} {crops} {self.settings.seed}.vectors"

    def vectors(self, part: Part, crops: int = 1, *, is_trained: bool = False) -> Stored:
        """What the network makes of the photos of a part, its weights as they are."""
        settings, images = self.settings, self.images[part]
        folder = self.staging.checkpoints if is_trained else self.frozen
        path, size = folder / self.file(part, crops), settings.batch_size
        of_images = Crops(self.model, images, crops, settings.seed)
        vectors = frozen_vectors(self.model, self.engine, of_images, path, size, self.progress)
        return Stored(vectors, images.labels)

    def for_last_layer(self) -> tuple[Examples, Examples]:
        """What the last layer is trained on and scored with."""
        validation = stored(*self.vectors("validation"))
        if self.settings.views:
            return stored(*self.vectors("train", self.settings.views)), validation
        images, seed = self.images["train"], self.settings.seed
        return stages.augmented_vectors(self.model, self.engine, images, seed), validation

    def photos(
        self, groups: NDArray[np.int64], crops: int = 1, *, is_trained: bool = False
    ) -> LabelledVectors:
        """The training photos as the last layer is fitted on them."""
        vectors, labels = self.vectors("train", crops, is_trained=is_trained)
        is_random = self.settings.weights == RANDOM and self.settings.stage == "head"
        scaling = last_layer.scaling(vectors, is_random=is_random)
        return LabelledVectors(vectors, labels, groups, scaling)


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


def _network(settings: Settings, model: ImageModel) -> str:
    """Names a network and the weights that it starts from."""
    keras = import_tensorflow().keras
    drawn = (settings.seed, keras.__version__) if settings.weights == RANDOM else ()
    facts = settings.backbone, model.side, _recorded(settings).weights, *drawn
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _build(settings: Settings, categories: int) -> ImageModel:
    weights = None if settings.weights == RANDOM else settings.weights
    seeded_tensorflow(settings.seed)
    backbone = BACKBONES[settings.backbone]
    return classifier.build(backbone, settings.image_size or backbone.side, categories, weights)


def _train(work: Work, groups: NDArray[np.int64]) -> Table:
    """Trains the last layer, then all; returns what came of it."""
    settings, staging, histories = work.settings, work.staging, dict[str, list[Evaluation]]()
    ads = len(work.images["train"])
    if settings.weights != RANDOM:
        if ads < FEW:
            work.progress.say(
                f"training all layers on {ads:,} photos; with fewer than {FEW:,} compare it "
                "with --stage head, which takes minutes and may be as good"
            )
        head = dataclasses.replace(settings, **{**PUBLISHED, "epochs": HEAD_EPOCHS}).schedule(ads)
        patience = HEAD_PATIENCE * head.evaluate_every
        head = dataclasses.replace(head, patience=patience, decays=0)
        run = Run(head, staging.checkpoints / "last_layer.npz", work.progress)
        histories["head"] = stages.train_last_layer(work.model, *work.for_last_layer(), run)
    state = staging.checkpoints / "all_layers.npz"
    run = Run(settings.schedule(ads), state, work.progress)
    images = work.images["train"], work.images["validation"]
    histories["all"], auxiliary = stages.train_all_layers(work.model, *images, run)
    if auxiliary:
        save_network(auxiliary, staging.folder / classifier.AUXILIARY)
    write_table(staging.folder, "history", stages.history_table(histories))
    staging.notes[TUNED_ON] = "validation"
    if folds_for(settings.folds, groups):
        photos = work.photos(groups, is_trained=True)
        losses = last_layer.search(photos, settings.seed, work.progress)
        _fitting(work).write_out_of_fold(photos, min(losses, key=losses.__getitem__))
    return stages.summary(histories)


def _fit(work: Work, groups: NDArray[np.int64]) -> Table:
    """Fits the last layer of a network that stays as it is; returns what came of it."""
    photos = work.photos(groups, work.settings.views)
    fitted, table = _fitting(work).fit(photos, work.vectors("validation"))
    work.model.last_layer.set_weights(fitted)
    return table


def _fitting(work: Work) -> Fitting:
    settings = work.settings
    return Fitting(work.categories, settings.folds, settings.seed, work.staging, work.progress)
