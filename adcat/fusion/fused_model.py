"""A fused model as it is kept: what it reads, how it combines, and the files that hold it."""

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import expecting
from adcat.files import write_json
from adcat.fusion.policies import POLICIES, Parameters
from adcat.learning.keras_files import load_network, save_network
from adcat.types import Availabilities, Modality, Probs, availabilities_with, read_by

NETWORK = "model.keras"
PARAMETERS = "params.json"
FILES = (PARAMETERS, NETWORK)  # that `load` needs; a closed form has no network


@dataclasses.dataclass(frozen=True)
class FusedModel:
    """Combines what both baselines say of some ads; says something of those that lack one, too."""

    policy: str
    reads: Sequence[str]  # such as `image_probs`: what `combine` takes, in this order
    combine: Callable[[Sequence[np.ndarray]], np.ndarray]  # to probabilities [n, categories]
    parameters: dict[str, Any]
    network: Any = None  # keras.Model, for a policy that is a network
    lone: Mapping[Modality, Parameters] = dataclasses.field(default_factory=dict)  # of `alone`

    @property
    def modalities(self) -> frozenset[Modality]:
        """What an ad must have to be read."""
        return read_by(self.reads)

    def probs(self, inputs: Sequence[np.ndarray]) -> Probs:
        """The probabilities of some ads, from the arrays that the model reads: [n, categories]."""
        return np.asarray(self.combine(inputs), np.float32)

    def alone(self, modality: Modality, o: Probs) -> Probs:
        """The probabilities of ads that have this modality only: [n, categories].

        Args:
          modality: one of several that the model reads.
          o: its classifier's probabilities [n, categories].
        """
        rule = POLICIES[self.policy].alone if modality in self.lone else None
        return np.asarray(rule.prediction(o, **self.lone[modality]) if rule else o, np.float32)

    def predictions(
        self,
        arrays: Mapping[str, np.ndarray],
        availabilities: Availabilities,
        rows: NDArray[np.integer],
        prior: NDArray[np.floating],
    ) -> Probs:
        """The probabilities of some ads of a part, whatever they have: [rows, categories].

        What an ad lacks is not read. One that has nothing of what the model reads gets the prior.

        Args:
          arrays: of the part by name, such as `image_probs`: [n, columns].
          kinds: what the ads of the part have: [n].
          rows: which of the ads.
          prior: [categories].
        """
        probs = np.tile(np.asarray(prior, np.float32), (len(rows), 1))
        for availability in np.unique(availabilities[rows]).tolist():
            positions = np.flatnonzero(availabilities[rows] == availability)
            here = rows[positions]
            if availability in availabilities_with(self.modalities):
                probs[positions] = self.probs([arrays[name][here] for name in self.reads])
            elif availability in self.modalities:
                probs[positions] = self.alone(availability, arrays[f"{availability}_probs"][here])
        return probs

    def save(self, folder: Path) -> None:
        """Writes `params.json`, and `model.keras` for a network."""
        content = {"policy": self.policy, "reads": self.reads, "parameters": self.parameters}
        if self.lone:
            content["alone"] = self.lone
        write_json(folder / PARAMETERS, content)
        if self.network is not None:
            save_network(self.network, folder / NETWORK)


def closed_form(
    policy: str, parameters: Parameters, lone: Mapping[Modality, Parameters] | None = None
) -> FusedModel:
    """Makes a model of a policy of `adcat.fusion.policies` with its parameters.

    Args:
      policy: its name.
      parameters: for ads that have both modalities.
      lone: for ads that have one only, where the policy finds any.
    """
    combine = POLICIES[policy].combine
    return FusedModel(
        policy,
        ("image_probs", "text_probs"),
        lambda inputs: combine(*inputs, **parameters),
        parameters,
        lone=lone or {},
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


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """What `params.json` says."""

    policy: str
    reads: Sequence[str]
    parameters: dict[str, Any]
    alone: Mapping[Modality, Parameters] | None = None


def read_definition(folder: Path) -> Definition:
    """Reads what a fused model is, without its network.

    Raises:
      BadInputError: the folder holds no fused model.
    """
    path = folder / PARAMETERS
    with expecting(path, "fused model's"):
        found = Definition(**json.loads(path.read_text(encoding="utf-8")))
        if found.policy in POLICIES:
            inspect.signature(POLICIES[found.policy].combine).bind(None, None, **found.parameters)
    return found


def load(folder: Path) -> FusedModel:
    """Reads what `save` wrote.

    Raises:
      BadInputError: the folder holds no fused model.
    """
    definition = read_definition(folder)
    if definition.policy in POLICIES:
        return closed_form(definition.policy, definition.parameters, definition.alone)
    return network(definition.policy, load_network(folder / NETWORK), definition.parameters)
