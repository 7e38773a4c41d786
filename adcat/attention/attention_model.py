"""The attention model: the image classifier's network with the attention step inside."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.config import AttentionConfig
from adcat.attention.insertion import Cut, cut
from adcat.attention.step import attention_step
from adcat.data.images import Images
from adcat.errors import expecting
from adcat.image import classifier
from adcat.image.classifier import ImageModel
from adcat.image.inference import fold_batch_norm
from adcat.image.last_layer import moments
from adcat.learning.runtime import import_tensorflow
from adcat.types import Probs, Vectors

if TYPE_CHECKING:
    import keras

ATTENTION = "attention"
LATE_TEXT = "late_text"
TEXT = "text_vectors"
STANDARDISED = "standardised_text"
PARTS = ("below", ATTENTION, "above", STANDARDISED, classifier.LAST_LAYER)

Weights: TypeAlias = NDArray[np.float32]  # α of some ads: [n, keys]
Forward: TypeAlias = Callable[[Images, Vectors], tuple[Probs, Weights, Vectors]]


@dataclasses.dataclass(frozen=True, slots=True)
class AttentionModel:
    """A classifier of ads from their photo and their text vector.

    Its parts are layers of the network: `below` and `above` the attention step, the step itself,
    the last layer, and the late text if the text is fed to the last layer too.
    """

    network: "keras.Model"  # photos, text vectors -> probabilities [n, categories], α [n, keys]
    image: ImageModel  # whose preprocessing it shares

    @property
    def parts(self) -> Cut:
        """The network without the step: photos -> maps, and maps -> vectors."""
        return Cut(self.network.get_layer("below"), self.network.get_layer("above"))

    @property
    def step(self) -> "keras.Model":
        """The attention step: maps, text vectors -> maps, α."""
        return self.network.get_layer(ATTENTION)

    @property
    def map_shape(self) -> tuple[int, int]:
        """Height and width in positions of the maps that are attended to."""
        height, width, _ = self.parts.below.output.shape[1:]
        return height, width

    def standardised(self, text: Any) -> Any:
        """Text vectors [n, dimension] as the step takes them."""
        return self.network.get_layer(STANDARDISED)(text)

    def logits(self, vectors: Any, text: Any) -> Any:
        """The logits of image vectors [n, dimension] and standardised text: [n, categories]."""
        logits = self.network.get_layer(classifier.LAST_LAYER)(vectors)
        if any(layer.name == LATE_TEXT for layer in self.network.layers):
            logits = logits + self.network.get_layer(LATE_TEXT)(text)
        return logits


def build(image: ImageModel, text_vectors: Vectors, config: AttentionConfig) -> AttentionModel:
    """Inserts attention into a trained image classifier, whose layers are shared.

    Args:
      image: the classifier.
      text_vectors: of the training ads, for the standardisation: [n, dimension].
      config: where and how.
    """
    keras = import_tensorflow().keras
    below, above = cut(image, config.insert_at)
    shape, dimension = below.output.shape[1:], text_vectors.shape[1]
    how = config.over, config.form, config.scale, config.initial_deviation
    step = attention_step(shape, dimension, *how)
    mean, variance = moments(text_vectors) if config.standardise else (0.0, 1.0)
    images = keras.Input(image.network.input.shape[1:], name="photos")
    text = keras.Input([dimension], name=TEXT)
    t = keras.layers.Normalization(mean=mean, variance=variance, name=STANDARDISED)(text)
    maps, alpha = step([below(images), t])
    logits = image.last_layer(above(maps))
    if config.late_text:
        late = {"use_bias": False, "kernel_initializer": "zeros", "name": LATE_TEXT}
        logits = logits + keras.layers.Dense(logits.shape[-1], **late)(t)
    probs = keras.layers.Softmax(name=classifier.PROBABILITIES)(logits)
    return AttentionModel(keras.Model([images, text], [probs, alpha], name="attend"), image)


def save(model: AttentionModel, folder: Path) -> None:
    """Writes the network and its preprocessing."""
    classifier.save(dataclasses.replace(model.image, network=model.network), folder)


def load(folder: Path, categories: int | None = None, text: int | None = None) -> AttentionModel:
    """Reads what `save` wrote.

    Args:
      folder: holds it.
      categories: how many there must be, if that is known.
      text: the length that text vectors must have, if that is known.

    Raises:
      BadInputError: the folder does not hold an attention model.
    """
    image = classifier.load(folder, categories, PARTS)
    with expecting(folder / classifier.NETWORK, "attention model"):
        _, (_, length) = (tensor.shape for tensor in image.network.inputs)
        if length != (text or length):
            raise ValueError(f"it reads text vectors of length {length}, expected {text}")
    return AttentionModel(image.network, image)


def compiled(model: AttentionModel) -> Forward:
    """Compiles the network with its present weights, for prediction.

    Returns:
      A function from photos and text vectors to probabilities, α and what the last layer reads of
      the photos [n, dimension].
    """
    tf = import_tensorflow()
    below, above = map(fold_batch_norm, model.parts)
    images, text = (tf.TensorSpec(x.shape, x.dtype) for x in model.network.inputs)

    @tf.function(input_signature=[images, text])
    def run(images, text):
        t = model.standardised(text)
        maps, alpha = model.step([below(images, training=False), t])
        vectors = above(maps, training=False)
        return tf.nn.softmax(model.logits(vectors, t)), alpha, vectors

    def forward(images: Images, text: Vectors) -> tuple[Probs, Weights, Vectors]:
        probs, alpha, vectors = run(images, np.asarray(text))
        return probs.numpy(), alpha.numpy(), vectors.numpy()

    return forward
