"""Arrays that are filled batch by batch, and resumed after an interruption."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.files import create_array, replacing
from adcat.progress import Progress

Batch = Sequence[NDArray[np.float32]]  # one array [b, columns] per file


def fill(
    files: Mapping[Path, int],
    there: NDArray[np.bool_],
    count: Path,
    batches: Callable[[int], Iterator[Batch]],
    progress: Progress,
    title: str,
    unit: str,
) -> None:
    """Fills array files of one row per ad.

    Args:
      files: the files and their columns.
      there: which ads are filled in; the rows of the others become NaN: [n].
      count: where the number of rows done is kept.
      batches: called with the number of rows done; yields the others, of ads that are there.
      progress: reports every row.
      title: of the task, as progress shows it.
      unit: what it calls an ad.

    Raises:
      DivergedError: a batch holds a value that is not finite.
    """
    if not all(path.exists() for path in files):  # an older adcat made fewer
        count.unlink(missing_ok=True)
    rows = _Rows(count)
    arrays = [_open(path, there, columns, rows.done) for path, columns in files.items()]
    positions = np.flatnonzero(there)
    with progress.task(title, len(positions), unit, rows.done) as task:
        for batch in batches(rows.done):
            here = positions[rows.done : rows.done + len(batch[0])]
            for array, values in zip(arrays, batch, strict=True):
                check_finite(values, here, title)
                array[here] = values
            rows.add(len(batch[0]))
            task.advance(len(batch[0]))


def check_finite(values: NDArray[np.floating], ads: NDArray[np.int64], title: str) -> None:
    """Checks the rows that a model made of some ads.

    Raises:
      DivergedError: a value is not finite.
    """
    is_finite = np.isfinite(values).all(axis=1)
    if not is_finite.all():
        row = ads[is_finite.argmin()]
        raise DivergedError(
            f"{title}: the model gives NaN or infinity for ad {row}; train it again"
        )


def _open(path: Path, there: NDArray[np.bool_], columns: int, done: int) -> NDArray[np.float32]:
    if done:
        return np.load(path, mmap_mode="r+", allow_pickle=False)
    array = create_array(path, len(there), columns)
    array[~there] = np.nan
    return array


class _Rows:
    """How many rows of an array are done, remembered across interruptions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done = int(self._path.read_text()) if self._path.exists() else 0

    def add(self, rows: int) -> None:
        """Counts rows that are written; the count on disk never runs ahead of the rows."""
        self.done += rows
        with replacing(self._path) as new:
            new.write_text(str(self.done))
