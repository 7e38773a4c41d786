"""What an artifact says of itself, and the digests that prove it."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import shlex
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adcat import __version__
from adcat.errors import BadInputError

MANIFEST = "manifest.json"
SCHEMA = 1
RECORDED_PACKAGES = (
    "fasttext-community", "hyperopt", "keras", "numpy", "pillow", "pyarrow", "scikit-learn",
    "scipy", "tensorflow",
)  # fmt: skip
# Among a manifest's notes:
STEERED_BY = "training_steered_by"  # which ads said when to stop, or which settings are best
VALIDATION_PROBS = "validation_probs"
OUT_OF_FOLD = "out-of-fold"  # each ad's from a model that was fitted without it


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `manifest.json`; all but `record` is under the artifact's digest."""

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]  # artifact name -> its digest when it was read
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)  # path -> sha256
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # such as `fitted_on`
    adcat: str = __version__
    schema: int = SCHEMA
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # when, how long, with what

    @property
    def digest(self) -> str:
        """Identifies settings, inputs and content: equal runs have equal digests."""
        content = dataclasses.asdict(self)
        del content["record"]
        return digest_of(content)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Reads `manifest.json`.

        Raises:
          FileNotFoundError: there is none.
          BadInputError: it is not one, or a newer adcat wrote it.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            schema, writer = content["schema"], content["adcat"]
            if schema > SCHEMA:  # its other fields may differ too
                raise BadInputError(
                    f"{path} has schema {schema} of adcat {writer}; "
                    f"this adcat {__version__} reads up to {SCHEMA}"
                )
            manifest = cls(**content)
            manifest._check()
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadInputError(f"{path} is not a manifest of adcat") from None
        return manifest

    def _check(self) -> None:
        """Checks that every field is of its type.

        Raises:
          TypeError: one is not.
        """
        for mapping in (self.settings, self.inputs, self.files, self.notes, self.record):
            if not isinstance(mapping, dict):
                raise TypeError("expected an object")
        for digest in (*self.inputs.values(), *self.files.values()):
            if not isinstance(digest, str):
                raise TypeError("expected a digest")


def record(started: float) -> dict[str, Any]:
    """What is worth knowing of a run and is no part of its result."""
    return {
        "command_line": shlex.join(["adcat", *sys.argv[1:]]),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.time() - started, 3),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES},
    }


def digest_of(value: object) -> str:
    """The sha256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Writes indented JSON with sorted keys, so that equal values give equal files."""
    text = json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


@dataclasses.dataclass(frozen=True, slots=True)
class FileDigests:
    """The digests of a folder's files, computed again only where size or time changed.

    The cache lies outside the folder; it may be lost or copied away from at any time.
    """

    folder: Path
    cache: Path

    def compute(self) -> dict[str, str]:
        """Digests every file below the folder but what is hidden, by its path there."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        paths = [path.relative_to(self.folder) for path in files]
        names = [path.as_posix() for path in paths if not path.parts[0].startswith(".")]
        known = {name: [*self._stat(name), self._sha256(name)] for name in names}
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
                    entry = [*found, self._sha256(name)]
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
        """Size and time.

        Raises:
          OSError: there is no such file, or it is one that could be read for ever.
        """
        status = (self.folder / name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "is no regular file", name)
        return [status.st_size, status.st_mtime_ns]

    def _sha256(self, name: str) -> str:
        with (self.folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _read(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self.cache.read_text(encoding="utf-8"))
            return {name: [size, time, digest] for name, (size, time, digest) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def _write(self, known: dict[str, list[Any]]) -> None:
        """A workspace that cannot be written to is still read: the cache is only for speed."""
        with contextlib.suppress(OSError):
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.cache.with_suffix(".new")
            write_json(temporary, known)
            temporary.replace(self.cache)
