"""Where attention is inserted into a backbone (thesis, section 4.7 and figure 4.9)."""

from typing import TYPE_CHECKING, NamedTuple

from adcat.errors import BadInputError
from adcat.image.backbones import BACKBONES, VECTORS, Point
from adcat.image.classifier import ImageModel
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras


class Cut(NamedTuple):
    """A backbone in two: what lies before the attention, and what follows it."""

    below: "keras.Model"  # photos [n, side, side, 3] -> maps [n, height, width, channels]
    above: "keras.Model"  # maps -> vectors [n, dimension]


def cut(image: ImageModel, point: Point, *, with_auxiliary: bool = False) -> Cut:
    """Cuts an image classifier's network where attention is inserted; weights are shared.

    Attention stands between two modules only: where the auxiliary head reads what lies before it,
    as with Inception's points d and e, the head keeps the module's own output.

    Args:
      image: the classifier.
      point: where.
      with_auxiliary: gives the part that holds what the auxiliary head reads that as a second
        output.

    Raises:
      BadInputError: attention cannot be inserted into this backbone.
    """
    keras, network, backbone = import_tensorflow().keras, image.network, image.backbone
    if not backbone.points:
        names = ", ".join(name for name, other in BACKBONES.items() if other.points)
        raise BadInputError(
            f"attention cannot be inserted into {backbone.name}; train the image classifier with "
            f"--backbone, one of {names}"
        )
    maps = network.get_layer(backbone.points[point]).output
    outputs = [[maps], [network.get_layer(VECTORS).output]]
    if with_auxiliary:
        auxiliary = network.get_layer(backbone.auxiliary_input)
        layers = network.layers
        is_above = layers.index(auxiliary) > layers.index(network.get_layer(backbone.points[point]))
        outputs[is_above].append(auxiliary.output)
    below, above = (tensors if with_auxiliary else tensors[0] for tensors in outputs)
    above_it = keras.Model(maps, above, name="above")
    return Cut(keras.Model(network.input, below, name="below"), above_it)
