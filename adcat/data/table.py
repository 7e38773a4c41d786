"""Reads a user's table of ads as a stream of record batches in one form, whatever the file's."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from adcat.data.records import decoded_lines, json_objects, json_text, split_rows
from adcat.errors import BadInputError
from adcat.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "title", "description", "category", "image")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMATS = (*DELIMITERS, ".jsonl", ".parquet")
ROWS_PER_BATCH = 8192
CHARACTERS_PER_BATCH = 1 << 25
FOREIGN = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive", b"PAR1": "Parquet"}

Record: TypeAlias = tuple[bool, list[str]]  # whether it is malformed, its values by COLUMNS


@dataclasses.dataclass(frozen=True, slots=True)
class InputTable:
    """A table of ads in a file."""

    path: Path
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)  # column -> its header
    needed: Sequence[str] = COLUMNS  # columns that the table must have; others may be missing

    def batches(self, progress: Progress) -> Iterator["pa.RecordBatch"]:
        """Streams the rows in their order; none is left out.

        A batch has the columns `row` (int64, the data row counted from 1), `malformed` (bool) and
        those of `COLUMNS` (strings; empty where there is no value). Ids, categories and images
        come without surrounding blanks, categories in Unicode's form NFC. Of a malformed row (a
        wrong number of fields, a broken quotation, no JSON object) only the id is given, if it can
        be told.

        Raises:
          BadInputError: the file is not such a table, lacks a column or has no rows.
        """
        _check_file(self.path)
        read = _parquet_batches if self.path.suffix.lower() == ".parquet" else _text_batches
        rows = 0
        for batch in read(self, progress):
            yield _tidied(rows, batch)
            rows += batch.num_rows
        if not rows:
            raise BadInputError(f"{self.path} has no rows; expected one for each ad")

    def header(self, column: str) -> str:
        """The header that a column has in this table."""
        return self.headers.get(column, column)

    def positions(self, headers: Sequence[str]) -> list[int | None]:
        """Where each of `COLUMNS` stands among a table's headers; None where it may be missing.

        Raises:
          BadInputError: a needed column is missing, or one stands there twice.
        """
        wanted = [self.header(column) for column in COLUMNS]
        for column, header in zip(COLUMNS, wanted, strict=True):
            count = headers.count(header)
            if column in self.needed and count != 1:
                raise BadInputError(
                    f"{self.path} has {'two columns' if count else 'no column'} {header!r}; "
                    f"found: {', '.join(map(repr, headers))[:300]}\n"
                    f"name the column to read: --column {column}=HEADER"
                )
        return [headers.index(header) if header in headers else None for header in wanted]


def schema() -> "pa.Schema":
    """The columns of the batches."""
    import pyarrow as pa

    values = dict.fromkeys(COLUMNS, pa.string())
    return pa.schema({"row": pa.int64(), "malformed": pa.bool_(), **values})


def parse_headers(pairs: Iterable[str]) -> dict[str, str]:
    """Reads `title=headline` and the like into a dictionary from column to header.

    Raises:
      BadInputError: an entry has another form, or names no column or one twice.
    """
    headers: dict[str, str] = {}
    for pair in pairs:
        column, equals, header = pair.partition("=")
        if not equals or column not in COLUMNS or column in headers:
            raise BadInputError(
                f"--column {pair}: expected COLUMN=HEADER, once for a column, "
                f"with COLUMN one of {', '.join(COLUMNS)}"
            )
        headers[column] = header
    return headers


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in FORMATS:
        raise BadInputError(f"{path}: expected a table in one of {', '.join(FORMATS)}")
    if not path.is_file():
        found = "is not a file" if path.exists() else "does not exist"
        raise BadInputError(f"{path} {found}; expected a table of ads")
    if path.stat().st_size == 0:
        raise BadInputError(f"{path} is empty; expected a table of ads")
    with path.open("rb") as file:
        start = file.read(4)
    for magic, name in FOREIGN.items():
        if start.startswith(magic) and (name, path.suffix.lower()) != ("Parquet", ".parquet"):
            raise BadInputError(f"{path} is {name}, not {path.suffix[1:]}; convert or rename it")


def _tidied(before: int, batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """The batch with the number of each row; `before` rows were read before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: batch[name] for name in batch.schema.names}
    for name in ("id", "category", "image"):
        columns[name] = pc.utf8_trim_whitespace(columns[name])  # pyright: ignore[reportAttributeAccessIssue]
    columns["category"] = pc.utf8_normalize(columns["category"], "NFC")  # pyright: ignore[reportAttributeAccessIssue]
    rows = pa.array(range(before + 1, before + 1 + batch.num_rows), pa.int64())
    return pa.RecordBatch.from_pydict({"row": rows, **columns})


def _text_batches(table: InputTable, progress: Progress) -> Iterator["pa.RecordBatch"]:
    path, done = table.path, 0
    records = _json_records if path.suffix.lower() == ".jsonl" else _csv_records
    kilobytes = path.stat().st_size // 1024
    with (
        path.open("rb") as file,
        progress.task(f"reading {path.name}", kilobytes, "kB") as task,
        decoded_lines(path, file) as lines,
    ):
        for chunk in _chunks(records(table, lines)):
            yield _batch(chunk)
            read = file.tell() // 1024
            task.advance(read - done)
            done = read


def _csv_records(table: InputTable, lines: Iterator[str]) -> Iterator[Record]:
    rows = split_rows(lines, DELIMITERS[table.path.suffix.lower()])
    _, headers = next(rows, (True, []))
    positions = table.positions([header.strip() for header in headers])
    for broken, fields in rows:
        malformed = broken or len(fields) != len(headers)
        fields += [""] * (len(headers) - len(fields))
        yield malformed, ["" if position is None else fields[position] for position in positions]


def _json_records(table: InputTable, lines: Iterator[str]) -> Iterator[Record]:
    wanted = [table.header(column) for column in COLUMNS]
    seen: dict[str, None] = {}
    for ad in json_objects(lines):
        values = [json_text(ad.get(header)) for header in wanted]
        seen.update(dict.fromkeys(ad))
        yield not ad or None in values, [value or "" for value in values]
    if not seen:
        raise BadInputError(f"{table.path}: no line is a JSON object; expected one for each ad")
    table.positions(list(seen))


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    chunk, characters = list[Record](), 0
    for record in records:
        chunk.append(record)
        characters += sum(map(len, record[1]))
        if len(chunk) == ROWS_PER_BATCH or characters > CHARACTERS_PER_BATCH:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _batch(records: Sequence[Record]) -> "pa.RecordBatch":
    import pyarrow as pa

    rows = [[values[0], "", "", "", ""] if malformed else values for malformed, values in records]
    columns = {
        name: pa.array(values, pa.string())
        for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    }
    malformed = pa.array([malformed for malformed, _ in records], pa.bool_())
    return pa.RecordBatch.from_pydict({"malformed": malformed, **columns})


def _parquet_batches(table: InputTable, progress: Progress) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            pq.ParquetFile(table.path) as file,
            progress.task(f"reading {table.path.name}", file.metadata.num_rows, "rows") as task,
        ):
            headers = file.schema_arrow.names
            positions = table.positions(headers)
            present = [headers[position] for position in positions if position is not None]
            for batch in file.iter_batches(ROWS_PER_BATCH, columns=list(dict.fromkeys(present))):
                yield _parquet_batch(table, batch)
                task.advance(batch.num_rows)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{table.path}: {error}") from None


def _parquet_batch(table: InputTable, batch: "pa.RecordBatch") -> "pa.RecordBatch":
    import pyarrow as pa

    rows = batch.num_rows
    columns: dict[str, Any] = {"malformed": pa.array([False] * rows, pa.bool_())}
    for column in COLUMNS:
        header = table.header(column)
        values = batch[header] if header in batch.schema.names else pa.nulls(rows, pa.string())
        try:
            columns[column] = _as_text(values)
        except pa.ArrowException as error:
            raise BadInputError(f"{table.path}, column {header!r}: {error}") from None
    return pa.RecordBatch.from_pydict(columns)


def _as_text(values: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = values.cast(pa.string()).fill_null("")
    text.validate(full=True)  # Arrow reads text that is not UTF-8 without a word
    return text
