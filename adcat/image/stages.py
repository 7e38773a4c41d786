"""The two stages in which the image classifier is trained (thesis, section 4.3.2).

(a) the last layer only, on vectors of the frozen network; (b) all layers. Where it is left at (a),
`last_layer.py` fits the layer instead.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adcat.image import inception
from adcat.image.backbones import VECTORS
from adcat.image.classifier import ImageModel
from adcat.image.inference import Engine, compiled
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.learning.examples import Examples, Inputs, Rows
from adcat.learning.runtime import import_tensorflow
from adcat.learning.schedule import BatchNorm, Evaluation, best
from adcat.learning.training_loop import Run, train
from adcat.tables import Column, Table, percent
from adcat.types import Labels, Vectors

if TYPE_CHECKING:
    import keras

DROPOUT = 0.2  # before the last layer while all layers are trained, as in TF-Slim


class Stored(NamedTuple):
    """What the frozen network made of photos, and the categories of their ads."""

    vectors: Vectors  # [crops × n, dimension]
    labels: Labels  # [n]


def augmented_vectors(
    model: ImageModel, engine: Engine, images: LabelledImages, seed: int
) -> Examples:
    """What the frozen network makes of another random crop of each photo in every epoch."""
    augmented = augmented_images(images, model.side, seed)
    forward = compiled(model.network, VECTORS, engine=engine)

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        return (tuple(forward(photos)) for (photos,) in augmented.stream(batches, epoch))

    return Examples(images.labels, stream)


def train_last_layer(
    model: ImageModel, training: Examples, validation: Examples, run: Run
) -> list[Evaluation]:
    """Stage (a): trains the last layer on vectors of the frozen network.

    Args:
      model: its last layer is trained.
      training: what is learned from.
      validation: what says when to stop.
      run: how, for how long, and where the state is kept.
    """
    keras = import_tensorflow().keras
    vector = keras.Input([model.dimension])
    network = keras.Model(vector, model.last_layer(vector))
    return train(network, training, validation, run, "last layer")


def train_all_layers(
    model: ImageModel, training: LabelledImages, validation: LabelledImages, run: Run
) -> "tuple[list[Evaluation], keras.Model | None]":
    """Stage (b): trains all layers on the photos, another random crop of each in every epoch.

    Args:
      model: what is trained.
      training: what is learned from.
      validation: what says when to slow down and to stop.
      run: how, for how long, and where the state is kept.

    Returns:
      The history, and the auxiliary head, if the backbone has one: maps -> logits.
    """
    auxiliary, schedule = fresh_auxiliary(model), run.schedule
    network = training_network(model, auxiliary)
    train_batch_norm(network, schedule.batch_norm)
    history = train(
        network,
        augmented_images(training, model.side, schedule.seed, schedule.crop_area),
        central_images(validation, model),
        run,
        "all layers",
    )
    return history, auxiliary


def fresh_auxiliary(model: ImageModel) -> "keras.Model | None":
    """An auxiliary head, if the backbone has one: maps -> logits."""
    if not model.backbone.auxiliary_input:
        return None
    return inception.auxiliary_head(model.body, model.last_layer.units)


def training_network(model: ImageModel, auxiliary: "keras.Model | None") -> "keras.Model":
    """The network with dropout and the auxiliary head: photos -> logits, auxiliary logits."""
    keras, body = import_tensorflow().keras, model.body
    logits = [model.last_layer(keras.layers.Dropout(DROPOUT)(body.output))]
    if auxiliary:
        logits.append(auxiliary(body.get_layer(model.backbone.auxiliary_input).output))
    return keras.Model(body.input, logits)


def train_batch_norm(network: "keras.Model", how: BatchNorm) -> None:
    """Has the batch norms in a network trained, or left as they are, in inference mode."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            train_batch_norm(layer, how)
        elif isinstance(layer, import_tensorflow().keras.layers.BatchNormalization):
            layer.trainable = how == "trained"


def history_table(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
    """Every evaluation of each stage."""
    columns = [Column("stage"), *(Column(field.name) for field in dataclasses.fields(Evaluation))]
    rows = [
        (stage, *dataclasses.astuple(evaluation))
        for stage, history in histories.items()
        for evaluation in history
    ]
    return Table("Training of the image model", columns, rows)


def summary(histories: Mapping[str, Sequence[Evaluation]]) -> Table:
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
