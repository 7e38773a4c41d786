"""The networks for photos: what training, prediction and attention have to know of each.

To add one, write what builds it and its entry in `BACKBONES`.
"""

import contextlib
import dataclasses
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from adcat.errors import BadInputError
from adcat.image import inception, lite0
from adcat.learning.keras_files import load_network
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"
VECTORS = "vectors"  # the layer whose output the last layer reads
Point: TypeAlias = Literal["a", "b", "c", "d", "e"]  # where attention can be inserted


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network from photos [n, side, side, 3] in [-1, 1] to maps, whose mean is the vector."""

    name: str
    in_words: str
    build: Callable[[int, bool], "keras.Model"]  # side, with ImageNet's weights or random ones
    side: int  # of photos, by default
    smallest_side: int = 32
    points: Mapping[str, str] = dataclasses.field(default_factory=dict)  # layer before each
    auxiliary_input: str = ""  # the layer that an auxiliary head reads, if it has one
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # unlike the thesis'


def _of_keras(name: str, side: int) -> Backbone:
    """A network of Keras' own, which expects pixels from 0 to 255."""

    def build(side: int, is_pretrained: bool) -> "keras.Model":
        keras = import_tensorflow().keras
        photos = keras.Input((side, side, 3))
        pixels = keras.layers.Rescaling(127.5, 127.5, name="pixels")(photos)
        weights = IMAGENET if is_pretrained else None
        return getattr(keras.applications, name)(
            include_top=False, weights=weights, input_tensor=pixels
        )

    return Backbone("", f"Keras' {name}", build, side)


_ALL = (
    Backbone(
        inception.NAME,
        "Inception v3, the thesis' network",
        inception.build,
        side=299,
        smallest_side=inception.SMALLEST_SIDE,
        points=inception.POINTS,
        auxiliary_input=inception.AUXILIARY_INPUT,
    ),
    Backbone(
        lite0.NAME,
        "EfficientNet-Lite0, whose ImageNet weights are in the package: several times as fast",
        lite0.build,
        side=224,
        points=lite0.POINTS,
        recipe=lite0.RECIPE,
    ),
    *(
        dataclasses.replace(_of_keras(of_keras, side), name=name)
        for name, of_keras, side in (
            ("efficientnet-v2-b0", "EfficientNetV2B0", 224),
            ("efficientnet-v2-b1", "EfficientNetV2B1", 240),
            ("efficientnet-v2-b2", "EfficientNetV2B2", 260),
            ("efficientnet-v2-b3", "EfficientNetV2B3", 300),
            ("efficientnet-v2-s", "EfficientNetV2S", 384),
            ("convnext-tiny", "ConvNeXtTiny", 224),
            ("mobilenet-v3-small", "MobileNetV3Small", 224),
            ("mobilenet-v3-large", "MobileNetV3Large", 224),
        )
    ),
)

BACKBONES: Mapping[str, Backbone] = {backbone.name: backbone for backbone in _ALL}


def build(backbone: Backbone, side: int, weights: str | None) -> "keras.Model":
    """Builds a backbone: photos [n, side, side, 3] -> vectors [n, dimension].

    A vector is the mean over all positions of the last maps, which is what the last layer reads.

    Args:
      backbone: which one.
      side: height and width of the photos in pixels.
      weights: "imagenet"; a file of weights without the top layers (`.h5`, `.weights.h5`) or of a
        model (`.keras`); None for random ones.

    Raises:
      BadInputError: the photos are too small, or the weights cannot be found or are of another
        network.
    """
    if side < backbone.smallest_side:
        raise BadInputError(
            f"{backbone.name} needs photos of {backbone.smallest_side} pixels at least, not {side}"
        )
    keras = import_tensorflow().keras
    body = _imagenet(backbone, side) if weights == IMAGENET else backbone.build(side, False)
    vectors = keras.layers.GlobalAveragePooling2D(name=VECTORS)(body.output)
    network = keras.Model(body.inputs[0], vectors, name=backbone.name.replace("-", "_"))
    if weights not in (None, IMAGENET):
        load_weights(network, backbone, Path(weights))
    return network


def _imagenet(backbone: Backbone, side: int) -> "keras.Model":
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras draws the download there
            return backbone.build(side, True)
    except Exception as error:  # Keras raises plain Exception where the download fails
        raise BadInputError(
            f"cannot get the ImageNet weights of {backbone.name} ({error}); type: --backbone "
            f"{lite0.NAME}, whose weights are in the package, or get Keras' weights without top "
            "layers (notop.h5) elsewhere and pass them: --weights PATH"
        ) from None


def load_weights(network: "keras.Model", backbone: Backbone, path: Path) -> None:
    """Gives what `build` returned the weights of a file.

    Raises:
      BadInputError: it holds none of this network.
    """
    try:
        if path.suffix == ".keras":
            _copy_weights(load_network(path), network, backbone)
        else:
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise nearly anything
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadInputError(
            f"{path} holds no weights of {backbone.name}: {reason}\n"
            "expected a .h5, .weights.h5 or .keras file of the network without its top layers"
        ) from None


def _copy_weights(source: "keras.Model", network: "keras.Model", backbone: Backbone) -> None:
    """Copies layer by layer; what stands behind the last of them, such as a top, is left."""
    theirs = [layer for layer in source.layers if layer.weights]
    mine = [layer for layer in network.layers if layer.weights]
    if len(theirs) < len(mine):
        raise ValueError(f"it has {len(theirs)} layers with weights, {backbone.name} {len(mine)}")
    for layer, found in zip(mine, theirs, strict=False):
        layer.set_weights(found.get_weights())
