"""Reads a user's table of ads as a stream of record batches in one form, whatever the file's."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from adcat.data import parquet
from adcat.data.file_formats import DELIMITERS, JSON_LINES, check_file
from adcat.data.image_names import fields_of, filled
from adcat.data.records import (
    best_delimiter,
    decoded_lines,
    json_objects,
    json_text,
    json_value,
    same_header,
    split_rows,
    stated_delimiter,
)
from adcat.errors import BadInputError
from adcat.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "title", "description", "category", "image")
CONTENT = ("title", "description", "image")  # of which a table has one at least
CHARACTERS_PER_BATCH = 1 << 25

# Whether it is malformed, its values by COLUMNS; the id is None where the table has none.
Record: TypeAlias = tuple[bool, list[str | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class InputTable:
    """A table of ads in a file."""

    path: Path
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)  # column -> its header
    needed: Sequence[str] = COLUMNS[1:]  # columns that it must have; others may be missing
    read: Sequence[str] = ()  # columns whose absence is told
    image_pattern: str = ""  # names images after other columns, where these have values

    def batches(self, progress: Progress, only: range | None = None) -> Iterator["pa.RecordBatch"]:
        """Streams the rows in their order; none is left out, or of a Parquet file the `only` ones.

        A batch has the columns `row` (int64, the data row counted from 1), `malformed` (bool) and
        those of `COLUMNS` (strings; empty for a missing value). Ids, categories and images come
        without surrounding blanks, categories in Unicode's form NFC; a table without ids has the
        numbers of its rows for them. Of a malformed row (a wrong number of fields, a broken
        quotation, no JSON object) only the id is given, if it can be told. Photos that lie in the
        table itself are one more column, `photo` (binary), and `image` is the row's number then.

        Raises:
          BadInputError: the file is not such a table, lacks a column or has no rows.
        """
        check_file(self.path)
        if self.is_parquet:
            batches = _parquet_batches(self, progress, only)
        else:
            batches = _text_batches(self, progress)
        rows = first = only.start if only else 0
        for batch in batches:
            yield tidied(rows, batch)
            rows += batch.num_rows
        if rows == first:
            raise BadInputError(f"{self.path} has no rows; expected one for each ad")

    def values(self, ad: Mapping[str, Any]) -> list[str | None]:
        """The values of a JSON object by `COLUMNS`, None for what is not text; of images the first.

        Raises:
          BadInputError: it has several categories, and needs one.
        """
        values = {column: json_value(ad, self.names(column)) for column in self.columns}
        for column in parquet.LISTS:
            if isinstance(found := values[column], list):
                if len(found) > 1 and column == "category" and column in self.needed:
                    raise BadInputError(f"{self.path}: {parquet.several_categories(found)}")
                values[column] = found[0] if found else None
        return self.row(list(map(json_text, values.values())))

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file, of which any row can be read without those before."""
        return self.path.suffix.lower() == ".parquet"

    @property
    def columns(self) -> Sequence[str]:
        """`COLUMNS`, and the others that images are named after."""
        return list(dict.fromkeys((*COLUMNS, *fields_of(self.image_pattern))))

    def row(self, values: Sequence[str | None]) -> list[str | None]:
        """The values by `COLUMNS`, with the image's name by the pattern, of those by `columns`."""
        named = self.image_pattern and filled(
            self.image_pattern, dict(zip(self.columns, values, strict=True))
        )
        return [*values[: len(COLUMNS) - 1], named or values[len(COLUMNS) - 1]]

    def header(self, column: str) -> str:
        """The header that a column has in this table."""
        return self.headers.get(column, column)

    def names(self, column: str) -> tuple[str, ...]:
        """What a column may be called, best first."""
        header = self.header(column)
        return (header,) if column in self.needed else (header, column)

    def positions(self, headers: Sequence[str], progress: Progress) -> list[int | None]:
        """Where each of `columns` stands among a table's headers; None where it may be missing.

        Case and surrounding blanks of a header do not matter where only one fits.

        Raises:
          BadInputError: a needed column is missing, or one stands there twice, or the table has
            neither a title nor a description nor an image.
        """
        found = ", ".join(map(repr, headers))[:300]
        positions = {column: self._position(column, headers, found) for column in self.columns}
        there = {name for name, position in positions.items() if position is not None}
        if self.image_pattern and there.issuperset(fields_of(self.image_pattern)):
            there.add("image")
        if there.isdisjoint(CONTENT):
            raise BadInputError(
                f"{self.path} has none of the columns {', '.join(CONTENT)}; found: {found}\n"
                "name the columns to read: --column title=HEADER"
            )
        for column in sorted(set(self.read) - there):
            progress.say(
                f"warning: {self.path} has no column {column!r}, which the model reads; "
                f"if it has another name: --column {column}=HEADER"
            )
        return list(positions.values())

    def headers_in(self, headers: Sequence[str], progress: Progress) -> dict[str, str]:
        """The header of each of `columns` that is among a table's; errors as in `positions`."""
        by_column = zip(self.columns, self.positions(headers, progress), strict=True)
        return {column: headers[position] for column, position in by_column if position is not None}

    def _position(self, column: str, headers: Sequence[str], found: str) -> int | None:
        for name in self.names(column):
            fitting = [i for i, header in enumerate(headers) if header == name]
            fitting = fitting or [i for i, h in enumerate(headers) if same_header(h, name)]
            if len(fitting) == 1:
                return fitting[0]
            if fitting or column in self.needed:
                naming = f"--column {column}=HEADER" if column in COLUMNS else "--image-pattern"
                may_lack = column in CONTENT[1:] and not (fitting or column in self.headers)
                raise BadInputError(
                    f"{self.path} has {'two columns' if fitting else 'no column'} {name!r}; "
                    f"found: {found}\nname the column to read: {naming}"
                    f"{'; to keep ads without: --keep-incomplete' * may_lack}"
                )
        return None


def schema() -> "pa.Schema":
    """The columns of the batches."""
    import pyarrow as pa

    values = dict.fromkeys(COLUMNS, pa.string())
    return pa.schema({"row": pa.int64(), "malformed": pa.bool_(), **values})


def parse_headers(pairs: Iterable[str]) -> dict[str, str]:
    """Reads `title=headline` and the like into a dictionary from column to header.

    Raises:
      BadInputError: an entry is not of that form, or its column is unknown or named twice.
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


def tidied(before: int, batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """The batch with the number of each row; `before` rows were read before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.array(range(before + 1, before + 1 + batch.num_rows), pa.int64())
    numbers, nothing = rows.cast(pa.string()), pa.repeat("", batch.num_rows)
    columns = {"malformed": pa.repeat(False, batch.num_rows), **dict.fromkeys(COLUMNS, nothing)}
    columns |= {"id": numbers, **{name: batch[name] for name in batch.schema.names}}
    columns["id"] = pc.coalesce(columns["id"], numbers)  # pyright: ignore[reportAttributeAccessIssue]
    if parquet.PHOTO in columns:
        columns["image"] = pc.if_else(columns[parquet.PHOTO].is_valid(), numbers, "")  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("id", "category", "image"):
        columns[name] = pc.utf8_trim_whitespace(columns[name])  # pyright: ignore[reportAttributeAccessIssue]
    columns["category"] = pc.utf8_normalize(columns["category"], "NFC")  # pyright: ignore[reportAttributeAccessIssue]
    return pa.RecordBatch.from_pydict({"row": rows, **columns})


def _text_batches(table: InputTable, progress: Progress) -> Iterator["pa.RecordBatch"]:
    path, done = table.path, 0
    records = _json_records if path.suffix.lower() in JSON_LINES else _csv_records
    kilobytes = path.stat().st_size // 1024
    with (
        path.open("rb") as file,
        progress.task(f"reading {path.name}", kilobytes, "kB") as task,
        decoded_lines(path, file) as lines,
    ):
        for chunk in _chunks(records(table, lines, progress)):
            yield _batch(chunk)
            read = file.tell() // 1024
            task.advance(read - done)
            done = read


def _csv_records(table: InputTable, lines: Iterator[str], progress: Progress) -> Iterator[Record]:
    first = next(lines, "")
    delimiter = stated_delimiter(first)
    if not delimiter:
        wanted = [name for column in table.columns for name in table.names(column)]
        delimiter = best_delimiter(first, DELIMITERS[table.path.suffix.lower()], wanted)
        lines = chain([first], lines)
    rows = split_rows(lines, delimiter)
    _, headers = next(rows, (True, []))
    positions = table.positions([header.strip() for header in headers], progress)
    for broken, fields in rows:
        malformed = broken or len(fields) != len(headers)
        fields += [""] * (len(headers) - len(fields))
        values = table.row(["" if i is None else fields[i] for i in positions])
        yield malformed, values if positions[0] is not None else [None, *values[1:]]


def _json_records(table: InputTable, lines: Iterator[str], progress: Progress) -> Iterator[Record]:
    seen: dict[str, None] = {}
    for ad in json_objects(lines):
        found = table.values(ad)
        values: list[str | None] = [value or "" for value in found]
        seen.update(dict.fromkeys(ad))
        if seen and not any(same_header(key, name) for key in seen for name in table.names("id")):
            values = [None, *values[1:]]
        yield not ad or None in found, values
    if not seen:
        raise BadInputError(f"{table.path}: no line is a JSON object; expected one for each ad")
    table.positions(list(seen), progress)


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    chunk, characters = list[Record](), 0
    for record in records:
        chunk.append(record)
        characters += sum(map(len, filter(None, record[1])))
        if len(chunk) == parquet.ROWS_PER_BATCH or characters > CHARACTERS_PER_BATCH:
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


def _parquet_batches(
    table: InputTable, progress: Progress, only: range | None
) -> Iterator["pa.RecordBatch"]:
    columns_in = functools.partial(table.headers_in, progress=progress)
    is_labelled = "category" in table.needed
    for batch in parquet.parquet_batches(table.path, columns_in, is_labelled, progress, only):
        yield parquet.with_names(batch, table.image_pattern)
