"""The folder that a pipeline lives in, and the rule that nothing in it is half-written or stale.

An artifact is a folder named after the command that makes it. It is built in `.partial/` and
renamed into place, whole or not at all. Its `manifest.json` holds the settings, the digest of each
artifact that it was made from and the sha256 of each file; the digest of that is the artifact's
digest. An artifact is *stale* once something that it was made from, directly or not, has another
digest than it had then.
"""

import contextlib
import dataclasses
import fcntl
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adcat.errors import BadInputError, BusyError, MissingArtifactError, StaleArtifactError
from adcat.manifest import MANIFEST, FileDigests, Manifest, record, write_json

SEARCH = "attend-search"
_COMMANDS = {SEARCH: ["attend", "--search"]}  # where the artifact's name is not the command's


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """An artifact while it is being made."""

    folder: Path
    notes: dict[str, Any]  # facts for the manifest, such as what a model was fitted on
    record: dict[str, Any]  # facts outside the digest, such as where the images lie

    @property
    def checkpoints(self) -> Path:
        """Where unfinished work is kept for a later run; no part of the artifact."""
        path = self.folder / ".checkpoints"
        path.mkdir(exist_ok=True)
        return path


@dataclasses.dataclass(frozen=True, slots=True)
class Artifact:
    """One folder of a workspace. It may not exist yet."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / self.name

    def __truediv__(self, file: str) -> Path:
        return self.path / file

    @property
    def command(self) -> str:
        """What a user types to make it."""
        step, _, variant = self.name.partition("/")
        words = ["adcat", *_COMMANDS.get(step, [step])]
        if str(self.root) != "artifacts":
            words[1:1] = ["-w", str(self.root)]
        if step == "split":
            words.append("ADS")
        if step == "fuse":
            words += ["--policy", variant]
        if step == "attend":
            point, _, over = variant.partition("-")
            words += ["--insert-at", point, "--over", over]
        return " ".join(words)

    def manifest(self) -> Manifest:
        """Reads the manifest without checking what it says.

        Raises:
          MissingArtifactError: the artifact was never made.
          StaleArtifactError: the manifest cannot be read.
        """
        if not self.path.exists() and self._aside.exists():
            with self._lock():
                self._recover()
        try:
            return Manifest.read(self / MANIFEST)
        except FileNotFoundError:
            raise MissingArtifactError(f"{self.path} is missing; make it: {self.command}") from None
        except BadInputError as error:
            raise StaleArtifactError(f"{error}; make it again: {self.command}") from None

    def check(self) -> Manifest:
        """Returns the manifest, having checked this artifact and all that it was made from.

        Raises:
          MissingArtifactError: it, or something that it was made from, does not exist.
          StaleArtifactError: a file in it, or an input, changed after it was made.
        """
        manifest = self.manifest()
        again = manifest.record.get("command_line") or self.command
        edited = self._digests().first_difference(manifest.files)
        if edited:
            raise StaleArtifactError(f"{self / edited} was edited; make it again: {again}")
        for name, digest in manifest.inputs.items():
            if Artifact(self.root, name).check().digest != digest:
                raise StaleArtifactError(
                    f"{self.path} was made from an older {name}; make it again: {again}"
                )
        return manifest

    def is_intact(self, manifest: Manifest, files: Iterable[str]) -> bool:
        """Whether these files are all there, as the manifest says."""
        expected = {file: manifest.files.get(file, "") for file in files}
        return self._digests().first_difference(expected) is None

    def _digests(self) -> FileDigests:
        return FileDigests(self.path, self.root / ".cache" / f"{self.name}.json")

    @contextlib.contextmanager
    def write(
        self, settings: Any, inputs: Iterable["Artifact"] = (), *, resume: bool = False
    ) -> Iterator[Draft]:
        """Yields a draft that becomes this artifact when the block ends without an error.

        Args:
          settings: dataclass instance with every choice that the content depends on.
          inputs: the artifacts that the content is made from; checked here.
          resume: whether the draft is kept when the block fails and found again by a run with
            the same settings and inputs. What such a block writes must be sound at any moment.

        Raises:
          BusyError: another process is writing this artifact.
        """
        started = time.time()
        manifest = Manifest(
            settings=dataclasses.asdict(settings),
            inputs={source.name: source.check().digest for source in inputs},
        )
        with self._lock():
            self._recover()
            folder = self._partial / (manifest.digest[:16] if resume else "draft")
            if not resume:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            draft = Draft(folder, {}, {})
            try:
                yield draft
            except BaseException:
                if not resume:
                    shutil.rmtree(folder, ignore_errors=True)
                    self._sweep()
                raise
            shutil.rmtree(folder / ".checkpoints", ignore_errors=True)
            self._seal(draft, manifest, started)
            self._sweep()

    def _seal(self, draft: Draft, manifest: Manifest, started: float) -> None:
        """Writes the manifest into the draft and moves the draft into place.

        A folder cannot be renamed onto a full one, so the old one steps aside; a kill between the
        two renames is mended by `_recover`.
        """
        folder = draft.folder
        (folder / MANIFEST).unlink(missing_ok=True)
        digests = FileDigests(folder, self.root / ".cache" / f"{self.name}.json")
        sealed = dataclasses.replace(
            manifest,
            files=digests.compute(),
            notes=draft.notes,
            record={**record(started), **draft.record},
        )
        write_json(folder / MANIFEST, dataclasses.asdict(sealed))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(self._aside)
        folder.rename(self.path)
        shutil.rmtree(self._aside, ignore_errors=True)

    @property
    def _partial(self) -> Path:
        return self.root / ".partial" / self.name

    @property
    def _aside(self) -> Path:
        return self._partial.with_name(f"{self._partial.name}.old")

    def _recover(self) -> None:
        """Ends what a killed process left between its two renames."""
        if not self._aside.exists():
            return
        if self.path.exists():
            shutil.rmtree(self._aside)
        else:
            self._aside.rename(self.path)

    def _sweep(self) -> None:
        """Removes the draft folder where no draft of another run waits in it."""
        with contextlib.suppress(OSError):
            self._partial.rmdir()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Keeps other processes from writing this artifact; the system frees a dead owner's."""
        path = self._partial.with_name(f"{self._partial.name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"another adcat is writing {self.path}; wait for it, or use another workspace"
                ) from None
            yield


@dataclasses.dataclass(frozen=True, slots=True)
class Workspace:
    """Names every artifact."""

    root: Path

    @property
    def split(self) -> Artifact:
        """The ads, their categories and the part that each belongs to."""
        return Artifact(self.root, "split")

    @property
    def text_model(self) -> Artifact:
        """The text classifier."""
        return Artifact(self.root, "train-text")

    @property
    def image_model(self) -> Artifact:
        """The image classifier."""
        return Artifact(self.root, "train-image")

    @property
    def features(self) -> Artifact:
        """Both classifiers' vectors and probabilities of every ad."""
        return Artifact(self.root, "extract-features")

    @property
    def evaluation(self) -> Artifact:
        """Metrics, tables and figures."""
        return Artifact(self.root, "evaluate")

    @property
    def error_groups(self) -> Artifact:
        """The error-group analysis."""
        return Artifact(self.root, "error-groups")

    def fused(self, name: str) -> Artifact:
        """A fused model and its probabilities."""
        return self._variant("fuse", name)

    def attention(self, name: str) -> Artifact:
        """An attention model, its probabilities and maps."""
        return self._variant("attend", name)

    @property
    def attention_search(self) -> Artifact:
        """What a search over the settings of attention has tried."""
        return Artifact(self.root, SEARCH)

    def variants(self, step: str) -> list[Artifact]:
        """The artifacts that exist of a step that makes several, by name."""
        folder = self.root / step
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return [Artifact(self.root, f"{step}/{name}") for name in names if _is_name(name)]

    def _variant(self, step: str, name: str) -> Artifact:
        if not _is_name(name):
            raise BadInputError(
                f"{name!r} is no model name; a name has lower-case letters, digits and '-' only"
            )
        if name in ("text", "image"):
            raise BadInputError(f"{name!r} is the name of a classifier; choose another --name")
        return Artifact(self.root, f"{step}/{name}")


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) is not None
