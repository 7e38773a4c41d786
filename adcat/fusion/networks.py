"""The networks that learn to fuse: late (thesis, section 4.5.2) and early (section 4.6).

To add one, write a function that builds it and a line in `NETWORKS`; its published settings stand
in `published.py`. Every network ends in logits [n, categories].
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.settings import option

Activation: TypeAlias = Literal["sigmoid", "relu", "tanh", "none"]
Tensor: TypeAlias = Any  # a symbolic Keras tensor

WEIGHT_SPREAD = 0.01  # thesis, section 4.2: N(0, 0.01), read as the standard deviation


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """Every choice of a fusion network and its training."""

    hidden_layers: int = option(1, "Hidden layers before the softmax layer.", low=1, high=3)
    hidden_units: int = option(100, "Units of each hidden layer.", low=1)
    hidden_activation: Activation = option("tanh", "Activation of the hidden layers.")
    learning_rate: float = option(0.001, "Learning rate at the start.", low=0)
    optimizer: Literal["adam", "rmsprop", "sgd"] = option("adam", "Optimiser.")
    keep_probability: float = option(
        1.0, "Share of hidden outputs that dropout keeps; 1 is no dropout.", low=0.01, high=1
    )
    l2_weight: float = option(
        0.0, "Weight of Σ w² / 2 over the weight matrices, without biases.", low=0
    )
    batch_size: int = option(32, "Ads per training step.", low=1)
    image_boost: float = option(
        1.0, "C of image-boost and image-boost-prop: the factor of ads the image gets right.", low=0
    )
    boost_form: Literal["c", "one-plus-c"] = option(
        "c", "image-boost's factor is C, as the thesis says, or 1 + C, as its name suggests."
    )
    image_power: float = option(1.0, "temperature's exponent of the image probabilities.", low=0)
    text_power: float = option(1.0, "temperature's exponent of the text probabilities.", low=0)
    renormalise: bool = option(
        False, "Let temperature's powers sum to 1 again; the thesis does not say so."
    )
    standardise: bool = option(
        False, "Standardise the inputs with training statistics; early fusion's default is yes."
    )
    l2_normalise_text: bool = option(False, "Scale every text vector to length 1.")
    transformer_size: int = option(100, "Units of the transformation layers.", low=1)
    transformer_activation: Activation = option("relu", "Activation of the transformation layers.")
    transform_image: bool = option(True, "Give the image vector a transformation layer.")
    transform_text: bool = option(True, "Give the text vector a transformation layer.")
    transformer_dropout: bool = option(False, "Drop out outputs of the transformation layers too.")
    pooling: Literal["average", "max"] = option("average", "How pool and pool-aux pool.")
    similarity: Literal["cosine", "dot"] = option(
        "cosine", "pool-aux's similarity of a transformed image and a transformed text."
    )
    negatives: int = option(1, "pool-aux's texts of another category per ad.", low=1)
    aux_weight: float = option(0.0, "Weight of pool-aux's auxiliary loss.", low=0)
    schedule: Literal["printed", "prose"] = option(
        "printed",
        "Algorithm 1 as printed (decays at every 4th failure in total), or as the thesis' prose "
        "has it (at 3 failures in a row).",
    )
    max_epochs: int = option(200, "Epochs at most.", low=1, dry_run=1)


class Network(NamedTuple):
    """What training reads of a network: its logits, and the pair of the auxiliary loss."""

    logits: Tensor  # [n, categories]
    pair: tuple[Tensor, ...] = ()  # transformed image and text vectors, both [n, transformer size]


class NetworkPolicy(NamedTuple):
    """What a network reads, and how it is built from Keras tensors of those arrays."""

    reads: tuple[str, ...]
    build: Callable[[Sequence[Tensor], int, NetworkSettings], Network]
    # That one operation is shared among: for small ones several cost more than they give; 0 is one
    # per core.
    threads: int = 1


def late(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """h = f(W₁[o_img; o_txt] + b₁), o = softmax(W₂h + b₂)."""
    from keras import ops

    return Network(_classifier(ops.concatenate(inputs, axis=-1), categories, settings))


def temperature(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """The late network on [pow(o_img, τ_img); pow(o_txt, τ_txt)]."""
    from keras import ops

    taus = settings.image_power, settings.text_power
    powers = [ops.power(o, tau) for o, tau in zip(inputs, taus, strict=True)]
    if settings.renormalise:
        powers = [p / ops.sum(p, axis=-1, keepdims=True) for p in powers]
    return late(powers, categories, settings)


def top3(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """Learns which baseline to believe from the three highest probabilities of each.

    After Zahavy et al., 2016 (Is a picture worth a thousand words?), section 3.3: dense layers on
    both top-3 vectors give the weight of each baseline, and the weighted baselines are the answer.
    """
    from keras import layers, ops

    top = ops.concatenate([ops.top_k(o, k=min(3, categories))[0] for o in inputs], axis=-1)
    g = layers.Softmax()(_classifier(top, len(inputs), settings))  # [n, 2]
    o = sum(g[:, i : i + 1] * o for i, o in enumerate(inputs))
    return Network(ops.log(ops.maximum(o, np.finfo(np.float32).tiny)))


def single(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """One vector, its transformation layer and the hidden layer, without any fusion."""
    return Network(_classifier(_transform(inputs[0], settings), categories, settings))


def concat(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """z = [u_img; u_txt]."""
    from keras import ops

    z = ops.concatenate(_transform_both(inputs, settings), axis=-1)
    return Network(_classifier(z, categories, settings))


def pool(inputs: Sequence[Tensor], categories: int, settings: NetworkSettings) -> Network:
    """z = (u_img + u_txt) / 2, or the element-wise maximum.

    Raises:
      BadInputError: the two vectors differ in length, since a transformation is switched off.
    """
    from keras import ops

    u_img, u_txt = _transform_both(inputs, settings)
    if u_img.shape[1] != u_txt.shape[1]:
        raise BadInputError(
            f"pooling needs vectors of equal length, found {u_img.shape[1]} and {u_txt.shape[1]}: "
            "leave both transformations on, or choose another --transformer-size"
        )
    z = (u_img + u_txt) / 2 if settings.pooling == "average" else ops.maximum(u_img, u_txt)
    return Network(_classifier(z, categories, settings), (u_img, u_txt))


_PROBS = ("image_probs", "text_probs")
_VECTORS = ("image_vectors", "text_vectors")

NETWORKS: Mapping[str, NetworkPolicy] = {
    "nn": NetworkPolicy(_PROBS, late),
    "nn-validation": NetworkPolicy(_PROBS, late),
    "image-boost": NetworkPolicy(_PROBS, late),
    "image-boost-prop": NetworkPolicy(_PROBS, late),
    "temperature": NetworkPolicy(_PROBS, temperature),
    "top3": NetworkPolicy(_PROBS, top3),
    "image-only": NetworkPolicy(("image_vectors",), single),
    "text-only": NetworkPolicy(("text_vectors",), single),
    "concat": NetworkPolicy(_VECTORS, concat),
    "pool": NetworkPolicy(_VECTORS, pool, threads=0),
    "pool-aux": NetworkPolicy(_VECTORS, pool, threads=0),
}


def prepare(
    reads: Sequence[str],
    statistics: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    settings: NetworkSettings,
) -> tuple[list[Tensor], list[Tensor]]:
    """Makes a network's inputs, and the same prepared as the settings say.

    Args:
      reads: the names of the arrays.
      statistics: mean and variance [dimensions] of each array over the training ads.
      settings: whether to standardise, and to scale text vectors to length 1.
    """
    from keras import Input, layers

    inputs = [
        Input((len(mean),), name=name) for name, (mean, _) in zip(reads, statistics, strict=True)
    ]
    prepared = list(inputs)
    for i, (name, (mean, variance)) in enumerate(zip(reads, statistics, strict=True)):
        if name == "text_vectors" and settings.l2_normalise_text:
            prepared[i] = layers.UnitNormalization()(prepared[i])
        elif settings.standardise:
            prepared[i] = layers.Normalization(mean=mean, variance=variance)(prepared[i])
    return inputs, prepared


def _classifier(z: Tensor, outputs: int, settings: NetworkSettings) -> Tensor:
    """Hidden layers with dropout on their outputs, then the logits."""
    from keras import layers

    for _ in range(settings.hidden_layers):
        z = _dense(settings.hidden_units, settings.hidden_activation)(z)
        if settings.keep_probability < 1:
            z = layers.Dropout(1 - settings.keep_probability)(z)
    return _dense(outputs, "none")(z)


def _transform_both(inputs: Sequence[Tensor], settings: NetworkSettings) -> list[Tensor]:
    """u = φ(Wv + b) of each modality, or v itself where the settings switch it off."""
    switches = settings.transform_image, settings.transform_text
    return [_transform(v, settings) if on else v for v, on in zip(inputs, switches, strict=True)]


def _transform(v: Tensor, settings: NetworkSettings) -> Tensor:
    from keras import layers

    u = _dense(settings.transformer_size, settings.transformer_activation)(v)
    if settings.transformer_dropout and settings.keep_probability < 1:
        u = layers.Dropout(1 - settings.keep_probability)(u)
    return u


def _dense(units: int, activation: Activation) -> Any:
    from keras import initializers, layers

    return layers.Dense(
        units,
        activation=None if activation == "none" else activation,
        kernel_initializer=initializers.TruncatedNormal(stddev=WEIGHT_SPREAD),
    )
