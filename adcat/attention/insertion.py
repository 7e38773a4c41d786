"""Where attention is inserted into Inception v3 (thesis, section 4.7 and figure 4.9)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from adcat.image.inception import AUXILIARY_INPUT, VECTORS
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

Point: TypeAlias = Literal["a", "b", "c", "d", "e"]

# The module that follows the attention. The thesis counts eleven modules, so the two that reduce
# the maps count as well: mixed0 is the first of them.
MODULES: Mapping[Point, int] = {"a": 0, "b": 3, "c": 5, "d": 8, "e": 10}
AUXILIARY_MODULE = 7  # mixed7, whose output the auxiliary head reads


class Cut(NamedTuple):
    """Inception v3 in two: what lies before the attention, and what follows it."""

    below: "keras.Model"  # photos [n, side, side, 3] -> maps [n, height, width, channels]
    above: "keras.Model"  # maps -> vectors [n, dimension]


def cut(network: "keras.Model", point: Point, *, with_auxiliary: bool = False) -> Cut:
    """Cuts an image classifier's network before one of its modules; weights are shared.

    Attention stands between two modules only: before the last ones (d, e) the auxiliary head
    keeps mixed7's own output, before the others it reads what attention made of it.

    Args:
      network: photos -> probabilities, with Keras' names of layers.
      point: where.
      with_auxiliary: gives the part that holds mixed7 its output as a second one.
    """
    keras = import_tensorflow().keras
    maps = _before(network, MODULES[point])
    outputs = [[maps], [network.get_layer(VECTORS).output]]
    if with_auxiliary:
        is_above = MODULES[point] <= AUXILIARY_MODULE
        outputs[is_above].append(network.get_layer(AUXILIARY_INPUT).output)
    below, above = (tensors if with_auxiliary else tensors[0] for tensors in outputs)
    above_it = keras.Model(maps, above, name="above")
    return Cut(keras.Model(network.input, below, name="below"), above_it)


def _before(network: "keras.Model", module: int) -> Any:
    """The tensor that a module reads: the output of the one before, or of the stem."""
    if module > 0:
        return network.get_layer(f"mixed{module - 1}").output
    names = [layer.name for layer in network.layers]
    stem = network.layers[: names.index("mixed0")]
    pooling = import_tensorflow().keras.layers.MaxPooling2D
    return [layer for layer in stem if isinstance(layer, pooling)][-1].output
