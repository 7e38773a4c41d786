"""The networks that learn to fuse: late (thesis, section 4.5.2) and early (section 4.6).

Each function builds one from Keras tensors of the arrays that its policy reads; every network ends
in logits [n, categories].
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from adcat.errors import BadInputError
from adcat.fusion.policy_settings import Activation, PolicySettings
from adcat.learning.initial_weights import truncated_normal

Tensor: TypeAlias = Any  # a symbolic Keras tensor

FUSED = "fused"  # the name of z in an early network
FLOOR = 1e-6  # of a probability, lest one ad of an unseen category outweighs the others


class Network(NamedTuple):
    """What training reads of a network: its logits, and the pair of the auxiliary loss."""

    logits: Tensor  # [n, categories]
    pair: tuple[Tensor, ...] = ()  # transformed image and text vectors, both [n, transformer size]


def late(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """h = f(W₁[o_img; o_txt] + b₁), o = softmax(W₂h + b₂)."""
    return _late(inputs, inputs, categories, settings)


def temperature(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """The late network on [pow(o_img, τ_img); pow(o_txt, τ_txt)]."""
    from keras import ops

    taus = settings.image_power, settings.text_power
    powers = [ops.power(o, tau) for o, tau in zip(inputs, taus, strict=True)]
    if settings.renormalise:
        powers = [p / ops.sum(p, axis=-1, keepdims=True) for p in powers]
    return _late(powers, inputs, categories, settings)


def _late(
    z: Sequence[Tensor], inputs: Sequence[Tensor], categories: int, settings: PolicySettings
) -> Network:
    """A classifier of z; with `residual` its logits are added to those of the product.

    o ∝ o_img^(1+a) ⊙ o_txt^(1+b) ⊙ exp(W₂h + b₂): a and b are learned too and begin at 0, so that
    L2 pulls towards the product.
    """
    from keras import layers, ops

    logits = _classifier(ops.concatenate(z, axis=-1), categories, settings)
    if settings.residual:
        logs = ops.log(ops.maximum(ops.stack(inputs, axis=-1), FLOOR))  # [n, categories, 2]
        powers = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        logits += ops.sum(logs, axis=-1) + powers(logs)[..., 0]
    return Network(logits)


def top3(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """Learns which baseline to believe from the three highest probabilities of each.

    Dense layers on both top-3 vectors, as in the policy of Zahavy et al., 2016 (Is a picture worth
    a thousand words?). Theirs chooses one of the classifiers for each ad; this one gives each a
    weight, the two adding up to 1, and predicts by the weighted sum.
    """
    from keras import layers, ops

    top = ops.concatenate([ops.top_k(o, k=min(3, categories))[0] for o in inputs], axis=-1)
    g = layers.Softmax()(_classifier(top, len(inputs), settings))  # [n, 2]
    o = sum(g[:, i : i + 1] * o for i, o in enumerate(inputs))
    return Network(ops.log(ops.maximum(o, np.finfo(np.float32).tiny)))


def single(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """One vector, its transformation layer and the hidden layer, without any fusion."""
    return Network(_early(_transform(inputs[0], settings), categories, settings))


def concat(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """z = [u_img; u_txt]."""
    from keras import ops

    z = ops.concatenate(_transform_both(inputs, settings), axis=-1)
    return Network(_early(z, categories, settings))


def pool(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """z = (u_img + u_txt) / 2, or the element-wise maximum."""
    return Network(pool_aux(inputs, categories, settings).logits)


def pool_aux(inputs: Sequence[Tensor], categories: int, settings: PolicySettings) -> Network:
    """As `pool`, with the pair that the auxiliary loss brings together.

    Raises:
      BadInputError: the two vectors differ in length because a transformation is switched off.
    """
    from keras import ops

    u_img, u_txt = _transform_both(inputs, settings)
    if u_img.shape[1] != u_txt.shape[1]:
        raise BadInputError(
            f"pooling needs vectors of equal length, found {u_img.shape[1]} and {u_txt.shape[1]}: "
            "leave both transformations on, or choose another --transformer-size"
        )
    z = (u_img + u_txt) / 2 if settings.pooling == "average" else ops.maximum(u_img, u_txt)
    return Network(_early(z, categories, settings), (u_img, u_txt))


def prepare(
    reads: Sequence[str], widths: Sequence[int], settings: PolicySettings
) -> tuple[list[Tensor], list[Tensor]]:
    """Makes a network's inputs, and the same prepared as the settings say.

    Args:
      reads: the names of the arrays.
      widths: their dimensions.
      settings: whether to standardise, and to scale text vectors to length 1.
    """
    from keras import Input, layers

    inputs = [Input((width,), name=name) for name, width in zip(reads, widths, strict=True)]
    prepared = list(inputs)
    for i, name in enumerate(reads):
        if name == "text_vectors" and settings.l2_normalise_text:
            prepared[i] = layers.UnitNormalization()(prepared[i])
        elif settings.standardise:  # by what `standardising` is given, never by a batch
            prepared[i] = layers.BatchNormalization(
                epsilon=1e-7, center=False, scale=False, trainable=False, name=f"standard_{name}"
            )(prepared[i])
    return inputs, prepared


def standardising(model: Any, name: str) -> Any:
    """The layer, with mean and variance as its weights, that standardises an input, if any."""
    return next((layer for layer in model.layers if layer.name == f"standard_{name}"), None)


def up_to_vectors(model: Any) -> Any:
    """A trained early network as far as its fused feature vector z."""
    from keras import Model

    return Model(model.inputs, model.get_layer(FUSED).output)


def _early(z: Tensor, categories: int, settings: PolicySettings) -> Tensor:
    """The classifier of z, which has a name by which it is found again."""
    from keras import layers

    return _classifier(layers.Identity(name=FUSED)(z), categories, settings)


def _classifier(z: Tensor, outputs: int, settings: PolicySettings) -> Tensor:
    """Hidden layers with dropout on their outputs, then the logits."""
    from keras import layers

    for _ in range(settings.hidden_layers):
        z = _dense(settings.hidden_units, settings.hidden_activation, settings)(z)
        if settings.keep_probability < 1:
            z = layers.Dropout(1 - settings.keep_probability)(z)
    return _dense(outputs, "none", settings)(z)


def _transform_both(inputs: Sequence[Tensor], settings: PolicySettings) -> list[Tensor]:
    """u = φ(Wv + b) of each modality, or v itself where the settings switch it off."""
    switches = settings.transform_image, settings.transform_text
    return [_transform(v, settings) if on else v for v, on in zip(inputs, switches, strict=True)]


def _transform(v: Tensor, settings: PolicySettings) -> Tensor:
    from keras import layers

    if settings.input_keep_probability < 1:
        v = layers.Dropout(1 - settings.input_keep_probability)(v)
    u = _dense(settings.transformer_size, settings.transformer_activation, settings)(v)
    if settings.transformer_dropout and settings.keep_probability < 1:
        u = layers.Dropout(1 - settings.keep_probability)(u)
    return u


def _dense(units: int, activation: Activation, settings: PolicySettings) -> Any:
    from keras import layers

    return layers.Dense(
        units,
        activation=None if activation == "none" else activation,
        kernel_initializer=truncated_normal(settings.initial_deviation),
    )
