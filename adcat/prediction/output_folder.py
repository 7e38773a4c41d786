"""Predictions in a folder of Parquet files, as Spark writes them: complete or absent."""

import contextlib
import dataclasses
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from adcat.errors import BadInputError
from adcat.files import sha256, write_json
from adcat.prediction.output_files import only_writer
from adcat.workspace import manifest
from adcat.workspace.manifest import Manifest

MANIFEST = "_manifest.json"  # Spark and pyarrow take no file for data that begins so


def check(path: Path) -> None:
    """Refuses a folder that is not to be written, or replaced.

    Raises:
      BadInputError: it holds something else than predictions, or cannot be made.
    """
    if not path.parent.is_dir():
        raise BadInputError(f"--output {path}: the folder {path.parent} does not exist")
    if path.exists() and not (path / MANIFEST).is_file():
        raise BadInputError(
            f"--output {path} is there and holds no predictions of adcat; give another folder"
        )


def is_done(path: Path, about: Manifest) -> bool:
    """Whether a run with the same manifest has written the folder, unchanged since."""
    with contextlib.suppress(FileNotFoundError, BadInputError):
        return Manifest.read(path / MANIFEST).digest == _with_files(about, path).digest
    return False


@contextlib.contextmanager
def writing(path: Path, about: Manifest) -> Iterator[Path]:
    """Gives a folder to write in, which takes its place once the block has ended.

    Args:
      path: the folder.
      about: settings, inputs and notes of this run.

    Raises:
      BusyError: another process is writing the same folder.
    """
    started, partial = time.time(), path.with_name(f".{path.name}.partial")
    with only_writer(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        made = dataclasses.replace(_with_files(about, partial), record=manifest.record(started))
        write_json(partial / MANIFEST, dataclasses.asdict(made))
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)


def counts(path: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each availability and each problem occurs among the predictions of a folder."""
    import pyarrow.parquet as pq

    availabilities, problems = Counter[str](), Counter[str]()
    for file in _files(path):
        for batch in pq.ParquetFile(file).iter_batches(columns=["modality", "problems"]):
            availabilities.update(batch["modality"].to_pylist())
            problems.update(batch["problems"].flatten().to_pylist())
    return availabilities, problems


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet"))


def _with_files(about: Manifest, path: Path) -> Manifest:
    return dataclasses.replace(about, files={file.name: sha256(file) for file in _files(path)})
