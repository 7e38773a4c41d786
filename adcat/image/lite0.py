"""EfficientNet-Lite0 (Tan and Le, 2019): a network for photos that a laptop can run and train.

It is TensorFlow's EfficientNet-Lite: no squeeze-and-excitation, ReLU6 for swish. Its ImageNet
weights are in the package; `weights/README.md` says where they come from.
"""

import itertools
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

NAME = "efficientnet-lite0"
WEIGHTS = resources.files("adcat.image") / "weights" / "efficientnet_lite0.npz"
NORM = "_norm"  # ends the names of batch norms
EPSILON = 0.001  # of batch norm
PIXELS = 127.5 / 128, 0.5 / 128  # factor and offset from [-1, 1] to (x - 127) / 128


class Stage(NamedTuple):
    """Blocks with maps of one shape."""

    blocks: int
    channels: int
    kernel: int
    stride: int  # of the first block
    expansion: int


STAGES = (
    Stage(1, 16, 3, 1, 1),
    Stage(2, 24, 3, 2, 6),
    Stage(2, 40, 5, 2, 6),
    Stage(3, 80, 3, 2, 6),
    Stage(3, 112, 5, 1, 6),
    Stage(4, 192, 5, 2, 6),
    Stage(1, 320, 3, 1, 6),
)
# The layer before the attention, each the last one of maps of one shape: 56, 28, 14, 14 and 7
# positions a side at 224 pixels, as Inception's are 35, 35, 17, 17 and 8.
POINTS = {point: f"block{k}_add" for point, k in zip("abcde", (2, 4, 7, 10, 14), strict=True)}
STEM, HEAD = 32, 1280  # channels
# How all layers are trained on some thousand photos.
RECIPE = {
    "optimizer": "adam",
    "learning_rate": 0.0003,
    "decay": "cosine",
    "epochs": 8,
    "batch_norm": "frozen",
    "crop_area": 0.5,
}


def build(side: int, is_pretrained: bool) -> "keras.Model":
    """Builds the network: photos [n, side, side, 3] in [-1, 1] -> maps [n, side/32, side/32, 1280].

    Its layers are called after their block, the last of most blocks `block2_add`.

    Args:
      side: height and width of the photos in pixels.
      is_pretrained: with ImageNet's weights, or with random ones.
    """
    keras = import_tensorflow().keras
    photos = keras.Input((side, side, 3))
    maps = keras.layers.Rescaling(*PIXELS, name="pixels")(photos)
    maps = _convolution(maps, "stem", STEM, 3, 2)
    number = itertools.count()
    for stage in STAGES:
        for k in range(stage.blocks):
            maps = _block(maps, f"block{next(number)}", stage, stage.stride if k == 0 else 1)
    network = keras.Model(photos, _convolution(maps, "head", HEAD, 1))
    if is_pretrained:
        _load_imagenet(network)
    return network


def _load_imagenet(network: "keras.Model") -> None:
    with WEIGHTS.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        for layer in network.layers:
            if layer.name in stored:
                arrays = stored[layer.name].astype(np.float32)
                layer.set_weights(arrays if layer.name.endswith(NORM) else [arrays])


def _block(maps: Any, name: str, stage: Stage, stride: int) -> Any:
    """Expand, depthwise convolution, project; added to the input where the shape stays."""
    layers, channels, new = import_tensorflow().keras.layers, maps.shape[-1], maps
    if stage.expansion > 1:
        new = _convolution(new, f"{name}_expand", channels * stage.expansion, 1)
    new = _convolution(new, f"{name}_depthwise", None, stage.kernel, stride)
    new = _convolution(new, f"{name}_project", stage.channels, 1, is_linear=True)
    stays = stride == 1 and channels == stage.channels
    return layers.Add(name=f"{name}_add")([new, maps]) if stays else new


def _convolution(
    maps: Any,
    name: str,
    filters: int | None,
    kernel: int,
    stride: int = 1,
    *,
    is_linear: bool = False,
) -> Any:
    """Convolution (without `filters` depthwise), batch norm, and ReLU6 unless it is linear."""
    layers = import_tensorflow().keras.layers
    how = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
    if filters is None:
        maps = layers.DepthwiseConv2D(kernel, depthwise_initializer="he_normal", **how)(maps)
    else:
        maps = layers.Conv2D(filters, kernel, kernel_initializer="he_normal", **how)(maps)
    maps = layers.BatchNormalization(epsilon=EPSILON, name=name + NORM)(maps)
    return maps if is_linear else layers.ReLU(6.0, name=f"{name}_relu")(maps)
