"""Trains attention models: all layers, or the attention alone inside a frozen network."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from adcat.attention.attention_model import AttentionModel
from adcat.attention.insertion import Point, cut
from adcat.data.thread_map import map_ahead
from adcat.image.frozen import Views, run_once
from adcat.image.inference import Forward, compiled, fold_batch_norm
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.image.stages import DROPOUT
from adcat.learning.examples import Examples, Inputs, Rows, stored
from adcat.learning.runtime import import_tensorflow
from adcat.learning.schedule import Evaluation, Schedule
from adcat.learning.training_loop import train
from adcat.progress import Progress
from adcat.types import Vectors

if TYPE_CHECKING:
    import keras

Ads: TypeAlias = tuple[
    LabelledImages, Vectors
]  # with the text vectors [n, dimension] of the same ads


def with_text(examples: Examples, text_vectors: Vectors) -> Examples:
    """Examples whose inputs have the ads' text vectors [n, dimension] beside them."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        for rows, inputs in zip(batches, examples.stream(batches, epoch), strict=True):
            yield (*inputs, np.asarray(text_vectors[rows]))

    return Examples(examples.labels, stream)


def train_all_layers(
    model: AttentionModel,
    point: Point,
    auxiliary: "keras.Model",
    training: Ads,
    validation: Ads,
    schedule: Schedule,
    checkpoint: Path,
    progress: Progress,
) -> list[Evaluation]:
    """Trains the whole network, as the thesis does; another view of each photo in every epoch.

    Args:
      model: what is trained, as it was built from the image classifier.
      point: where attention was inserted.
      auxiliary: the auxiliary head, mixed7 -> logits.
      training: what is learned from.
      validation: what says when to slow down and to stop.
      schedule: how, and for how long.
      checkpoint: where the state is kept, and found again by a later call.
      progress: hears of every photo.
    """
    return train(
        training_network(model, point, auxiliary),
        with_text(augmented_images(training[0], model.image.side, schedule.seed), training[1]),
        with_text(central_images(validation[0], model.image), validation[1]),
        schedule,
        checkpoint,
        progress,
        "all layers",
    )


def training_network(
    model: AttentionModel, point: Point, auxiliary: "keras.Model"
) -> "keras.Model":
    """The network with dropout and the auxiliary head: photos, text -> logits, auxiliary logits."""
    keras = import_tensorflow().keras
    below, above = cut(model.image.network, point, with_auxiliary=True)
    images, text = (keras.Input(x.shape[1:], name=x.name) for x in model.network.inputs)
    t = model.standardised(text)
    maps, *mixed7 = below(images)
    vectors, *also = above(model.step([maps, t])[0])
    logits = model.logits(keras.layers.Dropout(DROPOUT)(vectors), t)
    return keras.Model([images, text], [logits, auxiliary(*mixed7, *also)])


def train_attention(
    model: AttentionModel,
    training: Ads,
    validation: Ads,
    schedule: Schedule,
    views: int,
    cache_bytes: float,
    folder: Path,
    checkpoint: Path,
    progress: Progress,
) -> list[Evaluation]:
    """Trains the attention matrix and the last layer; the rest is frozen, in inference mode.

    Args:
      model: what is trained.
      training: what is learned from.
      validation: what says when to slow down and to stop.
      schedule: how, and for how long.
      views: of each training photo; the first is the central one, the others are random.
      cache_bytes: what the maps below the attention may take; where they would take more, they
        are computed again for every batch.
      folder: where these maps are kept, and found again by a later call for the same point.
      checkpoint: where the state is kept, and found again by a later call.
      progress: hears of every photo.
    """
    all_views = [
        Views(model.image, images, count, schedule.seed)
        for (images, _), count in ((training, views), (validation, 1))
    ]
    below = model.parts.below
    shape = below.output.shape[1:]
    map_bytes = 4 * math.prod(shape)
    fits = map_bytes * sum(map(len, all_views)) <= cache_bytes
    forward = compiled(below)

    def examples(part: str, views: Views, text_vectors: Vectors) -> Examples:
        if not fits:
            return with_text(computed(forward, views), text_vectors)
        path = folder / f"{part}.maps"
        title = f"maps, {part}"
        maps = run_once(forward, views, shape, path, schedule.batch_size, title, progress)
        return with_text(stored(maps, views.images.labels), text_vectors)

    return train(
        frozen_network(model),
        examples("train", all_views[0], training[1]),
        examples("validation", all_views[1], validation[1]),
        schedule,
        checkpoint,
        progress,
        "attention",
    )


def frozen_network(model: AttentionModel) -> "keras.Model":
    """The network above the attention, of which step and last layer learn: maps, text -> logits."""
    keras = import_tensorflow().keras
    above = fold_batch_norm(model.parts.above)
    above.trainable = False
    maps, text = keras.Input(above.input.shape[1:]), keras.Input(model.network.inputs[1].shape[1:])
    t = model.standardised(text)
    return keras.Model([maps, text], model.logits(above(model.step([maps, t])[0]), t))


def computed(forward: Forward, views: Views) -> Examples:
    """What a frozen network makes of views of photos, made anew each time."""
    n = len(views.images)

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        first = epoch % views.count * n

        def make(rows: Rows) -> Inputs:
            return tuple(forward(np.stack([views.read(first + row) for row in rows])))

        return map_ahead(make, batches)

    return Examples(views.images.labels, stream)
