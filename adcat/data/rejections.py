"""Why a row of a table is not an ad of the split: one reason each, the first that applies."""

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray


class Reason(enum.StrEnum):
    """Every reason there is, as `rejected.csv` states it."""

    MALFORMED_ROW = "malformed row"
    EMPTY_ID = "empty id"
    EMPTY_CATEGORY = "empty category"
    EMPTY_TEXT = "empty text"
    NO_IMAGE = "no image given"
    IMAGE_IS_URL = "image is a URL"
    IMAGE_OUTSIDE = "image outside the images folder"
    IMAGE_MISSING = "image file missing"
    IMAGE_UNREADABLE = "image unreadable"
    DUPLICATE_ID = "duplicate id"
    DUPLICATE_AD = "duplicate ad"
    RARE_CATEGORY = "category with too few ads"


REASONS = tuple(Reason)


@dataclasses.dataclass(frozen=True, slots=True)
class Rejections:
    """The place in `REASONS` of every row's reason, -1 where the row is accepted: int8 [rows]."""

    codes: NDArray[np.int8]

    @classmethod
    def none(cls, rows: int) -> "Rejections":
        """Rejects no row yet."""
        return cls(np.full(rows, -1, np.int8))

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """The rows without a reason: [rows]."""
        return self.codes < 0

    def add(self, reason: Reason, where: NDArray[np.bool_]) -> None:
        """Rejects rows, except those that were rejected before: `where` is [rows]."""
        self.codes[where & self.accepted] = REASONS.index(reason)

    def counts(self) -> dict[Reason, int]:
        """How many rows have which reason; only reasons that occur."""
        counts = np.bincount(self.codes[~self.accepted], minlength=len(REASONS)).tolist()
        return {reason: n for reason, n in zip(REASONS, counts, strict=True) if n}

    def in_words(self) -> str:
        """The counts, such as `2 image unreadable`."""
        return ", ".join(f"{n:,} {reason}" for reason, n in self.counts().items()) or "none"
