"""The vocabulary of arrays: what their axes mean, and what ads have."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Part: TypeAlias = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

Probs: TypeAlias = NDArray[np.float32]  # [n, categories], rows sum to 1
Vectors: TypeAlias = NDArray[np.float32]  # [n, dimensions]
Labels: TypeAlias = NDArray[np.int64]  # [n], in 0 .. categories - 1

VECTORS = "vectors"  # the layer of a classifier that its last layer reads
TextLayer: TypeAlias = Literal["vectors", "logits"]

Modality: TypeAlias = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")

Availability: TypeAlias = Literal["both", "text", "image", "none"]  # of ads, by what they have
Availabilities: TypeAlias = NDArray[np.str_]  # [n]
AVAILABILITIES: Mapping[frozenset[Modality], Availability] = {
    frozenset(("text", "image")): "both",
    frozenset(("text",)): "text",
    frozenset(("image",)): "image",
    frozenset(): "none",
}
IN_WORDS: Mapping[Availability, str] = {
    "both": "text and photo",
    "text": "text only",
    "image": "photo only",
}


def read_by(arrays: Iterable[str]) -> frozenset[Modality]:
    """The modalities that arrays such as `image_probs` or `text_probs@words` come from.

    Those of a fused model come from both: `text_image_probs@linear`.
    """
    words = {word for name in arrays for word in name.partition("@")[0].split("_")}
    return frozenset(modality for modality in MODALITIES if modality in words)


def classifiers_of(arrays: Iterable[str]) -> list[str]:
    """The names of the classifiers that arrays such as `image_probs`, `text_probs@words` are of."""
    split = (array.partition("@") for array in arrays)
    return sorted({name or array.partition("_")[0] for array, _, name in split})


def availabilities_with(modalities: Iterable[Modality]) -> list[Availability]:
    """The kinds of ads that have all of these modalities."""
    wanted = set(modalities)
    return [availability for there, availability in AVAILABILITIES.items() if wanted <= there]


def have(availabilities: Availabilities, modalities: Iterable[Modality]) -> NDArray[np.bool_]:
    """Whether ads of these kinds have all of these modalities: [n]."""
    return np.isin(availabilities, availabilities_with(modalities))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared with ==
class SplitAds:
    """The ads of a split by part, without their texts and images."""

    categories: Sequence[str]
    labels: Mapping[Part, Labels]  # [n] each
    availabilities: Mapping[Part, Availabilities]  # [n] each


class ShownAd(NamedTuple):
    """What a gallery shows of an ad."""

    title: str
    category: str
    image: str  # its absolute path; empty where there is none to show
