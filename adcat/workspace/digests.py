"""Digests of an artifact's content."""

import contextlib
import dataclasses
import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adcat.files import replacing, sha256, write_json


def digest_of(value: object) -> str:
    """The sha256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class FileDigests:
    """Digests of a folder's files, recomputed only where size or modification time changed.

    The cache lies outside the folder and may be lost at any time.
    """

    folder: Path
    cache: Path

    def compute(self) -> dict[str, str]:
        """Digests every file below the folder that is not hidden, by its relative path."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        paths = [path.relative_to(self.folder) for path in files]
        names = [path.as_posix() for path in paths if not path.parts[0].startswith(".")]
        known = {name: [*self._stat(name), sha256(self.folder / name)] for name in names}
        self._write(known)
        return {name: entry[-1] for name, entry in known.items()}

    def first_difference(
        self, expected: Mapping[str, str], *, every_byte: bool = False
    ) -> str | None:
        """The first file that is missing or has another digest than expected, if any.

        Args:
          expected: digests by path.
          every_byte: whether all files are read, not only those whose size or time changed.
        """
        known = self._read()
        fresh: dict[str, list[Any]] = {}
        different = None
        for name, digest in expected.items():
            try:
                found, entry = self._stat(name), known.get(name)
                if every_byte or not entry or entry[:2] != found:
                    entry = [*found, sha256(self.folder / name)]
            except (OSError, ValueError):  # such as a name with a NUL
                different = name
                break
            fresh[name] = entry
            if entry[2] != digest:
                different = name
                break
        if not fresh.items() <= known.items():
            self._write({**known, **fresh})
        return different

    def _stat(self, name: str) -> list[Any]:
        """Size and modification time.

        Raises:
          OSError: the file is missing, or is not a regular one.
        """
        status = (self.folder / name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "is not a regular file", name)
        return [status.st_size, status.st_mtime_ns]

    def _read(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self.cache.read_text(encoding="utf-8"))
            return {name: [size, time, digest] for name, (size, time, digest) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def _write(self, known: dict[str, list[Any]]) -> None:
        """Writes the cache, which is only for speed: a read-only workspace can still be read."""
        with contextlib.suppress(OSError):
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.cache) as new:
                write_json(new, known)
