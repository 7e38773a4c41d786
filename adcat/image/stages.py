"""The two stages in which the image classifier is trained (thesis, section 4.3.2).

(a) the last layer only, on vectors that the frozen network makes once; (b) all layers.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adcat.image import inception
from adcat.image.classifier import ImageModel
from adcat.image.frozen import Crops, run_once
from adcat.image.inference import compiled
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.learning.examples import stored
from adcat.learning.runtime import import_tensorflow
from adcat.learning.schedule import Evaluation
from adcat.learning.training_loop import Run, train
from adcat.types import Vectors

if TYPE_CHECKING:
    import keras

SPREAD = 0.3  # of the scaled vectors: with more, RMSprop of A.3.2 overshoots
SPREAD_FLOOR = 0.01  # of the least varying direction, relative to the mean
PRIOR_VARIANCE = 0.1  # of the weights on vectors of spread 1, measured on real and drawn photos
BLOCK = 8192  # vectors in memory at a time
DROPOUT = 0.2  # before the last layer while all layers are trained, as in TF-Slim


def train_last_layer(
    model: ImageModel,
    training: LabelledImages,
    validation: LabelledImages,
    run: Run,
    crops: int,
    scaled: bool,
) -> list[Evaluation]:
    """Stage (a): runs the frozen network over the photos once, and trains on its vectors.

    Args:
      model: its last layer is trained.
      training: what is learned from.
      validation: what says when to stop.
      run: how, for how long, and where state and vectors are kept.
      crops: of each training photo; the first is the central one, the others are random.
      scaled: whether it learns behind a scaling of the vectors, as a random network needs;
        ImageNet's are on one scale, and do a little better left alone.
    """
    forward = compiled(model.network, inception.VECTORS)

    def vectors(part: str, images: LabelledImages, crops: int) -> Vectors:
        path = run.checkpoint.with_name(f"{part}.vectors")
        crops_of = Crops(model, images, crops, run.schedule.seed)
        return run_once(forward, crops_of, [model.dimension], path, run)

    made = vectors("train", training, crops)
    examples = (
        stored(made, training.labels),
        stored(vectors("validation", validation, 1), validation.labels),
    )
    keras = import_tensorflow().keras
    vector = keras.Input([model.dimension])
    if not scaled:
        network = keras.Model(vector, model.last_layer(vector))
        return train(network, *examples, run, "last layer")
    layer, scale = last_layer_of(made, model.last_layer.units)
    network = keras.Model(vector, layer(scale(vector)))
    history = train(network, *examples, run, "last layer")
    model.last_layer.set_weights(folded(layer, scale))
    return history


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
    scale = keras.layers.Normalization(
        mean=mean, variance=np.maximum(variance, floor) / np.square(SPREAD)
    )
    prior = keras.regularizers.L2(np.square(SPREAD) / (2 * PRIOR_VARIANCE * len(vectors)))
    return (
        keras.layers.Dense(
            categories,
            kernel_initializer=inception.truncated_normal(),
            kernel_regularizer=prior,
        ),
        scale,
    )


def moments(vectors: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of every column, reading some rows at a time: [dimension] each."""
    starts = range(0, len(vectors), BLOCK)
    mean = np.zeros(vectors.shape[1])
    for start in starts:
        mean += vectors[start : start + BLOCK].sum(axis=0, dtype=np.float64) / len(vectors)
    variance = np.zeros(vectors.shape[1])
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
    model: ImageModel,
    training: LabelledImages,
    validation: LabelledImages,
    run: Run,
) -> "tuple[list[Evaluation], keras.Model]":
    """Stage (b): trains all layers on the photos, another random crop of each in every epoch.

    Args:
      model: what is trained.
      training: what is learned from.
      validation: what says when to slow down and to stop.
      run: how, for how long, and where the state is kept.

    Returns:
      The history, and the auxiliary head: mixed7 -> logits.
    """
    auxiliary = inception.auxiliary_head(model.backbone, model.last_layer.units)
    history = train(
        training_network(model, auxiliary),
        augmented_images(training, model.side, run.schedule.seed),
        central_images(validation, model),
        run,
        "all layers",
    )
    return history, auxiliary


def training_network(model: ImageModel, auxiliary: "keras.Model") -> "keras.Model":
    """The network with dropout and the auxiliary head: photos -> logits, auxiliary logits."""
    keras = import_tensorflow().keras
    backbone = model.backbone
    dropped = keras.layers.Dropout(DROPOUT)(backbone.output)
    mixed7 = backbone.get_layer(inception.AUXILIARY_INPUT).output
    return keras.Model(backbone.input, [model.last_layer(dropped), auxiliary(mixed7)])
