"""The image classifier: a network, and the preprocessing that is part of its definition."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adcat.data.images import ImageFile, Images, central_crop
from adcat.errors import AGAIN, BadInputError, expecting
from adcat.files import write_json
from adcat.image import backbones
from adcat.image.backbones import BACKBONES, VECTORS, Backbone
from adcat.image.inference import norms_of_convolutions
from adcat.learning.initial_weights import truncated_normal
from adcat.learning.keras_files import load_network, save_network
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

NETWORK = "model.keras"
AUXILIARY = "auxiliary.keras"  # mixed7 -> auxiliary logits; only where all layers were trained
DEFINITION = "model.json"
FILES = (DEFINITION, NETWORK)  # that `load` needs
LAST_LAYER = "logits"
PROBABILITIES = "probabilities"
CENTRAL_FRACTION = 0.875  # TF-Slim's; the thesis does not state its own


@dataclasses.dataclass(frozen=True, slots=True)
class ImageModel:
    """A classifier of photos."""

    network: "keras.Model"  # photos [n, side, side, 3] -> probabilities [n, categories]
    backbone: Backbone  # that the network begins with
    side: int  # height and width of the photos in pixels
    central_fraction: float = CENTRAL_FRACTION
    layer: str = VECTORS  # whose outputs are an ad's vectors, those of maps as their mean

    @property
    def body(self) -> "keras.Model":
        """The network up to what the last layer reads: photos -> [n, dimension]."""
        keras = import_tensorflow().keras
        return keras.Model(self.network.input, self.network.get_layer(VECTORS).output)

    @property
    def last_layer(self) -> "keras.layers.Dense":
        """The layer from vectors to logits."""
        return self.network.get_layer(LAST_LAYER)

    @property
    def outputs(self) -> tuple[str, str]:
        """The layers of vectors and probabilities."""
        return self.layer, PROBABILITIES

    @property
    def dimension(self) -> int:
        """The length of an image vector."""
        return self.network.get_layer(self.layer).output.shape[-1]

    def at(self, layer: str) -> "ImageModel":
        """The same classifier with the vectors of another layer.

        Raises:
          BadInputError: the network lacks it, or its outputs are not maps.
        """
        if layer != VECTORS and layer not in (maps := self._maps()):
            layers = import_tensorflow().keras.layers
            of_modules = [
                name
                for name, each in maps.items()
                if isinstance(each, layers.Add | layers.Concatenate)
                or name in self.backbone.points.values()
            ]
            raise BadInputError(
                f"{self.backbone.name} has no layer {layer!r} of maps; its modules end with "
                f"{', '.join(of_modules)}; the last layer reads {VECTORS}"
            )
        return dataclasses.replace(self, layer=layer)

    def _maps(self) -> "dict[str, keras.Layer]":
        """The layers whose outputs are maps, and not changed where batch norm is folded."""
        folded = norms_of_convolutions(self.network)
        return {
            layer.name: layer
            for layer in self.network.layers
            if layer.name not in folded and len(getattr(layer.output, "shape", ())) == 4
        }

    def read(self, path: ImageFile) -> Images:
        """Reads a photo as the network expects it: [side, side, 3]."""
        return central_crop(path, self.side, self.central_fraction)

    def read_all(self, paths: Sequence[str]) -> Images:
        """Reads photos as the network expects them: [n, side, side, 3]."""
        return np.stack([self.read(path) for path in paths])


def build(backbone: Backbone, side: int, categories: int, weights: str | None) -> ImageModel:
    """Joins a backbone and a fresh last layer.

    Args:
      backbone: which one.
      side: height and width of the photos in pixels.
      categories: how many.
      weights: the backbone's: `imagenet`, a file, or None for random ones.
    """
    keras = import_tensorflow().keras
    body = backbones.build(backbone, side, weights)
    initializer = truncated_normal()
    last = keras.layers.Dense(categories, kernel_initializer=initializer, name=LAST_LAYER)
    probs = keras.layers.Softmax(name=PROBABILITIES)(last(body.output))
    return ImageModel(keras.Model(body.input, probs, name="image_classifier"), backbone, side)


def save(model: ImageModel, folder: Path) -> None:
    """Writes the network and its preprocessing."""
    read = {"image_size": model.side, "central_fraction": model.central_fraction}
    write_json(folder / DEFINITION, {"backbone": model.backbone.name, "pixels": [-1, 1], **read})
    save_network(model.network, folder / NETWORK)


def read_definition(folder: Path) -> tuple[Backbone, int, float]:
    """The backbone of an image classifier, the side of its photos, and their central fraction.

    Raises:
      BadInputError: the folder does not hold an image classifier.
    """
    path = folder / DEFINITION
    with expecting(path, "image model of adcat"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        backbone, side = BACKBONES[definition["backbone"]], int(definition["image_size"])
        fraction = float(definition["central_fraction"])
        if not 0 < fraction <= 1:
            raise ValueError(f"a central part of {fraction}")
    return backbone, side, fraction


def load(
    folder: Path,
    categories: int | None = None,
    layers: Sequence[str] = (),
) -> ImageModel:
    """Reads what `save` wrote.

    Args:
      folder: holds it.
      categories: how many there must be, if that is known.
      layers: that the network must have; by default those of a classifier.

    Raises:
      BadInputError: the folder does not hold an image classifier.
    """
    backbone, side, fraction = read_definition(folder)
    network = load_network(folder / NETWORK)
    images = network.inputs[0].shape[1:]
    if images != (side, side, 3):
        raise BadInputError(
            f"{folder / NETWORK} reads photos of shape {images}, "
            f"{DEFINITION} says {(side, side, 3)}; {AGAIN}"
        )
    with expecting(folder / NETWORK, "image model of adcat"):
        own = VECTORS, LAST_LAYER, PROBABILITIES, *backbone.points.values()
        for name in layers or own:
            network.get_layer(name)
        found = network.outputs[0].shape[1:]
        if len(found) != 1 or found[0] != (categories or found[0]):
            raise ValueError(
                f"its predictions are of shape {found}, expected {categories} categories"
            )
    return ImageModel(network, backbone, side, fraction)
