"""How an artifact is made: in a staging folder below `.partial/`, renamed into place.

A folder cannot be renamed onto one that is not empty, so the old artifact is moved aside first. A
process may be killed at any moment: the next command repairs what it leaves behind.

A writer holds an exclusive lock until it is done; readers share another lock, so that nothing is
replaced while it is read. The system releases the locks of a dead process.
"""

import contextlib
import dataclasses
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from adcat.errors import BadInputError, BusyError
from adcat.files import replacing, write_json
from adcat.workspace.digests import FileDigests
from adcat.workspace.manifest import MANIFEST, Manifest, record

TEMPORARY = "draft"  # the staging folder of a run that cannot be resumed
CHECKPOINTS = ".checkpoints"
GLANCE = 1  # second; `status` holds a writer's lock for far less than that


@dataclasses.dataclass(frozen=True, slots=True)
class Staging:
    """An artifact while it is being made."""

    folder: Path
    notes: dict[str, Any]  # facts for the manifest, such as what a model was fitted on
    record: dict[str, Any]  # facts outside the digest, such as where the images lie

    @property
    def checkpoints(self) -> Path:
        """The folder for unfinished work that a later run resumes; not part of the artifact."""
        path = self.folder / CHECKPOINTS
        path.mkdir(exist_ok=True)
        return path


@dataclasses.dataclass(frozen=True, slots=True)
class Unfinished:
    """A staging folder to be resumed with the same settings and inputs, or being written."""

    folder: Path
    manifest: Manifest  # its settings and inputs; no files yet
    is_being_written: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class StagingArea:
    """The staging folders of one artifact."""

    target: Path  # the artifact's folder
    folder: Path  # holds the staging folders
    digests: Path  # the side cache of the artifact's files

    @contextlib.contextmanager
    def write(self, manifest: Manifest, *, resume: bool) -> Iterator[Staging]:
        """Yields a staging folder that becomes the artifact when the block ends without an error.

        Args:
          manifest: settings and inputs.
          resume: whether the folder is kept when the block fails, and found by the next run.

        Raises:
          BusyError: another process is writing or reading the artifact.
        """
        started = time.time()
        with self._writers_lock():
            self._check_unread()
            self._recover()
            folder = self.folder / (manifest.digest[:16] if resume else TEMPORARY)
            if folder.exists() and not resume:
                shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            staging = Staging(folder, {}, dict(manifest.record))
            try:
                self._describe(folder, manifest, started)
                yield staging
                self._seal(staging, manifest, started)
            except BaseException as error:
                self._recover()
                if not resume:
                    shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError) and not error.filename:  # as where a disk is full
                    reason = error.strerror or str(error)
                    raise OSError(error.errno, reason, str(folder)) from None
                raise
            finally:
                self._sweep()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keeps the artifact from being replaced within the block."""
        with contextlib.ExitStack() as stack:
            if self.target.exists():
                with contextlib.suppress(OSError):  # a read-only workspace has no writers
                    file = stack.enter_context(self._open("reading"))
                    fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def repair(self) -> None:
        """Repairs what a killed process left, unless another process is writing the artifact."""
        temporary = self.folder / TEMPORARY
        if self._aside.exists() or temporary.exists():
            with contextlib.suppress(BusyError, OSError), self._writers_lock():
                self._recover()
                shutil.rmtree(temporary, ignore_errors=True)
                self._sweep()

    def unfinished(self) -> list[Unfinished]:
        """Lists the staging folders, without changing anything."""
        found: list[Unfinished] = []
        for folder in self.folder.iterdir() if self.folder.is_dir() else []:
            with contextlib.suppress(OSError, BadInputError):
                found.append(Unfinished(folder, Manifest.read(folder / MANIFEST)))
        found.sort(key=lambda staging: (staging.folder / MANIFEST).stat().st_mtime_ns)
        if found and self._is_being_written():
            found[-1] = dataclasses.replace(found[-1], is_being_written=True)
        return [
            staging
            for staging in found
            if staging.is_being_written or staging.folder.name != TEMPORARY
        ]

    def _describe(self, folder: Path, manifest: Manifest, started: float) -> None:
        """Describes the unfinished artifact, for `status`."""
        begun = dataclasses.replace(manifest, record=record(started))
        with replacing(folder / MANIFEST) as new:
            write_json(new, dataclasses.asdict(begun))

    def _seal(self, staging: Staging, manifest: Manifest, started: float) -> None:
        """Writes the manifest and moves the folder into place."""
        folder = staging.folder
        (folder / MANIFEST).unlink()
        sealed = dataclasses.replace(
            manifest,
            files=FileDigests(folder, self.digests).compute(),
            notes=staging.notes,
            record={**record(started), **staging.record},
        )
        write_json(folder / MANIFEST, dataclasses.asdict(sealed))
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # last: digests take their time
        self.target.parent.mkdir(parents=True, exist_ok=True)
        with self._open("reading") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # waits for a reader that came after `_check_unread`
            with contextlib.suppress(FileNotFoundError):
                self.target.rename(self._aside)
            folder.rename(self.target)
        shutil.rmtree(self._aside, ignore_errors=True)

    @property
    def _aside(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.old")

    def _recover(self) -> None:
        """Completes or undoes what a process killed between its two renames left."""
        if not self._aside.exists():
            return
        if self.target.exists():
            shutil.rmtree(self._aside)
        else:
            self._aside.rename(self.target)

    def _sweep(self) -> None:
        """Removes the parent folder where it holds no other staging folder."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @contextlib.contextmanager
    def _writers_lock(self) -> Iterator[None]:
        with self._open("writing") as file:
            last_try = time.monotonic() + GLANCE
            while not _locked(file):
                if time.monotonic() > last_try:
                    raise BusyError(
                        f"another adcat is writing {self.target}; wait for it, or use another "
                        "workspace"
                    )
                time.sleep(0.01)
            yield

    def _check_unread(self) -> None:
        with self._open("reading") as file:
            if not _locked(file):
                raise BusyError(
                    f"another adcat is reading {self.target}; wait for it, or use another workspace"
                )

    def _is_being_written(self) -> bool:
        try:
            with self.folder.with_name(f"{self.folder.name}.writing.lock").open() as file:
                return not _locked(file, fcntl.LOCK_SH)
        except OSError:
            return False

    def _open(self, lock: str) -> IO[str]:
        path = self.folder.with_name(f"{self.folder.name}.{lock}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")


def _locked(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    """Tries to lock an open file without waiting."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
