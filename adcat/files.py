"""One way each of: an array on disk, JSON, JSON lines, a file's digest, replacing a file."""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

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
      MissingArtifactError: the file is missing.
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
    if hasattr(os, "posix_fallocate"):  # not on macOS; writing to a block that is missing is fatal
        with path.open("r+b") as file:
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


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file another name; copies it on a disk without hard links, such as exFAT."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def lock(file: IO[Any], kind: int) -> bool:
    """Locks an open file as `flock` does; whether it did, where it was not to wait.

    Raises:
      OSError: the disk cannot lock files.
    """
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(error.errno, error.strerror, file.name) from None
    return True


def append_json_line(path: Path, record: Mapping[str, Any]) -> None:
    """Appends a record to a file of JSON lines."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, sort_keys=True) + "\n")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads the records of a file of JSON lines; empty where the file is missing.

    A last line that a kill cut short is removed from the file.
    """
    if not path.exists():
        return []
    repair_json_lines(path)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def repair_json_lines(path: Path) -> int:
    """Removes a last line that a kill cut short; returns the number of whole lines."""
    lines = end = size = 0
    with path.open("rb") as file:
        for line in file:
            size += len(line)
            if line.endswith(b"\n"):
                lines, end = lines + 1, size
    if end < size:
        os.truncate(path, end)  # a kill right now costs no other line
    return lines


def write_json(path: Path, value: object) -> None:
    """Writes indented JSON with sorted keys, so that equal values give equal files."""
    text = json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False)
    # A byte of a path that is not UTF-8 becomes an escape, as JSON has them.
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def signature(path: Path) -> tuple[int, int, int]:
    """Tells versions of a file apart: modification time in ns, size, inode."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def file_stamp(path: Path) -> str:
    """The size and modification time of a regular file: what tells cheaply that it changed.

    Raises:
      OSError: it is missing, or is not a regular file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(None, "is not a regular file", str(path))
    return f"{status.st_size}-{status.st_mtime_ns}"


def image_digest(path: Path) -> str:
    """The digest of a photo's bytes that `split` records."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_cache(path: Path, value: object) -> None:
    """Writes JSON that only saves time: where it cannot be written, there is none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new:
            write_json(new, value)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write to; the file there then takes the place of `path` in one step."""
    new = path.with_name(f".{path.name}.new")
    yield new
    new.replace(path)
    new.unlink(missing_ok=True)  # it stays where both are links to one file
