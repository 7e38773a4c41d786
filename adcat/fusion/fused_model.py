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
from adcat.fusion.closed_forms import Parameters
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy import PROBS, ClosedForm, NetworkPolicy, Policy
from adcat.learning.keras_files import load_network, save_network
from adcat.types import Availabilities, Modality, Probs, availabilities_with, read_by

NETWORK = "model.keras"
PARAMETERS = "params.json"
FILES = (PARAMETERS, NETWORK)  # that `load` needs; a closed form has no network


@dataclasses.dataclass(frozen=True)
class FusedModel:
    """Combines what both baselines say of some ads; says something of those that lack one, too."""

    policy: Policy
    reads: Sequence[str]  # such as `image_probs`: what `combine` takes, in this order
    combine: Callable[[Sequence[np.ndarray]], np.ndarray]  # to probabilities [n, categories]
    parameters: dict[str, Any]
    network: Any = None  # keras.Model, for a policy that is a network
    single: Mapping[Modality, Parameters] = dataclasses.field(
        default_factory=dict
    )  # of `single_modality`

    @property
    def modalities(self) -> frozenset[Modality]:
        """What an ad must have to be read."""
        return read_by(self.reads)

    def probs(self, inputs: Sequence[np.ndarray]) -> Probs:
        """The probabilities of some ads, from the arrays that the model reads: [n, categories]."""
        return np.asarray(self.combine(inputs), np.float32)

    def single_modality_probs(self, modality: Modality, o: Probs) -> Probs:
        """The probabilities of ads that have this modality only: [n, categories].

        Args:
          modality: one of several that the model reads.
          o: its classifier's probabilities [n, categories].
        """
        if (
            isinstance(self.policy, ClosedForm)
            and self.policy.single_modality
            and modality in self.single
        ):
            o = self.policy.single_modality.prediction(o, **self.single[modality])
        return np.asarray(o, np.float32)

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
          availabilities: what the ads of the part have: [n].
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
                probs[positions] = self.single_modality_probs(
                    availability, arrays[f"{availability}_probs"][here]
                )
        return probs

    def save(self, folder: Path) -> None:
        """Writes `params.json`, and `model.keras` for a network."""
        content = {"policy": self.policy.name, "reads": self.reads, "parameters": self.parameters}
        if self.single:
            content["alone"] = self.single
        write_json(folder / PARAMETERS, content)
        if self.network is not None:
            save_network(self.network, folder / NETWORK)


def closed_form(
    policy: ClosedForm, parameters: Parameters, single: Mapping[Modality, Parameters] | None = None
) -> FusedModel:
    """Makes a model of a closed form with its parameters.

    Args:
      policy: how to combine.
      parameters: for ads that have both modalities.
      single: for ads that have one only, where the policy finds any.
    """
    return FusedModel(
        policy,
        PROBS,
        lambda inputs: policy.combine(*inputs, **parameters),
        parameters,
        single=single or {},
    )


def network(policy: NetworkPolicy, keras_model: Any, parameters: dict[str, Any]) -> FusedModel:
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

    policy: Policy
    reads: Sequence[str]
    parameters: dict[str, Any]
    alone: Mapping[Modality, Parameters] | None = None


def read_definition(folder: Path) -> Definition:
    """Reads what a fused model is, without its network.

    Raises:
      BadInputError: the folder holds no fused model.
    """
    path = folder / PARAMETERS
    with expecting(path, "fused model"):
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Definition(**{**content, "policy": POLICIES[content["policy"]]})
        if isinstance(found.policy, ClosedForm):
            inspect.signature(found.policy.combine).bind(None, None, **found.parameters)
    return found


def load(folder: Path, columns: Mapping[str, int] | None = None) -> FusedModel:
    """Reads what `save` wrote.

    Args:
      folder: holds it.
      columns: of the arrays that it may read, by name, such as `image_probs`, if they are known.

    Raises:
      BadInputError: the folder holds no fused model, or one of other arrays.
    """
    found = read_definition(folder)
    if isinstance(found.policy, ClosedForm):
        model = closed_form(found.policy, found.parameters, found.alone)
    else:
        model = network(found.policy, load_network(folder / NETWORK), found.parameters)
    with expecting(folder, "fused model"):
        if list(found.reads) != list(model.reads):
            raise ValueError(f"it reads {model.reads}, {PARAMETERS} says {found.reads}")
        if columns:
            _try(model, columns)
    return model


def _try(model: FusedModel, columns: Mapping[str, int]) -> None:
    """Runs a model on an ad of which nothing is known.

    Raises:
      ValueError: its parameters or answers are not of one number per category.
    """
    arrays = {name: np.full((1, n), 1 / n, np.float32) for name, n in columns.items()}
    answers = [model.probs([arrays[name] for name in model.reads])]
    answers += [model.single_modality_probs(m, arrays[f"{m}_probs"]) for m in model.single]
    priors = [p["prior"] for p in (model.parameters, *model.single.values()) if "prior" in p]
    categories = columns["text_probs"]
    for values in (*answers, *map(np.atleast_2d, priors)):
        if values.shape != (1, categories):
            raise ValueError(f"{values.shape[-1]} numbers for {categories} categories")
