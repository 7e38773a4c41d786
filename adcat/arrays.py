"""Array files with a row for every ad: checked where they are opened, whole where they are made."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import AGAIN, BadInputError, expecting


def open_array(path: Path, rows: int, columns: int | None = None) -> NDArray[np.float32]:
    """Opens an array of one row per ad, memory-mapped, read-only: [rows, columns].

    Args:
      path: the file.
      rows: how many there must be.
      columns: how many there must be, if that is known.

    Raises:
      MissingArtifactError: there is no such file.
      BadInputError: it holds something else.
    """
    with expecting(path, "array"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.shape != (rows, columns or array.shape[1]):
        expected = f"a row for each of {rows} ads" + (f", {columns} columns" if columns else "")
        raise BadInputError(f"{path}: expected {expected}, found {array.shape}; {AGAIN}")
    if array.dtype != np.float32:
        raise BadInputError(f"{path}: expected float32, found {array.dtype}; {AGAIN}")
    return array


def create_array(
    path: Path, rows: int, columns: int, kind: type[np.generic] = np.float32
) -> NDArray[Any]:
    """Creates a memory-mapped array file to be filled: [rows, columns].

    Raises:
      OSError: the disk has no room for all of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to a file of another artifact
    array = np.lib.format.open_memmap(path, "w+", kind, (rows, columns))
    _reserve(path)
    return array


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array file whole; `np.save` does not notice that a disk had no room for its end.

    Raises:
      OSError: the disk has no room for it.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())


def _reserve(path: Path) -> None:
    """Takes the blocks of a memory-mapped file: a write to one that is not there is fatal.

    Raises:
      OSError: the disk has no room for them.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
