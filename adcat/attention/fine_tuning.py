"""Trains attention models: all layers, or the attention alone inside a frozen network."""

import functools
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from adcat.attention.attention_model import AttentionModel, build
from adcat.attention.config import AttentionTraining
from adcat.attention.insertion import Point, cut
from adcat.attention.late_text import start_late_text
from adcat.data.images import Images
from adcat.data.thread_map import map_ahead
from adcat.image import classifier
from adcat.image.engines import CHECKED
from adcat.image.frozen import Crops, run_once
from adcat.image.inference import TENSORFLOW, Engine, Forward, compiled, fold_batch_norm
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.image.stages import DROPOUT, fresh_auxiliary, train_batch_norm
from adcat.learning import training_loop
from adcat.learning.examples import Examples, Inputs, Rows, stored
from adcat.learning.keras_files import load_network
from adcat.learning.runtime import import_tensorflow, seeded_tensorflow
from adcat.learning.schedule import Evaluation, Schedule
from adcat.learning.training_loop import Run
from adcat.progress import Progress
from adcat.types import Vectors

if TYPE_CHECKING:
    import keras

GIGABYTE = 1e9

EngineOf: TypeAlias = "Callable[[keras.Model, Callable[[], Images]], Engine]"
Ads: TypeAlias = tuple[LabelledImages, Vectors]  # text vectors [n, dimension] of the same ads


def train(
    settings: AttentionTraining,
    schedule: Schedule,
    training: Ads,
    validation: Ads,
    categories: int,
    image_model: Path,
    checkpoints: Path,
    progress: Progress,
    engine_of: EngineOf = lambda network, photos: TENSORFLOW,
) -> tuple[AttentionModel, list[Evaluation]]:
    """Builds an attention model from the image classifier and trains it.

    Args:
      settings: the model, and which of its layers are trained.
      schedule: how they are.
      training: what is learned from; also what text vectors are standardised with.
      validation: what says when to slow down and to stop.
      categories: how many the ads have.
      image_model: the folder of the image classifier.
      checkpoints: where state and feature maps are kept, and found again by a later call.
      progress: counts the images.
      engine_of: chooses what runs the frozen network, given photos to try it on.

    Returns:
      The model with its best validation weights, and the history of its training.
    """
    seeded_tensorflow(settings.seed)
    image = classifier.load(image_model, categories)
    model = build(image, training[1], settings)
    if settings.late_text:
        start_late_text(model, training[1], training[0].labels, settings.seed, progress)
    state = checkpoints / f"{settings.variant}-{settings.learning_rate:g}.npz"
    run = Run(schedule, state, progress)
    if settings.stage == "attention":
        return model, _train_attention(model, settings, training, validation, run, engine_of)
    network = training_network(model, settings.insert_at, _auxiliary(image_model, image))
    train_batch_norm(network, schedule.batch_norm)
    augmented = augmented_images(training[0], image.side, settings.seed, schedule.crop_area)
    return model, training_loop.train(
        network,
        with_text(augmented, training[1]),
        with_text(central_images(validation[0], image), validation[1]),
        run,
        "all layers",
    )


def _auxiliary(folder: Path, image: classifier.ImageModel) -> "keras.Model | None":
    """The auxiliary head that the image classifier was trained with, or a fresh one, if any."""
    path = folder / classifier.AUXILIARY
    if path.exists():
        return load_network(path)
    return fresh_auxiliary(image)


def with_text(examples: Examples, text_vectors: Vectors) -> Examples:
    """Examples whose inputs have the ads' text vectors [n, dimension] beside them."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        for rows, inputs in zip(batches, examples.stream(batches, epoch), strict=True):
            yield (*inputs, np.asarray(text_vectors[rows]))

    return Examples(examples.labels, stream)


def training_network(
    model: AttentionModel, point: Point, auxiliary: "keras.Model | None"
) -> "keras.Model":
    """The network with dropout and the auxiliary head: photos, text -> logits, auxiliary logits."""
    tf = import_tensorflow()
    keras = tf.keras
    below, above = cut(model.image, point, with_auxiliary=auxiliary is not None)
    images, text = (keras.Input(x.shape[1:], name=x.name) for x in model.network.inputs)
    t = model.standardised(text)
    maps, *beside = tf.nest.flatten(below(images))
    vectors, *also = tf.nest.flatten(above(model.step([maps, t])[0]))
    logits = [model.logits(keras.layers.Dropout(DROPOUT)(vectors), t)]
    if auxiliary:
        logits.append(auxiliary(*beside, *also))
    return keras.Model([images, text], logits)


def _train_attention(
    model: AttentionModel,
    settings: AttentionTraining,
    training: Ads,
    validation: Ads,
    run: Run,
    engine_of: EngineOf,
) -> list[Evaluation]:
    """Trains the attention matrix and the last layer; the rest is frozen, in inference mode.

    The frozen network's maps are stored for all models of one insertion point until another's take
    their place, or computed again for every batch where they would take more room than the settings
    allow.
    """
    below = model.parts.below
    engine = engine_of(below, lambda: model.image.read_all(training[0].paths[:CHECKED]))
    shape, forward = below.output.shape[1:], functools.cache(lambda: compiled(below, engine=engine))
    all_crops = [
        Crops(model.image, images, count, settings.seed)
        for (images, _), count in ((training, settings.views), (validation, 1))
    ]
    map_bytes = 4 * math.prod(shape) * sum(map(len, all_crops))
    folder = run.checkpoint.with_name(f"maps-{settings.insert_at}-{engine}")
    for other in set(folder.parent.glob("maps-*")) - {folder}:
        shutil.rmtree(other)
    folder.mkdir(exist_ok=True)

    def examples(part: str, crops: Crops, text_vectors: Vectors) -> Examples:
        """The maps of a part's crops, stored where there is room, with the ads' text vectors."""
        if map_bytes > settings.cache_limit * GIGABYTE:
            return with_text(computed(forward(), crops), text_vectors)
        path, size = folder / f"{part}.maps", settings.batch_size
        maps = run_once(forward, crops, shape, path, size, run.progress)
        return with_text(stored(maps, crops.images.labels), text_vectors)

    return training_loop.train(
        frozen_network(model),
        examples("train", all_crops[0], training[1]),
        examples("validation", all_crops[1], validation[1]),
        run,
        "attention",
    )


def frozen_network(model: AttentionModel) -> "keras.Model":
    """The trainable step and last layer, and what is frozen between: maps, text -> logits."""
    keras = import_tensorflow().keras
    above = fold_batch_norm(model.parts.above)
    above.trainable = False
    maps, text = keras.Input(above.input.shape[1:]), keras.Input(model.network.inputs[1].shape[1:])
    t = model.standardised(text)
    return keras.Model([maps, text], model.logits(above(model.step([maps, t])[0]), t))


def computed(forward: Forward, crops: Crops) -> Examples:
    """The outputs of a frozen network for crops of photos, computed each time."""
    n = len(crops.images)

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        first = epoch % crops.count * n

        def make(rows: Rows) -> Inputs:
            return tuple(forward(np.stack([crops.read(first + row) for row in rows])))

        return map_ahead(make, batches)

    return Examples(crops.images.labels, stream)
