"""Inception v3: the network, its weights and its auxiliary head (thesis, sections 3.2.1, 4.3.2).

It is Keras' network as it is, so that its layers keep their names (`mixed0` .. `mixed10`).
"""

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.errors import BadInputError
from adcat.learning.keras_files import load_network
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

NAME = "inception_v3"
VECTORS = "vectors"  # the layer whose output the last layer reads
AUXILIARY_INPUT = "mixed7"  # Mixed_6e of TF-Slim
SMALLEST_SIDE = 75  # below it Keras' network has no room for its poolings
IMAGENET = "imagenet"


def build(side: int, weights: str | None) -> "keras.Model":
    """Builds the network: photos [n, side, side, 3] -> vectors [n, 2048].

    The vectors are the mean over all positions of mixed10, which is what the last layer reads.

    Args:
      side: height and width of the photos in pixels.
      weights: "imagenet" for Keras' own, from its cache or downloaded; a file of weights without
        the top layers (`.h5`, `.weights.h5`) or of a model (`.keras`); None for random ones.

    Raises:
      BadInputError: the weights cannot be found, or are not those of Inception v3.
    """
    keras = import_tensorflow().keras
    body = _imagenet(side) if weights == IMAGENET else _keras_network(side)
    vectors = keras.layers.GlobalAveragePooling2D(name=VECTORS)(body.output)
    network = keras.Model(body.input, vectors, name=NAME)
    if weights not in (None, IMAGENET):
        load_weights(network, Path(weights))
    return network


def _keras_network(side: int, weights: str | None = None) -> "keras.Model":
    build = import_tensorflow().keras.applications.InceptionV3
    return build(include_top=False, weights=weights, input_shape=(side, side, 3))


def _imagenet(side: int) -> "keras.Model":
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras draws the download there
            return _keras_network(side, IMAGENET)
    except Exception as error:  # Keras raises plain Exception where the download fails
        raise BadInputError(
            f"cannot get the ImageNet weights ({error}); download Keras' "
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 elsewhere and pass it: "
            "--weights PATH"
        ) from None


def load_weights(network: "keras.Model", path: Path) -> None:
    """Gives what `build` returned the weights of a file.

    Raises:
      BadInputError: it holds none of Inception v3.
    """
    try:
        if path.suffix == ".keras":
            _copy_weights(load_network(path), network)
        else:
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise nearly anything
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadInputError(
            f"{path} holds no weights of Inception v3: {reason}\n"
            "expected a .h5, .weights.h5 or .keras file of Keras' InceptionV3(include_top=False)"
        ) from None


def _copy_weights(source: "keras.Model", network: "keras.Model") -> None:
    """Copies layer by layer; what stands behind the last of them, such as a top, is left."""
    theirs = [layer for layer in source.layers if layer.weights]
    mine = [layer for layer in network.layers if layer.weights]
    if len(theirs) < len(mine):
        raise ValueError(f"it has {len(theirs)} layers with weights, Inception v3 {len(mine)}")
    for layer, found in zip(mine, theirs, strict=False):
        layer.set_weights(found.get_weights())


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


def truncated_normal(spread: float = 0.01) -> "keras.Initializer":
    """N(0, spread), samples beyond 2 standard deviations drawn again (thesis, section 4.2)."""
    return import_tensorflow().keras.initializers.TruncatedNormal(0.0, spread)
