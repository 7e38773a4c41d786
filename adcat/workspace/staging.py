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
from adcat.files import lock, replacing, write_json
from adcat.workspace.digests import FileDigests
from adcat.workspace.manifest import MANIFEST, Manifest, record

TEMPORARY = "draft"  # the staging folder of a run that cannot be resumed
CHECKPOINTS = ".checkpoints"
GLANCE = 1  # second; who only looks, as `status` does, holds a lock for far less than that


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
        with self._locked("writing"):
            with self._locked("reading"):
                self._recover()
            folder = self.folder / (manifest.digest[:16] if resume else TEMPORARY)
            if folder.exists() and not resume:
                shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            staging = Staging(folder, {}, dict(manifest.record))
            try:
                begun = dataclasses.replace(manifest, record=record(started))  # for `status`
                with replacing(folder / MANIFEST) as new:
                    write_json(new, dataclasses.asdict(begun))
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
        self.wait()
        with contextlib.ExitStack() as stack:
            if self.target.exists():
                with contextlib.suppress(OSError):  # a read-only workspace has no writers
                    file = stack.enter_context(self._open("reading"))
                    lock(file, fcntl.LOCK_SH)
            yield

    def wait(self) -> None:
        """Waits for a writer that is between its two renames, without changing anything."""
        if not self.target.exists():
            with contextlib.suppress(OSError), self._path("reading").open() as file:
                lock(file, fcntl.LOCK_SH)

    @property
    def is_half_replaced(self) -> bool:
        """Whether a process was killed between its two renames."""
        return self._aside.exists() and not self.target.exists()

    def repair(self) -> None:
        """Repairs what a killed process left, unless another process is writing the artifact."""
        temporary = self.folder / TEMPORARY
        if self._aside.exists() or temporary.exists():
            with contextlib.suppress(BusyError, OSError), self._locked("writing"):
                self._recover()
                shutil.rmtree(temporary, ignore_errors=True)
                self._sweep()

    def discard(self) -> None:
        """Removes unfinished work, unless another process is at it."""
        with contextlib.suppress(BusyError, OSError), self._locked("writing"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def unfinished(self) -> list[Unfinished]:
        """Lists the staging folders, without changing anything."""
        by_time: dict[tuple[int, Path], Unfinished] = {}
        with contextlib.suppress(FileNotFoundError):  # any of it may be done and gone meanwhile
            for folder in self.folder.iterdir():
                with contextlib.suppress(OSError, BadInputError):
                    written = (folder / MANIFEST).stat().st_mtime_ns
                    manifest = Manifest.read(folder / MANIFEST)
                    by_time[written, folder] = Unfinished(folder, manifest)
        found = [by_time[version] for version in sorted(by_time)]
        if found and self._is_being_written():
            found[-1] = dataclasses.replace(found[-1], is_being_written=True)
        return [one for one in found if one.is_being_written or one.folder.name != TEMPORARY]

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
            lock(file, fcntl.LOCK_EX)  # waits for a reader that came after the check in `write`
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
    def _locked(self, what: str) -> Iterator[None]:
        """Keeps other processes from writing or reading the artifact within the block.

        Raises:
          BusyError: one is.
        """
        last_try = time.monotonic() + GLANCE
        with self._open(what) as file:
            while not lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if time.monotonic() > last_try:
                    busy = f"another adcat is {what} {self.target}"
                    raise BusyError(f"{busy}; wait for it, or use another workspace")
                time.sleep(0.01)
            yield

    def _is_being_written(self) -> bool:
        try:
            with self._path("writing").open() as file:
                return not lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False

    def _path(self, what: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{what}.lock")

    def _open(self, what: str) -> IO[str]:
        path = self._path(what)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")  # NFS shares a lock only where the file can be read
