"""Text and photo: which of them an ad has, and what is said of an ad that lacks one."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Modality: TypeAlias = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")

Kind: TypeAlias = Literal["both", "text", "image", "none"]  # of ads, by what they have
Kinds: TypeAlias = NDArray[np.str_]  # [n]
KINDS: Mapping[frozenset[Modality], Kind] = {
    frozenset(("text", "image")): "both",
    frozenset(("text",)): "text",
    frozenset(("image",)): "image",
    frozenset(): "none",
}
IN_WORDS: Mapping[Kind, str] = {
    "both": "text and photo",
    "text": "text only",
    "image": "photo only",
}


def read_by(arrays: Iterable[str]) -> frozenset[Modality]:
    """The modalities that arrays such as `image_probs` come from."""
    names = list(arrays)
    return frozenset(m for m in MODALITIES for name in names if name.startswith(f"{m}_"))


def kinds_with(modalities: Iterable[Modality]) -> list[Kind]:
    """The kinds of ads that have all of these modalities."""
    wanted = set(modalities)
    return [kind for there, kind in KINDS.items() if wanted <= there]


def have(kinds: Kinds, modalities: Iterable[Modality]) -> NDArray[np.bool_]:
    """Whether ads of these kinds have all of these modalities: [n]."""
    return np.isin(kinds, kinds_with(modalities))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class OrPrior:
    """A classifier's probabilities of all ads of a part, to be used as their array is.

    Alone it knows nothing of an ad that it cannot read, and answers with the prior.
    """

    probs: NDArray[np.float32]  # [n, categories], not a number where `unread`
    unread: NDArray[np.bool_]  # [n]
    prior: NDArray[np.float32]  # [categories]

    @property
    def shape(self) -> tuple[int, ...]:
        """Ads and categories."""
        return self.probs.shape

    def __len__(self) -> int:
        return len(self.probs)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        return np.where(self.unread[rows][..., None], self.prior, self.probs[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # it is one always
        return self[:].astype(dtype or np.float32, copy=False)
