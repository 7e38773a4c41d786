"""A log-linear pool of any models' probabilities, those of fused models among them.

p(c) ∝ Π_i o_i(c)^w_i · prior(c)^γ with w ≥ 0: what log-linear is for two classifiers.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adcat.fusion.log_linear import pool
from adcat.types import Probs

if TYPE_CHECKING:
    from adcat.fusion.fused_model import FusedModel

_OF_FUSED = "text_image_probs@"  # how the names of arrays of fused models' probabilities begin


def array_of(model: str) -> str:
    """The name of the array of a fused model's probabilities."""
    return _OF_FUSED + model


def member_name(array: str) -> str:
    """The fused model whose probabilities an array holds; empty where they are a classifier's."""
    return array.removeprefix(_OF_FUSED) if array.startswith(_OF_FUSED) else ""


def model_name(array: str) -> str:
    """The model whose probabilities an array holds, such as `text`, `words` or `linear`."""
    kind, _, name = array.partition("@")
    return name or kind.removesuffix("_probs")


def pooled(
    inputs: Sequence[Probs],
    reads: Sequence[str],
    weights: Sequence[float],
    gamma: float,
    prior: Sequence[float],
) -> NDArray[np.float64]:
    """The log-linear pool of the probabilities that `reads` names: [n, categories]."""
    del reads
    return pool(inputs, np.asarray(prior), np.array([*weights, gamma]))


def with_members(model: "FusedModel", members: Mapping[str, "FusedModel"]) -> "FusedModel":
    """A stack that computes what its members say, from what these read.

    Args:
      model: reads the members' probabilities.
      members: by the names of the arrays that these are.
    """
    reads = list(dict.fromkeys(
        name
        for array in model.reads
        for name in (members[array].reads if array in members else [array])
    ))  # fmt: skip

    def combine(inputs: Sequence[np.ndarray]) -> NDArray[np.floating]:
        arrays = dict(zip(reads, inputs, strict=True))
        for array, member in members.items():
            arrays[array] = member.probs([arrays[name] for name in member.reads])
        return model.combine([arrays[name] for name in model.reads])

    return dataclasses.replace(model, reads=reads, combine=combine)
