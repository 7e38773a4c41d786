"""What fusion policies are fitted on: arrays of the ads of two parts, and samples of them."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import prior
from adcat.types import Availabilities, Availability, Labels, Modality, Part, Probs, have

Rows: TypeAlias = NDArray[np.int64]

MOST = 50_000  # ads that a handful of weights is fitted on


@dataclasses.dataclass(frozen=True)
class PartArrays:
    """What classifiers say of the ads of a part, and their categories."""

    arrays: Mapping[str, NDArray[np.float32]]  # by name, such as `image_probs`: [n, columns]
    labels: Labels  # [n]
    availabilities: Availabilities  # what each ad has: [n]
    groups: Rows  # the number of each ad's group, which duplicates share: [n]

    def where(self, availability: Availability) -> NDArray[np.bool_]:
        """Which ads are of this kind: [n]."""
        return self.availabilities == availability

    def having(self, modalities: Collection[Modality]) -> NDArray[np.bool_]:
        """Which ads have all of these: [n]."""
        return have(self.availabilities, modalities)


@dataclasses.dataclass(frozen=True)
class Material:
    """What policies are fitted on."""

    train: PartArrays
    validation: PartArrays
    categories: int
    is_out_of_fold: bool = False  # the probabilities of training ads

    @property
    def parts(self) -> Mapping[Part, PartArrays]:
        """The ads by part."""
        return {"train": self.train, "validation": self.validation}

    @property
    def probs(self) -> list[str]:
        """The names of the arrays that are probabilities."""
        return [name for name in self.train.arrays if "_probs" in name]

    @property
    def prior(self) -> NDArray[np.float64]:
        """The categories' shares of the training ads: [categories]."""
        return prior(self.train.labels, self.categories)


@dataclasses.dataclass(frozen=True)
class Seen:
    """Ads of several parts that weights are fitted on."""

    parts: Sequence[tuple[PartArrays, Rows]]
    categories: int

    @classmethod
    def of(
        cls,
        material: Material,
        rows: Mapping[Part, Rows],
        parts: Sequence[Part],
        seed: int,
        which: Callable[[PartArrays], NDArray[np.bool_]],
    ) -> "Seen":
        """Those of the given ads that are asked for, at most so many, drawn at random."""
        ads = material.parts
        found = [(ads[p], rows[p][which(ads[p])[rows[p]]]) for p in parts]
        total, rng = sum(len(here) for _, here in found), np.random.default_rng(seed)
        share = min(1, MOST / max(total, 1))
        drawn = [
            (a, np.sort(rng.permutation(here)[: round(share * len(here))])) for a, here in found
        ]
        return cls(drawn, material.categories)

    @property
    def labels(self) -> Labels:
        """Their categories: [n]."""
        return np.concatenate([ads.labels[rows] for ads, rows in self.parts])

    def probs(self, names: Sequence[str]) -> list[Probs]:
        """What classifiers say of them, of none where one does not exist: [n, categories] each."""
        none = np.zeros((0, self.categories), np.float32)
        return [
            np.concatenate([ads.arrays[n][rows] if len(rows) else none for ads, rows in self.parts])
            for n in names
        ]
