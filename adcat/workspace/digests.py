"""Digests of an artifact's content."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from adcat.files import file_stamp, sha256, write_cache


def digest_of(value: object) -> str:
    """The sha256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How closely to look at files, and whether the next look may rely on it."""

    every_byte: bool = False  # also of files whose size and time are those of the last look
    is_remembered: bool = True


USUAL = Look()


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
        known = {n: [file_stamp(self.folder / n), sha256(self.folder / n)] for n in names}
        write_cache(self.cache, known)
        return {name: digest for name, (_, digest) in known.items()}

    def first_difference(self, expected: Mapping[str, str], look: Look = USUAL) -> str | None:
        """The first file that is missing or has another digest than expected, if any.

        Args:
          expected: digests by path.
          look: how closely to look.
        """
        known, fresh = self._read(), dict[str, list[str]]()

        def found(name: str) -> str | None:
            """The digest of a file; None where it cannot be read."""
            try:
                stamp, entry = file_stamp(self.folder / name), known.get(name)
                if look.every_byte or not entry or entry[0] != stamp:
                    entry = [stamp, sha256(self.folder / name)]
            except (OSError, ValueError):  # such as a name with a NUL
                return None
            fresh[name] = entry
            return entry[1]

        different = next((name for name in expected if found(name) != expected[name]), None)
        if look.is_remembered and not fresh.items() <= known.items():
            write_cache(self.cache, {**known, **fresh})
        return different

    def _read(self) -> dict[str, list[str]]:
        try:
            known = json.loads(self.cache.read_text(encoding="utf-8"))
            return {name: [stamp, digest] for name, (stamp, digest) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}
