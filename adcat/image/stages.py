"""The two steps in which the image classifier is trained (thesis, section 4.3.2).

(a) the last layer only, on vectors that the frozen network makes once; (b) all layers.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adcat.artifacts import Vectors
from adcat.image import inception
from adcat.image.augmentation import augmented_view
from adcat.image.classifier import ImageModel
from adcat.image.decoding import Photos
from adcat.image.examples import LabelledPhotos, augmented_photos, central_photos, stored_vectors
from adcat.image.extraction import append_rows, compiled, run
from adcat.image.schedule import Evaluation, Schedule
from adcat.image.training import train
from adcat.progress import Progress
from adcat.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras

CALIBRATION_PHOTOS = 256
DROPOUT = 0.2  # before the last layer while all layers are trained, as in TF-Slim


def calibrate(model: ImageModel, training: LabelledPhotos, batch_size: int, seed: int) -> None:
    """Fits the statistics of batch norm to some of the training photos, for random weights."""
    order = np.random.default_rng(seed).permutation(len(training))
    rows = order[:CALIBRATION_PHOTOS]
    batches = np.array_split(rows, -(-len(rows) // batch_size))
    photos = central_photos(training, model).stream(batches, 0)
    inception.calibrate(model.network, (batch for (batch,) in photos))


def train_last_layer(
    model: ImageModel,
    training: LabelledPhotos,
    validation: LabelledPhotos,
    schedule: Schedule,
    views: int,
    folder: Path,
    progress: Progress,
) -> list[Evaluation]:
    """Step (a): runs the frozen network over the photos once, and trains on what it gave.

    Args:
      model: its last layer is trained.
      training: what is learned from.
      validation: what says when to stop.
      schedule: how, and for how long.
      views: of each training photo; the first is the central one, the others are random.
      folder: where vectors and state are kept, and found again by a later call.
      progress: hears of every photo.
    """
    keras = import_tensorflow().keras
    forward = compiled(model.network, inception.VECTORS)

    def vectors(part: str, photos: LabelledPhotos, views: int) -> Vectors:
        def batches(done: int) -> Iterator[Vectors]:
            rows = range(views * len(photos))
            read = _view_reader(model, photos, schedule.seed)
            with progress.task(f"vectors, {part}", len(rows), "images", done) as task:
                for (made,) in run(forward, read, rows[done:], schedule.batch_size):
                    yield made
                    task.advance(len(made))

        return append_rows(folder / f"{part}.vectors", model.dimension, batches)

    vector = keras.Input([model.dimension])
    return train(
        keras.Model(vector, model.last_layer(vector)),
        stored_vectors(vectors("train", training, views), training.labels),
        stored_vectors(vectors("validation", validation, 1), validation.labels),
        schedule,
        folder / "last_layer.npz",
        progress,
        "last layer",
    )


def _view_reader(model: ImageModel, photos: LabelledPhotos, seed: int) -> Callable[[int], Photos]:
    """Reads view k // n of photo k % n; view 0 is the central one."""

    def read(k: int) -> Photos:
        view, row = divmod(k, len(photos))
        if view == 0:
            return model.read(photos.paths[row])
        return augmented_view(photos.paths[row], model.side, (seed, view, row))

    return read


def train_all_layers(
    model: ImageModel,
    training: LabelledPhotos,
    validation: LabelledPhotos,
    schedule: Schedule,
    folder: Path,
    progress: Progress,
) -> "tuple[list[Evaluation], keras.Model]":
    """Step (b): trains all layers on the photos, another random view of each in every epoch.

    Args:
      model: what is trained.
      training: what is learned from.
      validation: what says when to slow down and to stop.
      schedule: how, and for how long.
      folder: where the state is kept, and found again by a later call.
      progress: hears of every photo.

    Returns:
      The history, and the auxiliary head: mixed7 -> logits.
    """
    keras = import_tensorflow().keras
    backbone = model.backbone
    auxiliary = inception.auxiliary_head(backbone, model.last_layer.units)
    dropped = keras.layers.Dropout(DROPOUT)(backbone.output)
    mixed7 = backbone.get_layer(inception.AUXILIARY_INPUT).output
    history = train(
        keras.Model(backbone.input, [model.last_layer(dropped), auxiliary(mixed7)]),
        augmented_photos(training, model.side, schedule.seed),
        central_photos(validation, model),
        schedule,
        folder / "all_layers.npz",
        progress,
        "all layers",
    )
    return history, auxiliary
