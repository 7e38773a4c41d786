"""Where attention is inserted into Inception v3 (thesis, section 4.7 and figure 4.9)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from adcat.image.inception import AUXILIARY_INPUT, VECTORS
from adcat.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras

Point: TypeAlias = Literal["a", "b", "c", "d", "e"]

# The module that follows the attention. The thesis counts eleven modules, so the two that reduce
# the maps count as well: mixed0 is the first of them.
MODULES: Mapping[Point, int] = {"a": 0, "b": 3, "c": 5, "d": 8, "e": 10}


class Cut(NamedTuple):
    """Inception v3 in two: what lies before the attention, and what follows it."""

    below: "keras.Model"  # photos [n, side, side, 3] -> maps [n, height, width, channels]
    above: "keras.Model"  # maps -> vectors [n, dimension]


def cut(network: "keras.Model", point: Point) -> Cut:
    """Cuts an image classifier's network before one of its modules; weights are shared.

    Args:
      network: photos -> probabilities, with Keras' names of layers.
      point: where.
    """
    keras = import_tensorflow().keras
    maps = _before(network, MODULES[point])
    vectors = network.get_layer(VECTORS).output
    return Cut(
        keras.Model(network.input, maps, name="below"), keras.Model(maps, vectors, name="above")
    )


def _before(network: "keras.Model", module: int) -> Any:
    """The tensor that a module reads: the output of the one before, or of the stem."""
    if module > 0:
        return network.get_layer(f"mixed{module - 1}").output
    names = [layer.name for layer in network.layers]
    stem = network.layers[: names.index("mixed0")]
    pooling = import_tensorflow().keras.layers.MaxPooling2D
    return [layer for layer in stem if isinstance(layer, pooling)][-1].output


def auxiliary_input(parts: Cut) -> "tuple[keras.Model, int]":
    """The part that holds what the auxiliary head reads, mixed7, and its place: 0 or 1.

    Attention stands between two modules only: before the last ones (d, e) the auxiliary head
    keeps mixed7's own output.
    """
    for place, part in enumerate(parts):
        if any(layer.name == AUXILIARY_INPUT for layer in part.layers):
            return part, place
    raise ValueError(f"no part has a layer {AUXILIARY_INPUT}")
