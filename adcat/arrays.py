"""Arrays in files, written so that a full disk is noticed."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def create_array(
    path: Path, rows: int, columns: int, kind: type[np.generic] = np.float32
) -> NDArray[Any]:
    """Creates a memory-mapped array file to be filled: [rows, columns].

    Raises:
      OSError: the disk has no room for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to a file of another artifact
    array = np.lib.format.open_memmap(path, "w+", kind, (rows, columns))
    # A page of a memory map that finds no room on the disk kills the process: take all room now.
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array file whole; `np.save` does not notice that a disk had no room for its end.

    Raises:
      OSError: the disk has no room for it.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())
