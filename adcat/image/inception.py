"""Inception v3: the network, its weights and its auxiliary head (thesis, sections 3.2.1, 4.3.2).

It is Keras' network as it is, so that its layers keep their names (`mixed0` .. `mixed10`).
"""

from typing import TYPE_CHECKING

from adcat.learning.initial_weights import truncated_normal
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

NAME = "inception-v3"
STEM = "stem"  # the layer before mixed0
AUXILIARY_INPUT = "mixed7"  # Mixed_6e of TF-Slim
SMALLEST_SIDE = 75  # below it Keras' network has no room for its poolings
# The layer before the attention. The thesis counts eleven modules, so the two that reduce the maps
# count as well, and mixed0 is the first of them: before the 1st, 4th, 6th, 9th and 11th.
POINTS = {"a": STEM, "b": "mixed2", "c": "mixed4", "d": "mixed7", "e": "mixed9"}


def build(side: int, is_pretrained: bool) -> "keras.Model":
    """Builds the network: photos [n, side, side, 3] in [-1, 1] -> maps [n, height, width, 2048].

    Args:
      side: height and width of the photos in pixels.
      is_pretrained: with ImageNet's weights, from Keras' cache or downloaded, or with random ones.
    """
    build = import_tensorflow().keras.applications.InceptionV3
    weights = "imagenet" if is_pretrained else None
    network = build(include_top=False, weights=weights, input_shape=(side, side, 3))
    poolings = [layer for layer in network.layers if layer.name.startswith("max_pooling2d")]
    poolings[1].name = STEM  # Keras numbers these by how many it has made
    return network


def auxiliary_head(network: "keras.Model", categories: int) -> "keras.Model":
    """Builds the classifier that hangs on mixed7 while all layers are trained, as in TF-Slim.

    Pool 5×5 by 3, convolutions 1×1 to 128 and full-size to 768, logits. Where the map is smaller
    than 5×5, the pool is as small as the map.

    Args:
      network: what `build` returned.
      categories: how many.

    Returns:
      mixed7 [n, height, width, 768] -> logits [n, categories].
    """
    keras = import_tensorflow().keras
    maps = keras.Input(network.get_layer(AUXILIARY_INPUT).output.shape[1:])
    pooled = keras.layers.AveragePooling2D([min(5, length) for length in maps.shape[1:3]], 3)(maps)
    hidden = _convolution(pooled, 128, (1, 1), "glorot_uniform")
    hidden = _convolution(hidden, 768, hidden.shape[1:3], truncated_normal())
    flat = keras.layers.Flatten()(hidden)
    logits = keras.layers.Dense(categories, kernel_initializer=truncated_normal(0.001))(flat)
    return keras.Model(maps, logits, name="auxiliary")


def _convolution(maps, filters: int, kernel, initializer):
    """Convolution, batch norm, ReLU, with Inception's own settings."""
    layers = import_tensorflow().keras.layers
    maps = layers.Conv2D(filters, kernel, use_bias=False, kernel_initializer=initializer)(maps)
    return layers.ReLU()(layers.BatchNormalization(scale=False)(maps))
