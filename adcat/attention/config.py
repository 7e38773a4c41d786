"""How an attention model comes about: every choice, and the training that follows from them."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from adcat.attention.attention_model import AttentionModel, Choices, build
from adcat.attention.fine_tuning import Ads, train_all_layers, train_attention
from adcat.attention.insertion import Point
from adcat.attention.step import Form, Over, Scale
from adcat.image import classifier, inception
from adcat.learning.keras_files import load_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import Evaluation, OptimizerName, Schedule, Watched
from adcat.progress import Progress
from adcat.settings import option, seed_option

if TYPE_CHECKING:
    import keras

GIGABYTE = 1e9
WATCHED: Watched = "validation_top1"  # a setting's score is its highest


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """What the thesis compares."""

    insert_at: Point
    over: Over
    learning_rate: float

    @property
    def name(self) -> str:
        """As the artifact of such a model is called."""
        return f"{self.insert_at}-{self.over}"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Every other choice."""

    stage: Literal["attention", "all"] = option(
        "all",
        "Train all layers, as the thesis does, or the attention and the last layer only, on maps "
        "that the frozen network makes once.",
    )
    scale: Scale = option(
        "count",
        "Multiply the attention by the number of keys, so that flat attention leaves the network "
        "as it was, or none, as in the thesis.",
    )
    form: Form = option(
        "weighted", "Weight the keys, or sum them with their weights and repeat the sum."
    )
    standardise: bool = option(True, "Standardise the text vectors with training statistics.")
    late_text: bool = option(
        False, "Join the text once more before the last layer, so that attention need not carry it."
    )
    batch_size: int = option(32, "Photos in a step, at most.", low=1, high=1024)
    optimizer: OptimizerName = option("rmsprop", "The optimizer.")
    epochs: int = option(50, "Passes over the photos, at most.", low=1, dry_run=1)
    patience: int = option(
        2, "Evaluations without a rise of validation top-1 until the rate is × 0.1, or ends.", low=1
    )
    evaluate_every: int = option(
        5000, "Steps between evaluations; an epoch where it has fewer.", low=1
    )
    views: int = option(
        1, "Views of a photo that --stage attention learns from: central, then random.", low=1
    )
    cache_limit: float = option(
        8.0, "Gigabytes of maps that --stage attention stores rather than computes again.", low=0
    )
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Where a training finds the image classifier, and keeps what it needs to go on."""

    image_model: Path
    checkpoints: Path
    progress: Progress


def train(
    setting: Setting,
    recipe: Recipe,
    training: Ads,
    validation: Ads,
    run: Run,
) -> tuple[AttentionModel, list[Evaluation]]:
    """Makes an attention model from the image classifier and trains it.

    Args:
      setting: where attention is inserted, over what, and how fast it learns.
      recipe: everything else.
      training: what is learned from; also what text vectors are standardised with.
      validation: what says when to slow down and to stop.
      run: folders and progress.

    Returns:
      The model with its best validation weights, and the history of its training.
    """
    seeded_tensorflow(recipe.seed)
    image = classifier.load(run.image_model)
    model = build(image, training[1], _choices(setting, recipe))
    schedule = _schedule(setting, recipe)
    state = run.checkpoints / f"{setting.name}-{setting.learning_rate:g}.npz"
    if recipe.stage == "all":
        auxiliary = _auxiliary(run.image_model, image)
        history = train_all_layers(
            model,
            setting.insert_at,
            auxiliary,
            training,
            validation,
            schedule,
            state,
            run.progress,
        )
        return model, history
    maps = run.checkpoints / f"maps-{setting.insert_at}"
    maps.mkdir(exist_ok=True)
    limit = recipe.cache_limit * GIGABYTE
    history = train_attention(
        model, training, validation, schedule, recipe.views, limit, maps, state, run.progress
    )
    return model, history


def _choices(setting: Setting, recipe: Recipe) -> Choices:
    return Choices(
        point=setting.insert_at,
        over=setting.over,
        form=recipe.form,
        scale=recipe.scale,
        standardise=recipe.standardise,
        late_text=recipe.late_text,
    )


def _schedule(setting: Setting, recipe: Recipe) -> Schedule:
    return Schedule(
        optimizer=recipe.optimizer,
        learning_rate=setting.learning_rate,
        batch_size=recipe.batch_size,
        evaluate_every=recipe.evaluate_every,
        epochs=recipe.epochs,
        patience=recipe.patience,
        decays=1,
        watched=WATCHED,
        seed=recipe.seed,
    )


def _auxiliary(folder: Path, image: classifier.ImageModel) -> "keras.Model":
    """The auxiliary head that the image classifier was trained with, or a fresh one."""
    path = folder / classifier.AUXILIARY
    if path.exists():
        return load_network(path)
    return inception.auxiliary_head(image.network, image.last_layer.units)
