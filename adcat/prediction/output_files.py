"""Predictions in a file: resumed after an interruption, and complete or absent.

Whatever the format, predictions are appended to a hidden file of JSON lines beside it, from which
the file itself is written at the end.
"""

import contextlib
import csv
import dataclasses
import fcntl
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias

from adcat.errors import BadInputError, BusyError, MissingArtifactError, StaleArtifactError
from adcat.files import link_or_copy, lock, repair_json_lines, replacing, sha256, write_json
from adcat.prediction.new_ads import Item, in_batches
from adcat.tables import csv_writer
from adcat.workspace import manifest
from adcat.workspace.manifest import Manifest
from adcat.workspace.shards import Shard, all_of, difference, shards_in

if TYPE_CHECKING:
    import pyarrow as pa

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
    with only_writer(path), partial.open("a+b") as file:
        for record in predictions(repair_json_lines(partial)):
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            file.flush()
        with replacing(path) as whole:
            FORMATS[path.suffix.lower()].write(partial, whole)
        _state(path, about, started)
        partial.unlink(missing_ok=True)


def shard_file(path: Path, shard: Shard) -> Path:
    """The file of a share of the predictions, such as `predictions-2-of-8.jsonl`."""
    return path if shard == Shard() else path.with_stem(f"{path.stem}-{shard.name}")


def merge_predictions(path: Path, about: Manifest) -> None:
    """Puts the predictions of all shards together, in the order of the table.

    Args:
      path: the file to write; the shards lie beside it.
      about: settings, inputs and notes of a run over the whole table.

    Raises:
      MissingArtifactError: a shard is missing.
      StaleArtifactError: one was edited, or was not made with these settings and inputs.
      BusyError: another process is writing the same file.
    """
    started, again = time.time(), "type the same command with --shard {} instead of --merge"
    found = shards_in(path.parent, f"{path.stem}-", path.suffix)
    shards = all_of(found, path, f"{again.format('1/N')}, and so on to N/N")
    parts, first = [shard_file(path, shard) for shard in shards], about
    for part, shard in zip(parts, shards, strict=True):
        try:
            made, files = Manifest.read(_manifest(part)), {part.name: sha256(part)}
        except FileNotFoundError:
            lacking = f"{part} is missing or not finished"
            raise MissingArtifactError(f"{lacking}; {again.format(shard)}") from None
        first = made if part == parts[0] else first
        other = difference(made, dataclasses.replace(about, record=first.record))
        if other or made.settings.get("shard") != str(shard) or made.files != files:
            wrong = f"made with {other}" if other else "edited"
            raise StaleArtifactError(f"{part} was {wrong}; {again.format(shard)}")
    with only_writer(path), replacing(path) as whole:
        FORMATS[path.suffix.lower()].merge(parts, whole)
    _state(path, about, started)


def _state(path: Path, about: Manifest, started: float) -> None:
    made = dataclasses.replace(_with_file(about, path), record=manifest.record(started))
    write_json(_manifest(path), dataclasses.asdict(made))


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _with_file(about: Manifest, path: Path) -> Manifest:
    return dataclasses.replace(about, files={path.name: sha256(path)})


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
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
    _write_table(_records(lines), path)


def record_schema() -> "pa.Schema":
    """The columns of predictions in a table."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    suggestion = pa.struct({"category": text, "probability": number})
    return pa.schema({
        "row": pa.int64(),
        "id": text,
        "categories": pa.list_(suggestion),
        "modality": text,
        "contributions": pa.struct({"text": number, "image": number}),
        "problems": pa.list_(text),
        "accepted": pa.bool_(),
    })  # fmt: skip


def _write_table(records: Iterable[Record], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = record_schema()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in in_batches(records, ROWS_PER_BATCH):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))


def _in_turn(parts: Iterable[Iterable[Item]]) -> Iterator[Item]:
    """One item of each in turn: of shards that are dealt out like cards the order before."""
    for items in itertools.zip_longest(*parts):
        yield from (item for item in items if item is not None)


def _merge_lines(parts: Sequence[Path], path: Path) -> None:
    with contextlib.ExitStack() as stack, path.open("wb") as file:
        file.writelines(_in_turn([stack.enter_context(part.open("rb")) for part in parts]))


def _merge_csv(parts: Sequence[Path], path: Path) -> None:
    csv.field_size_limit(sys.maxsize)
    with contextlib.ExitStack() as stack, csv_writer(path, CSV_COLUMNS) as writer:
        files = [stack.enter_context(p.open(newline="", encoding="utf-8")) for p in parts]
        writer.writerows(_in_turn([islice(csv.reader(file), 1, None) for file in files]))


def _merge_parquet(parts: Sequence[Path], path: Path) -> None:
    import pyarrow.parquet as pq

    size = -(-ROWS_PER_BATCH // len(parts))
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(pq.ParquetFile(part)) for part in parts]
        batches = [file.iter_batches(batch_size=size) for file in files]
        _write_table(_in_turn((ad for b in of for ad in b.to_pylist()) for of in batches), path)


class Format(NamedTuple):
    """How predictions are written to a file of a kind."""

    write: Callable[[Path, Path], None]  # from their JSON lines
    merge: Callable[[Sequence[Path], Path], None]  # from files that each have a share of the rows


FORMATS: Mapping[str, Format] = {
    ".jsonl": Format(link_or_copy, _merge_lines),
    ".csv": Format(_write_csv, _merge_csv),
    ".parquet": Format(_write_parquet, _merge_parquet),
}
