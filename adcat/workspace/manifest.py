"""What an artifact records about itself: settings, inputs, files and their digests."""

import dataclasses
import functools
import importlib.metadata
import json
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adcat import __version__
from adcat.errors import BadInputError
from adcat.files import signature
from adcat.settings import without_credentials
from adcat.workspace.digests import digest_of

MANIFEST = "manifest.json"
SCHEMA = 1
RECORDED_PACKAGES = (
    "fasttext-community", "hyperopt", "keras", "numpy", "pillow", "pyarrow", "scikit-learn",
    "scipy", "tensorflow",
)  # fmt: skip
# Among a manifest's notes:
TUNED_ON = "training_steered_by"  # the part that early stopping or a search used
VALIDATION_PROBS = "validation_probs"
FROZEN = "vectors"  # where those of a network that was left as it is are kept, if they are
ENGINE = "image_engine"  # what ran the image network, such as `openvino-float32`
TRAIN_PROBS = "train_probs"
OUT_OF_FOLD = "out-of-fold"  # each ad's from a model that was fitted without it
OUT_OF_FOLD_TRAIN_PROBS = "train_probs.npy"  # of the training ads that a classifier can read


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
        """Reads `manifest.json`; again only when the file has changed.

        Raises:
          FileNotFoundError: there is none.
          BadInputError: it is not a manifest, or a newer adcat wrote it.
        """
        return cls._parse(path, signature(path))

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def _parse(cls, path: Path, version: tuple[int, int, int]) -> "Manifest":
        del version  # of the file: part of the cache's key
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


@functools.cache
def versions() -> Mapping[str, str]:
    """Those of the packages that a result may depend on."""
    return {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES}


def record(started: float) -> dict[str, Any]:
    """Facts about a run that its result does not depend on."""
    return {
        "command_line": shlex.join(["adcat", *map(without_credentials, sys.argv[1:])]),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.time() - started, 3),
        "python": platform.python_version(),
        "packages": versions(),
    }
