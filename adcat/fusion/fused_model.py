"""A fused model as it is kept: what it reads, how it combines, and the files that hold it."""

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import expecting
from adcat.files import save_array, write_json
from adcat.fusion import confusion_driven, linear
from adcat.fusion.closed_forms import Parameters
from adcat.fusion.networks import up_to_vectors
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy import (
    PROBS,
    ClosedForm,
    ConfusionPolicy,
    LinearPolicy,
    NetworkPolicy,
    Policy,
    StackPolicy,
)
from adcat.fusion.stacking import array_of, member_name, pooled, with_members
from adcat.learning.keras_files import load_network, save_network
from adcat.learning.regression import Regression
from adcat.types import Availabilities, Modality, Probs, Vectors, availabilities_with, read_by

NETWORK = "model.keras"
PARAMETERS = "params.json"
REGRESSION = "regression"  # the files of a regression's weights, one per input
MEMBERS = "members"  # a folder for each fused model that a stack reads


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
    )  # for ads with a single modality
    regression: linear.Regression | None = None  # of `linear` and `cdpf`

    @property
    def modalities(self) -> frozenset[Modality]:
        """What an ad must have to be read."""
        return read_by(self.reads)

    def probs(self, inputs: Sequence[np.ndarray]) -> Probs:
        """The probabilities of some ads, from the arrays that the model reads: [n, categories]."""
        return np.asarray(self.combine(inputs), np.float32)

    def vectors(self, inputs: Sequence[np.ndarray]) -> Vectors:
        """The fused feature vectors of an early network, for some ads: [n, dimension]."""
        return np.asarray(self._up_to_vectors(list(inputs), training=False), np.float32)

    @property
    def dimension(self) -> int:
        """The length of such a vector."""
        return self._up_to_vectors.output.shape[1]

    @functools.cached_property
    def _up_to_vectors(self) -> Any:
        return up_to_vectors(self.network)

    def single_reads(self, modality: Modality) -> Sequence[str]:
        """The arrays that ads which have this modality only are predicted from."""
        return self.single.get(modality, {}).get("reads", [f"{modality}_probs"])

    def single_modality_probs(self, modality: Modality, inputs: Sequence[Probs]) -> Probs:
        """The probabilities of ads that have this modality only: [n, categories].

        Args:
          modality: one of several that the model reads.
          inputs: `single_reads`: classifiers' probabilities [n, categories].
        """
        o: NDArray[np.floating] = inputs[0]
        if modality in self.single and isinstance(self.policy, StackPolicy):
            o = pooled(inputs, **self.single[modality])
        elif (
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
                inputs = [arrays[name][here] for name in self.single_reads(availability)]
                probs[positions] = self.single_modality_probs(availability, inputs)
        return probs

    def save(self, folder: Path) -> None:
        """Writes `params.json`, and the weights of a network or a regression."""
        content = {"policy": self.policy.name, "reads": self.reads, "parameters": self.parameters}
        if self.single:
            content["alone"] = self.single
        write_json(folder / PARAMETERS, content)
        if self.network is not None:
            save_network(self.network, folder / NETWORK)
        if self.regression is not None:
            for name, array in _arrays(self.regression).items():
                save_array(folder / name, array)


def closed_form(
    policy: ClosedForm, parameters: Parameters, single: Mapping[Modality, Parameters] | None = None
) -> FusedModel:
    """Makes a model of a closed form with its parameters.

    Args:
      policy: how to combine.
      parameters: for ads that have both modalities.
      single: for ads that have one only, where the policy finds any.
    """
    combine: Callable[..., NDArray[np.floating]] = functools.partial(policy.combine, **parameters)
    return FusedModel(policy, PROBS, lambda o: combine(*o), parameters, single=single or {})


def network(policy: NetworkPolicy, keras_model: Any, parameters: dict[str, Any]) -> FusedModel:
    """Makes a model of a trained network; `parameters` say how it was trained."""
    return FusedModel(
        policy,
        [tensor.name for tensor in keras_model.inputs],
        lambda inputs: keras_model(list(inputs), training=False),
        parameters,
        keras_model,
    )


def regression(
    policy: LinearPolicy, reads: Sequence[str], fitted: linear.Regression, parameters: Parameters
) -> FusedModel:
    """Makes a model of a regression of these arrays; `parameters` say how it was fitted."""
    return FusedModel(policy, reads, fitted.probs, parameters, regression=fitted)


def of_pairs(
    policy: ConfusionPolicy, fitted: linear.Regression, parameters: Parameters
) -> FusedModel:
    """Makes a model of the text classifier and classifiers of pairs of categories."""

    def combine(inputs: Sequence[np.ndarray]) -> NDArray[np.floating]:
        vectors, o_txt = inputs
        return confusion_driven.combine(vectors, o_txt, parameters["pairs"], fitted)

    return FusedModel(policy, policy.reads, combine, parameters, regression=fitted)


def _arrays(found: linear.Regression) -> dict[str, NDArray[np.float32]]:
    weights = {f"{REGRESSION}_{i}.npy": array for i, array in enumerate(found.fitted.weights)}
    return {**weights, f"{REGRESSION}_b.npy": found.fitted.b}


def stack(
    policy: StackPolicy, parameters: Parameters, single: Mapping[Modality, Parameters]
) -> FusedModel:
    """Makes a model of a pool of probabilities, those of other fused models among them."""
    return FusedModel(
        policy,
        parameters["reads"],
        lambda inputs: pooled(inputs, **parameters),
        parameters,
        single=single,
    )


def files(folder: Path) -> list[str]:
    """The files of a fused model that `load` needs, relative to its folder."""
    patterns = (PARAMETERS, NETWORK, f"{REGRESSION}_*.npy", f"{MEMBERS}/*/*")
    found = (path for pattern in patterns for path in folder.glob(pattern))
    return sorted(path.relative_to(folder).as_posix() for path in found)


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
    with expecting(folder, "fused model"):
        model = _model(found, folder)
        if list(found.reads) != list(model.reads):
            raise ValueError(f"it reads {model.reads}, {PARAMETERS} says {found.reads}")
        if columns:
            _try(model, columns)
    names = [name for array in model.reads if (name := member_name(array))]
    members = {array_of(name): load(folder / MEMBERS / name) for name in names}
    return with_members(model, members) if members else model


def _model(found: Definition, folder: Path) -> FusedModel:
    policy = found.policy
    if isinstance(policy, ClosedForm):
        return closed_form(policy, found.parameters, found.alone)
    if isinstance(policy, StackPolicy):
        return stack(policy, found.parameters, found.alone or {})
    if isinstance(policy, NetworkPolicy):
        return network(policy, load_network(folder / NETWORK), found.parameters)
    inputs = [name for name in found.reads if name not in PROBS]
    names = [*(f"{REGRESSION}_{i}.npy" for i in range(len(inputs))), f"{REGRESSION}_b.npy"]
    *weights, b = (np.load(folder / name, allow_pickle=False) for name in names)
    scaled = linear.Regression(Regression(weights, b), found.parameters["scale"])
    if isinstance(policy, ConfusionPolicy):
        return of_pairs(policy, scaled, found.parameters)
    return regression(policy, found.reads, scaled, found.parameters)


def _try(model: FusedModel, columns: Mapping[str, int]) -> None:
    """Runs a model on an ad of which nothing is known.

    Raises:
      ValueError: its parameters or predictions are not of one number per category.
    """
    categories = columns["text_probs"]
    given = {name: len(w) for name, w in zip(model.reads, _weights(model), strict=False)}
    arrays = {
        name: np.full((1, n), 1 / n, np.float32)
        for reads in (model.reads, *map(model.single_reads, model.single))
        for name in reads
        for n in [columns.get(name) or given.get(name) or categories]
    }
    answers = [model.probs([arrays[name] for name in model.reads])]
    answers += [
        model.single_modality_probs(m, [arrays[name] for name in model.single_reads(m)])
        for m in model.single
    ]
    priors = [p["prior"] for p in (model.parameters, *model.single.values()) if "prior" in p]
    for values in (*answers, *map(np.atleast_2d, priors)):
        if values.shape != (1, categories):
            raise ValueError(f"{values.shape[-1]} numbers for {categories} categories")


def _weights(model: FusedModel) -> Sequence[NDArray[np.float32]]:
    return model.regression.fitted.weights if model.regression else []
