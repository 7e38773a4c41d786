"""Why a row of a table is not an ad of the split: one reason each, the first that applies."""

import dataclasses
import enum
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from adcat.tables import csv_writer

if TYPE_CHECKING:
    import pyarrow as pa


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
    IMAGE_NOT_FETCHED = "image not fetched"
    IMAGE_UNREADABLE = "image unreadable"
    DUPLICATE_ID = "duplicate id"
    DUPLICATE_AD = "duplicate ad"
    RARE_CATEGORY = "category with too few ads"


REASONS = tuple(Reason)

# The column whose cell is to blame.
COLUMN_OF = {
    **dict.fromkeys((reason for reason in REASONS if "image" in reason), "image"),
    Reason.DUPLICATE_ID: "id",
    Reason.RARE_CATEGORY: "category",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Rejections:
    """Why each row is rejected, if it is."""

    columns: ClassVar = ("row", "id", "reason", "cell", "cause")  # of a list

    codes: NDArray[np.int8]  # the reason's index in `REASONS`, -1 where accepted: [rows]
    causes: NDArray[np.object_]  # what is known of the cause, a text: [rows]

    @classmethod
    def none(cls, rows: int) -> "Rejections":
        """Rejects no row yet."""
        return cls(np.full(rows, -1, np.int8), np.full(rows, "", object))

    def copy(self) -> "Rejections":
        """The same, to be added to."""
        return Rejections(self.codes.copy(), self.causes.copy())

    def listed(self, batch: "pa.RecordBatch") -> Iterator[Sequence[object]]:
        """The values of `columns` for every rejected row of a batch of the table."""
        rows = batch["row"].to_numpy() - 1
        for i in np.flatnonzero(self.codes[rows] >= 0).tolist():
            reason = REASONS[self.codes[rows[i]]]
            cell = batch[COLUMN_OF[reason]][i].as_py() if reason in COLUMN_OF else ""
            own = (batch[name][i].as_py() for name in ("row", "id"))
            yield *own, reason, cell, self.causes[rows[i]]

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
        """The counts and the first cause of each, such as `2 image unreadable (row 7: HEIC)`."""
        found = (f"{n:,} {reason}{self._first(reason)}" for reason, n in self.counts().items())
        return ", ".join(found) or "none"

    def _first(self, reason: Reason) -> str:
        rows = np.flatnonzero((self.codes == REASONS.index(reason)) & (self.causes != ""))
        return f" (row {rows[0] + 1}: {self.causes[rows[0]]})" if len(rows) else ""

    def explained(self, path: Path, table: Path, images: object) -> str:
        """Lists the rejected rows of an Arrow file in `path`; returns a line about the first.

        `images` is where the images lie, as it is to be shown.
        """
        import pyarrow as pa

        if self.accepted.all():
            return ""
        path.parent.mkdir(parents=True, exist_ok=True)
        first: Sequence[object] | None = None
        with pa.memory_map(str(table)) as source, csv_writer(path, self.columns) as writer:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                listed = list(self.listed(reader.get_batch(number)))
                first = first or next(iter(listed), None)
                writer.writerows(listed)
        row, _, reason, cell, _ = first or ("",) * 5
        blamed = f" {cell!r}" if cell else ""
        where = images / str(cell) if isinstance(images, Path) else f"{images}/{cell}"
        tried = f", tried {where}" if cell and "image" in str(reason) else ""
        return f"\nrow {row}: {reason}{blamed}{tried}; all of them: {path}"
