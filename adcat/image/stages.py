"""The two stages in which the image classifier is trained (thesis, section 4.3.2).

(a) the last layer only, on vectors that the frozen network makes once; (b) all layers.
"""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adcat.image import inception
from adcat.image.backbones import VECTORS
from adcat.image.classifier import ImageModel
from adcat.image.frozen import Crops, run_once
from adcat.image.inference import compiled
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.learning.examples import stored
from adcat.learning.runtime import import_tensorflow
from adcat.learning.schedule import Evaluation
from adcat.learning.training_loop import Run, train
from adcat.probabilities import softmax
from adcat.types import Labels, Probs, Vectors

if TYPE_CHECKING:
    import keras

SPREAD = 0.3  # of the scaled vectors: with more, RMSprop of A.3.2 overshoots
SPREAD_FLOOR = 0.01  # of the least varying direction, relative to the mean
PRIOR_VARIANCE = 0.1  # of the weights on vectors of spread 1, measured on real and drawn photos
BLOCK = 8192  # vectors in memory at a time
DROPOUT = 0.2  # before the last layer while all layers are trained, as in TF-Slim


class Stored(NamedTuple):
    """What the frozen network made of photos, and the categories of their ads."""

    vectors: Vectors  # [crops × n, dimension]
    labels: Labels  # [n]


def frozen_vectors(
    model: ImageModel, images: LabelledImages, run: Run, stem: str, crops: int = 1
) -> Vectors:
    """Runs the network over photos once, its weights as they are: [crops × n, dimension].

    Args:
      model: the network.
      images: the photos.
      run: the training that the vectors are for, and where they are kept.
      stem: the name of their file.
      crops: of each photo; the first is the central one, the others are random.
    """
    forward = compiled(model.network, VECTORS)
    of_images = Crops(model, images, crops, run.schedule.seed)
    path = run.checkpoint.with_name(f"{stem}.vectors")
    return run_once(forward, of_images, [model.dimension], path, run)


def train_last_layer(
    model: ImageModel,
    training: Stored,
    validation: Stored,
    run: Run,
    scaled: bool,
    title: str = "last layer",
) -> list[Evaluation]:
    """Stage (a): trains the last layer on vectors of the frozen network.

    Args:
      model: its last layer is trained.
      training: what is learned from.
      validation: what says when to stop.
      run: how, for how long, and where the state is kept.
      scaled: whether it learns behind a scaling of the vectors, as a random network needs;
        ImageNet's are on one scale, and do a little better left alone.
      title: what the progress calls it.
    """
    keras = import_tensorflow().keras
    vector = keras.Input([model.dimension])
    examples = stored(*training), stored(*validation)
    if not scaled:
        return train(keras.Model(vector, model.last_layer(vector)), *examples, run, title)
    layer, scale = last_layer_of(training.vectors, model.last_layer.units)
    network = keras.Model(vector, layer(scale(vector)))
    history = train(network, *examples, run, title)
    model.last_layer.set_weights(folded(layer, scale))
    return history


def out_of_fold_probs(
    model: ImageModel,
    training: Stored,
    validation: Stored,
    cuts: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]],
    run: Run,
    scaled: bool,
) -> Probs:
    """Probabilities of the training photos by last layers that did not see them: [n, categories].

    Args:
      model: its last layer says how each one starts, and is changed.
      training: all that is learned from.
      validation: what says when to stop.
      cuts: the photos outside and inside of each fold.
      run: how, for how long, and where the states are kept.
      scaled: as in `train_last_layer`.
    """
    vectors, labels = training
    start = model.last_layer.get_weights()
    probs = np.zeros((len(labels), model.last_layer.units), np.float32)
    first_of_crops = np.arange(0, len(vectors), len(labels))[:, None]
    for k, (seen, left_out) in enumerate(cuts, 1):
        model.last_layer.set_weights(start)
        rows = (first_of_crops + seen).ravel()
        of_fold = dataclasses.replace(run, checkpoint=run.checkpoint.with_name(f"fold {k}.npz"))
        learned_from = Stored(vectors[rows], labels[seen])
        title = f"last layer without fold {k}"
        train_last_layer(model, learned_from, validation, of_fold, scaled, title)
        kernel, bias = model.last_layer.get_weights()
        probs[left_out] = softmax(vectors[left_out] @ kernel + bias)
    return probs


def last_layer_of(vectors: Vectors, categories: int) -> "tuple[keras.Layer, keras.Layer]":
    """Makes a last layer, and the scaling of vectors that it learns behind.

    Scaled, every direction of the vectors counts alike, however weak it left the frozen network.
    The layer's weights have a Gaussian prior of one strength whatever the number of ads, so that a
    few hundred photos are not learned by heart.

    Args:
      vectors: of the training photos [n, dimension].
      categories: outputs of the layer.
    """
    keras = import_tensorflow().keras
    mean, variance = moments(vectors)
    floor = np.square(SPREAD_FLOOR) * variance.mean()  # keeps what hardly varies from exploding
    variance = np.maximum(variance, floor) / np.square(SPREAD)
    scale = keras.layers.Normalization(mean=mean, variance=variance)
    prior = keras.regularizers.L2(np.square(SPREAD) / (2 * PRIOR_VARIANCE * len(vectors)))
    start = inception.truncated_normal()
    layer = keras.layers.Dense(categories, kernel_initializer=start, kernel_regularizer=prior)
    return layer, scale


def moments(vectors: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of every column, reading some rows at a time: [dimension] each."""
    starts = range(0, len(vectors), BLOCK)
    mean, variance = np.zeros((2, vectors.shape[1]))
    for start in starts:
        mean += vectors[start : start + BLOCK].sum(axis=0, dtype=np.float64) / len(vectors)
    for start in starts:
        variance += np.square(vectors[start : start + BLOCK] - mean).sum(axis=0) / len(vectors)
    return mean, variance


def folded(layer: "keras.Layer", scale: "keras.Layer") -> list[np.ndarray]:
    """The weights that give unscaled vectors the same logits: kernel and bias."""
    kernel, bias = layer.get_weights()
    spread = np.sqrt(np.asarray(scale.variance)).ravel()
    shift = (np.asarray(scale.mean).ravel() / spread) @ kernel
    return [kernel / spread[:, None], bias - shift]


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
    auxiliary = fresh_auxiliary(model)
    history = train(
        training_network(model, auxiliary),
        augmented_images(training, model.side, run.schedule.seed),
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
