"""What is measured: models, and what is known of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from adcat.types import Modality, Part, Probs

Approach: TypeAlias = Literal["baseline", "late fusion", "early fusion", "attention"]
APPROACHES: Sequence[Approach] = ("baseline", "late fusion", "early fusion", "attention")


class Model(Protocol):
    """A model to be measured."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it was made with."""
        ...

    @property
    def modality(self) -> Modality | None:
        """What it reads where it is a classifier, not a combination of several."""
        ...

    @property
    def is_tuned_on_validation(self) -> bool:
        """Whether its training was stopped early, or its settings chosen, on the validation ads."""
        ...

    @property
    def has_out_of_fold_train_probs(self) -> bool:
        """Whether its probabilities of training ads are from models that have not seen the ad."""
        ...

    def path(self, part: Part) -> Path:
        """The file of its probabilities of the ads of a part."""
        ...

    def probs(self, part: Part) -> Probs:
        """Its probabilities of the ads of a part: [n, categories]."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class ModelKind:
    """What a model is."""

    approach: Approach
    policy: str  # or the baseline's name, or the attention model's setting
    settings: Mapping[str, Any]  # that it was made with and depends on
    form: str  # the model's type in the thesis' tables
    in_words: str  # how it works
    parts: Sequence[str] = ()  # the classifiers that it combines
    ads: int | None = None  # that a network learned from

    @property
    def fraction(self) -> float:
        """The share of the ads that it learned from."""
        return float(self.settings.get("fraction", 1))


@dataclasses.dataclass(frozen=True, slots=True)
class Training:
    """How a model was trained."""

    differing: Sequence[str]  # the settings that are not as the thesis states them
    seconds: float  # that it took
    top1: float | None = None  # on the ads that it learned from, at the stop
