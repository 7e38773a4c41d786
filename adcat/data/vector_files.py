"""Vectors made elsewhere, read batch by batch: a Parquet file, or an array with the ids beside it.

A Parquet file has a column `id` and one of lists of floats. An array [n, length] is a `.npy` file,
whose ids are the lines of a `.txt` file of the same name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.parquet import BUFFER, as_text, is_list
from adcat.errors import BadInputError
from adcat.types import Vectors

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 8192  # vectors in memory at a time
EXPECTED = (
    "expected a .parquet file with a column id and one column of lists of floats, or a .npy file "
    "[n, length] of floats and a .txt file of the same name with an id on each line"
)

Batches: TypeAlias = Iterator[tuple[list[str], Vectors]]


def files_of(path: Path) -> list[Path]:
    """The files that hold the vectors of `path` and their ids.

    Raises:
      BadInputError: one is missing, or it is of no kind that is read.
    """
    found = [path, path.with_suffix(".txt")] if path.suffix == ".npy" else [path]
    for file in found:
        if not file.is_file():
            raise BadInputError(f"{file} is missing; {EXPECTED}")
    if path.suffix not in (".npy", ".parquet"):
        raise BadInputError(f"{path} is neither .parquet nor .npy; {EXPECTED}")
    return found


def vector_batches(path: Path) -> Batches:
    """Streams the ids and vectors of a file, at least one batch: [b] and [b, length].

    Raises:
      BadInputError: it holds something else, or vectors of several lengths.
    """
    import pyarrow as pa

    files_of(path)
    try:
        length = 0
        for ids, found in _of_array(path) if path.suffix == ".npy" else _of_table(path):
            length = length or found.shape[1]
            if found.shape[1] != length:
                raise ValueError(f"vectors have lengths {length} and {found.shape[1]}")
            if found.dtype.kind != "f":
                raise ValueError(f"the vectors' numbers are {found.dtype}, not floats")
            with np.errstate(over="ignore"):  # what becomes infinite is told where it is used
                yield [id.strip() for id in ids], found.astype(np.float32, copy=False)
        if not length:
            raise ValueError("it holds no vectors")
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise BadInputError(f"{path}: {str(error).splitlines()[0]}; {EXPECTED}") from None


def check_finite(path: Path, ids: list[str], vectors: Vectors) -> None:
    """Checks the vectors [b, length] of these ids.

    Raises:
      BadInputError: one holds NaN or infinity.
    """
    is_finite = np.isfinite(vectors).all(axis=1)
    if not is_finite.all():
        id = ids[int(is_finite.argmin())]
        raise BadInputError(
            f"{path}: the vector of {id} holds NaN or infinity, as float32; expected finite numbers"
        )


def _of_array(path: Path) -> Iterator[tuple[list[str], NDArray[np.floating]]]:
    array = np.lib.format.open_memmap(path, mode="r")  # refuses archives and pickles
    if array.ndim != 2:
        raise ValueError(f"an array of shape {array.shape}")
    ids = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    if len(ids) != len(array):
        lines = f"{len(ids):,} lines in {path.with_suffix('.txt').name}"
        raise ValueError(f"{lines} for {len(array):,} vectors")
    for start in range(0, len(ids), BLOCK):
        yield ids[start : start + BLOCK], np.array(array[start : start + BLOCK])


def _of_table(path: Path) -> Iterator[tuple[list[str], NDArray[np.floating]]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
        kinds = {field.name: field.type for field in file.schema_arrow}
        of_ids = [name for name in kinds if name.lower() == "id"]
        of_vectors = [name for name in kinds if is_list(kinds[name])]
        if len(of_ids) != 1 or len(of_vectors) != 1:
            raise ValueError(f"columns {', '.join(kinds)}")
        for batch in file.iter_batches(BLOCK, columns=[*of_ids, *of_vectors]):
            ids = as_text(batch[of_ids[0]]).to_pylist()
            yield ids, _stacked(ids, batch[of_vectors[0]])


def _stacked(ids: list[str], lists: "pa.Array") -> NDArray[np.floating]:
    """Lists of equal length as rows: [n, length].

    Raises:
      ValueError: they differ in length, or one is missing.
    """
    import pyarrow.compute as pc

    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    differing = np.flatnonzero((lengths != lengths[:1]) | (lengths == 0))
    if len(differing):
        row = int(differing[0])
        raise ValueError(f"the vector of {ids[row]} has {lengths[row]} numbers, not {lengths[0]}")
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(ids), -1)
