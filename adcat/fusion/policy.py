"""What a fusion policy is: one value that holds all that is known of it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat import thesis
from adcat.fusion.closed_forms import Evidence, Parameters, SingleModality
from adcat.fusion.networks import Network, Tensor
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import evenly
from adcat.fusion.search_spaces import space
from adcat.learning.hyperparameter_search import NOT_OF_THE_RESULT
from adcat.types import Labels, Part, Probs

Build: TypeAlias = Callable[[Sequence[Tensor], int, PolicySettings], Network]
Factors: TypeAlias = Callable[
    [Mapping[str, Probs], Labels, PolicySettings], NDArray[np.float32]
]  # from the baselines' probabilities by name, such as `image_probs`

PROBS = ("image_probs", "text_probs")
VECTORS = ("image_vectors", "text_vectors")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shared:
    """What is known of every policy."""

    name: str
    in_words: str  # how it works
    options: tuple[str, ...] = ()  # the fields of `PolicySettings` that it reads
    reads: tuple[str, ...] = PROBS  # arrays

    @property
    def published(self) -> Mapping[str, Any]:
        """The values of its options that the thesis states."""
        return {}

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The values of its options that are not every policy's."""
        return {}

    @property
    def is_early(self) -> bool:
        """Whether it combines vectors, not probabilities."""
        return not set(self.reads) <= set(PROBS)

    def values(self, settings: PolicySettings) -> dict[str, Any]:
        """The values of its options, but for those that say where it is fitted."""
        names = [name for name in self.options if name not in NOT_OF_THE_RESULT]
        return {name: getattr(settings, name) for name in names}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClosedForm(_Shared):
    """A function of the two probability arrays, and how its parameters are fitted.

    Without `single_modality` an ad with a single modality gets the prediction of its classifier,
    which every rule here reduces to without the other one.
    """

    tuned_on: ClassVar[str] = "nothing"

    combine: Callable[..., NDArray[np.floating]]
    formula: str  # what its probabilities are proportional to, by the names of its parameters
    fit: Callable[[Evidence], Parameters] = lambda evidence: {}
    fitted_on: str = "nothing"
    single_modality: SingleModality | None = None

    @property
    def form(self) -> str:
        """What the thesis' tables call its type."""
        return "heuristic policy" if self.fitted_on == "nothing" else "fitted policy"

    def learns_from(self, settings: PolicySettings) -> str:
        """The part that its parameters are fitted on, if any."""
        return self.fitted_on


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkPolicy(_Shared):
    """A network that is built from Keras tensors of the arrays that it reads."""

    tuned_on: ClassVar[str] = "validation"

    build: Build
    factors: Factors = evenly  # B_n of its loss
    # That one operation is shared among: for small ones several cost more than they give; 0 is one
    # per core.
    threads: int = 1

    @property
    def published(self) -> Mapping[str, Any]:
        """The values of its options that the thesis states, for it or for all networks."""
        stated = thesis.settings("fuse")
        values = {**stated["network"], **stated.get(self.name, {})}
        return {name: value for name, value in values.items() if name in self.options}

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The published values but for those that follow from the ads, and the activations.

        Each early network has others published; on few ads those of `concat` were best for all.
        """
        own = thesis.settings("fuse").get(self.name, {})
        names = [name for name in own if not name.endswith("_activation")]
        return {name: own[name] for name in names if getattr(PolicySettings, name) is not None}

    @property
    def form(self) -> str:
        """What the thesis' tables call its type."""
        return "early fusion" if self.is_early else "network policy"

    def learns_from(self, settings: PolicySettings) -> str:
        """The part whose ads it learns from."""
        return settings.fit_on

    def space(self) -> dict[str, Any]:
        """The hyperopt expressions of the settings that a search varies."""
        return space(self.options, self.is_early)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Fitted(_Shared):
    """What is fitted without being stopped early or searched for."""

    tuned_on: ClassVar[str] = "nothing"
    part: ClassVar[Part]

    def learns_from(self, settings: PolicySettings) -> str:
        """The part whose ads it learns from."""
        return self.part


class LinearPolicy(_Fitted):
    """A regression on the terms of a text and the vector of its photo (`linear.py`)."""

    part, form = "train", "linear model"
    formula = "exp(sum of every array @ fusion/regression_i.npy + regression_b.npy)"


class ConfusionPolicy(_Fitted):
    """Classifiers of photos for the categories that the text confuses (`confusion_driven.py`)."""

    part, form = "train", "linear model"
    formula = (
        "o_txt, but if its two highest, i < j, are of the pairs, these share their sum as o_txt[i] "
        "to o_txt[j] * exp(image_vectors * scale / length @ fusion/regression_0.npy + "
        "regression_b.npy)[pair]"
    )

    @property
    def is_early(self) -> bool:
        """Not: it combines the text's probabilities with those of its own classifiers."""
        return False


class StackPolicy(_Fitted):
    """A log-linear pool of any models of the workspace."""

    part, form = "validation", "fitted policy"
    formula = "product of every o**w of fusion/params.json, times prior**gamma"


Policy: TypeAlias = ClosedForm | NetworkPolicy | LinearPolicy | ConfusionPolicy | StackPolicy
