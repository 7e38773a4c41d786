"""Predictions in a file: resumed after an interruption, and complete or absent.

Whatever the format, predictions are appended to a hidden file of JSON lines beside it, from which
the file itself is written at the end.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from adcat.errors import BadInputError, BusyError
from adcat.files import link_or_copy, lock, repair_json_lines, replacing, sha256, write_json
from adcat.prediction.new_ads import in_batches
from adcat.tables import csv_writer
from adcat.workspace import manifest
from adcat.workspace.manifest import Manifest

Record: TypeAlias = dict[str, Any]  # as `Prediction.record` returns it

ROWS_PER_BATCH = 8192
CSV_COLUMNS = (
    "row", "id", "category", "probability", "modality", "text", "image", "problems", "categories",
    "accepted",
)  # fmt: skip


def check_format(path: Path) -> None:
    """Refuses a file that predictions cannot be written to.

    Raises:
      BadInputError: its format is not one of `FORMATS`, or its folder does not exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"--output {path}: expected a file in one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise BadInputError(f"--output {path}: the folder {path.parent} does not exist")


def is_done(path: Path, about: Manifest) -> bool:
    """Whether a run with the same manifest has written the file, unchanged since."""
    try:
        return Manifest.read(_manifest(path)).digest == _with_file(about, path).digest
    except (FileNotFoundError, BadInputError):
        return False


def write_predictions(
    path: Path, about: Manifest, predictions: Callable[[int], Iterable[Record]]
) -> None:
    """Writes predictions and, beside them, a manifest of how they were made.

    Args:
      path: the file.
      about: settings, inputs and notes of this run.
      predictions: called with the number that an earlier run has written; yields the others.

    Raises:
      BusyError: another process is writing the same file.
    """
    started = time.time()
    partial = path.with_name(f".{path.name}.{about.digest[:16]}.jsonl")
    with _only_writer(path), partial.open("a+b") as file:
        for record in predictions(repair_json_lines(partial)):
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            file.flush()
        with replacing(path) as whole:
            FORMATS[path.suffix.lower()](partial, whole)
        made = dataclasses.replace(_with_file(about, path), record=manifest.record(started))
        write_json(_manifest(path), dataclasses.asdict(made))
        partial.unlink(missing_ok=True)


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _with_file(about: Manifest, path: Path) -> Manifest:
    return dataclasses.replace(about, files={path.name: sha256(path)})


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Keeps other processes from writing the file within the block, whatever they predict."""
    beside = path.with_name(f".{path.name}.lock")
    with beside.open("a+") as file:
        if not _is_locked(file, beside):
            raise BusyError(f"another adcat is writing {path}; wait for it")
        try:
            yield
        finally:
            beside.unlink()


def _is_locked(file: IO[str], path: Path) -> bool:
    """Tries to lock the open file `path`, which whoever held it may have removed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        is_locked = lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return is_locked and os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _records(lines: Path) -> Iterator[Record]:
    with lines.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _write_csv(lines: Path, path: Path) -> None:
    """Writes a row per ad: the best category in columns of its own, all of them as JSON."""
    with csv_writer(path, CSV_COLUMNS) as writer:
        for record in _records(lines):
            flat = {
                **record,
                **record["categories"][0],
                **record["contributions"],
                "problems": "; ".join(record["problems"]),
                "categories": json.dumps(record["categories"], ensure_ascii=False),
            }
            writer.writerow([flat.get(name) for name in CSV_COLUMNS])


def _write_parquet(lines: Path, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.float64()
    suggestion = pa.struct({"category": text, "probability": number})
    schema = pa.schema({
        "row": pa.int64(),
        "id": text,
        "categories": pa.list_(suggestion),
        "modality": text,
        "contributions": pa.struct({"text": number, "image": number}),
        "problems": pa.list_(text),
        "accepted": pa.bool_(),
    })  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in in_batches(_records(lines), ROWS_PER_BATCH):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))


FORMATS: Mapping[str, Callable[[Path, Path], None]] = {
    ".jsonl": link_or_copy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
