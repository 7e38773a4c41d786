"""A fused model as it is kept: what it reads, how it combines, and the files that hold it."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adcat.artifacts import Probs
from adcat.errors import BadInputError
from adcat.fusion.policies import POLICIES
from adcat.keras_files import load_network, save_network
from adcat.manifest import write_json

NETWORK = "model.keras"
PARAMETERS = "params.json"


@dataclasses.dataclass(frozen=True)
class FusedModel:
    """Combines what both baselines say of some ads."""

    policy: str
    reads: Sequence[str]  # such as `image_probs`: what `combine` takes, in this order
    combine: Callable[[Sequence[np.ndarray]], np.ndarray]  # to probabilities [n, categories]
    parameters: dict[str, Any]
    network: Any = None  # keras.Model, for a policy that is a network

    def probs(self, inputs: Sequence[np.ndarray]) -> Probs:
        """The probabilities of some ads, from the arrays that the model reads: [n, categories]."""
        return np.asarray(self.combine(inputs), np.float32)

    def save(self, folder: Path) -> None:
        """Writes `params.json`, and `model.keras` for a network."""
        content = {"policy": self.policy, "reads": self.reads, "parameters": self.parameters}
        write_json(folder / PARAMETERS, content)
        if self.network is not None:
            save_network(self.network, folder / NETWORK)


def closed_form(policy: str, parameters: dict[str, Any]) -> FusedModel:
    """Makes a model of a policy of `adcat.fusion.policies` with its parameters."""
    combine = POLICIES[policy].combine
    return FusedModel(
        policy,
        ("image_probs", "text_probs"),
        lambda inputs: combine(*inputs, **parameters),
        parameters,
    )


def network(policy: str, keras_model: Any, parameters: dict[str, Any]) -> FusedModel:
    """Makes a model of a trained network; `parameters` say how it was trained."""
    return FusedModel(
        policy,
        [tensor.name for tensor in keras_model.inputs],
        lambda inputs: keras_model(list(inputs), training=False),
        parameters,
        keras_model,
    )


def load(folder: Path) -> FusedModel:
    """Reads what `save` wrote.

    Raises:
      BadInputError: the folder holds no fused model.
    """
    try:
        content = json.loads((folder / PARAMETERS).read_text(encoding="utf-8"))
        policy, parameters = content["policy"], content["parameters"]
    except (OSError, ValueError, KeyError):
        raise BadInputError(f"{folder / PARAMETERS} is no fused model's") from None
    if policy in POLICIES:
        return closed_form(policy, parameters)
    return network(policy, load_network(folder / NETWORK), parameters)
