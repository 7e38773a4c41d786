"""The attention step (thesis, section 4.7).

Query from the text, keys and values from the maps inside a network: scaled dot-product attention
(Vaswani et al., 2017, equation 1) with one query. Over positions (`wh`) every position of the photo
is a key, over channels (`c`) every feature map is one.
"""

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from adcat.learning.initial_weights import DEVIATION, truncated_normal
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

Over: TypeAlias = Literal["wh", "c"]
Form: TypeAlias = Literal["weighted", "summed"]
Scale: TypeAlias = Literal["count", "none"]
Shape: TypeAlias = tuple[int, int, int]  # height, width, channels

QUERY = "query"  # the layer whose kernel is Wᵗ


def attention_step(
    shape: Shape,
    text_dimension: int,
    over: Over,
    form: Form,
    scale: Scale,
    deviation: float = DEVIATION,
) -> "keras.Model":
    """q = t Wᵗ, α = softmax(q aᵀ / √d_a), out_i = α_i a_i.

    The thesis prints out = α a, one vector, and "reshaped to the dimensionality of a"; its words
    describe weighting. `summed` is what is printed, repeated for every key.

    Args:
      shape: of the maps.
      text_dimension: the length of the text vector t.
      over: what the keys a [L, d_a] are: L positions of d_a channels, or the other way round.
      form: whether the keys are weighted, or summed with their weights.
      scale: `count` multiplies the weights by L, so that flat attention leaves the maps as they
        were; summed keys are on the scale of one key and have no need of it.
      deviation: of the initial Wᵗ.

    Returns:
      maps [n, height, width, channels], text vectors [n, text_dimension] -> maps of the same shape,
      α [n, L].
    """
    keras = import_tensorflow().keras
    ops = keras.ops
    maps, t = keras.Input(shape, name="maps"), keras.Input([text_dimension], name="text")
    a = _keys(maps, shape, over)  # [n, L, d_a]
    _, L, d_a = a.shape  # noqa: N806
    initial = truncated_normal(deviation)
    wt = keras.layers.Dense(d_a, use_bias=False, kernel_initializer=initial, name=QUERY)
    q = wt(t)  # [n, d_a]
    scores = ops.einsum("nd,nld->nl", q, a) / math.sqrt(d_a)
    alpha = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))  # [n, L], softmax
    out = ops.expand_dims(alpha * L if scale == "count" else alpha, -1) * a  # [n, L, d_a]
    if form == "summed":
        total = ops.expand_dims(ops.einsum("nl,nld->nd", alpha, a), 1)
        out = ops.repeat(total, L, axis=1)
    return keras.Model([maps, t], [_maps(out, shape, over), alpha], name="attention")


def _keys(maps: Any, shape: Shape, over: Over) -> Any:
    """Flattens maps [n, H, W, C] to positions [n, HW, C] or to feature maps [n, C, HW]."""
    ops = import_tensorflow().keras.ops
    height, width, channels = shape
    positions = ops.reshape(maps, (-1, height * width, channels))
    return positions if over == "wh" else ops.transpose(positions, (0, 2, 1))


def _maps(keys: Any, shape: Shape, over: Over) -> Any:
    """Undoes `_keys`."""
    ops = import_tensorflow().keras.ops
    positions = keys if over == "wh" else ops.transpose(keys, (0, 2, 1))
    return ops.reshape(positions, (-1, *shape))
