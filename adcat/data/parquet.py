"""Reads a table of ads from a Parquet file: its columns as text, the photos in it as bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adcat.data.image_names import fields_of, filled
from adcat.errors import BadInputError
from adcat.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LISTS = ("category", "image")  # columns that may hold lists
PHOTO = "photo"  # the column of photos, where `image` holds these and not their names
ROWS_PER_BATCH = 8192
PHOTOS_PER_BATCH = 64
BUFFER = 1 << 20  # bytes of a column that are read ahead, however large its row groups are


def several_categories(values: Sequence[Any]) -> str:
    """What is wrong with an ad that has these."""
    return f"an ad has several categories, {values}; expected one in each row"


def parquet_batches(
    path: Path,
    columns_in: Callable[[Sequence[str]], Mapping[str, str]],
    is_labelled: bool,
    progress: Progress,
    rows: range | None = None,
) -> Iterator["pa.RecordBatch"]:
    """Streams the columns that are there; of a list the first value.

    Photos that lie in the table, as binary values or as data hubs write them ({bytes, path}), come
    in the column `photo` instead of `image`, null where there is none.

    Args:
      path: the file.
      columns_in: gives the header of each column for the file's headers.
      is_labelled: whether each ad must have one category.
      progress: counts the rows.
      rows: those to read, counted from 0; by default all.

    Raises:
      BadInputError: it is not a Parquet file of ads.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file,
            progress.task(f"reading {path.name}", file.metadata.num_rows, "rows") as task,
        ):
            rows = range(file.metadata.num_rows) if rows is None else rows
            schema = file.schema_arrow
            headers = columns_in(schema.names)
            has_photos = "image" in headers and _photo_of(schema.field(headers["image"]).type)
            size = PHOTOS_PER_BATCH if has_photos else ROWS_PER_BATCH
            for batch in _rows_of(file, rows, size, list(dict.fromkeys(headers.values()))):
                yield columns_of(headers, batch, is_labelled)
                task.advance(batch.num_rows)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        mark = "," if str(error).startswith("column ") else ":"
        raise BadInputError(f"{path}{mark} {error}") from None


def _rows_of(
    file: "pq.ParquetFile", rows: range, size: int, columns: Sequence[str]
) -> Iterator["pa.RecordBatch"]:
    """Streams rows; of the groups of rows, those that have some are read."""
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum(sizes, dtype=np.int64)
    groups = np.flatnonzero((ends > rows.start) & (ends - sizes < rows.stop)).tolist()
    start = int(ends[groups[0]]) - sizes[groups[0]] if groups else 0
    yield from rows_among(file.iter_batches(size, row_groups=groups, columns=columns), start, rows)


def rows_among(
    batches: Iterable["pa.RecordBatch"], start: int, rows: range
) -> Iterator["pa.RecordBatch"]:
    """Those of these rows that batches have, of which the first begins with the row `start`."""
    for batch in batches:
        first, last = max(rows.start - start, 0), min(rows.stop - start, len(batch))
        if first < last:
            yield batch.slice(first, last - first)
        start += len(batch)


def with_names(batch: "pa.RecordBatch", pattern: str) -> "pa.RecordBatch":
    """The batch with the images' names by a pattern."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: batch[name] for name in batch.schema.names}
    fields = fields_of(pattern)
    if not fields or not columns.keys() >= set(fields):
        return batch
    named = [filled(pattern, row) or None for row in batch.select(fields).to_pylist()]
    otherwise = columns.get("image", pa.repeat("", batch.num_rows))
    columns["image"] = pc.coalesce(pa.array(named, pa.string()), otherwise)  # pyright: ignore[reportAttributeAccessIssue]
    return pa.RecordBatch.from_pydict(columns)


def columns_of(
    headers: Mapping[str, str], batch: "pa.RecordBatch", is_labelled: bool
) -> "pa.RecordBatch":
    """The columns of a batch by the names that adcat has for them, as text and as photos.

    Raises:
      ArrowInvalid: a value has another type, or an ad that must have one category has several.
    """
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for column, header in headers.items():
        values = batch[header]
        try:
            if column in LISTS:
                values = _first(values, column == "category" and is_labelled)
            photo = _photo_of(values.type) if column == "image" else None
            columns[PHOTO if photo else column] = photo(values) if photo else as_text(values)
        except pa.ArrowException as error:
            raise pa.ArrowInvalid(f"column {header!r}: {error}") from None
    return pa.RecordBatch.from_pydict(columns)


def is_list(kind: "pa.DataType") -> bool:
    """Whether a column of this type holds lists."""
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _first(values: "pa.Array", is_only: bool) -> "pa.Array":
    """The first value of each list, null where it is empty; other values as they are.

    Raises:
      ArrowInvalid: it should be the only one and is not.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not is_list(values.type):
        return values
    several = values.filter(pc.greater(pc.list_value_length(values), 1))
    if is_only and len(several):
        raise pa.ArrowInvalid(several_categories(several[0].as_py()))
    return pc.list_slice(values, 0, 1, return_fixed_size_list=True).values


def _photo_of(kind: "pa.DataType") -> "Callable[[pa.Array], pa.Array] | None":
    """What gives the bytes of photos in a column of this type; nothing where it has none."""
    import pyarrow.compute as pc
    from pyarrow import types

    def stored(values: "pa.Array") -> "pa.Array":
        """The values, null where they are empty."""
        return pc.if_else(pc.greater(pc.binary_length(values), 0), values, None)

    if is_list(kind):
        kind = kind.value_type
    if types.is_binary(kind) or types.is_large_binary(kind):
        return stored
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return lambda values: stored(pc.struct_field(values, "bytes"))
    return None


def as_text(values: "pa.Array") -> "pa.Array":
    """Values as text: a missing one is empty, a whole number lacks the decimal point."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = values.cast(pa.string())
    if pa.types.is_floating(values.type):  # whole numbers that shared a column with a missing one
        exact = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        whole = (np.trunc(exact) == exact) & (np.abs(exact) < 2**53)
        integers = pa.array(np.where(whole, exact, 0).astype(np.int64)).cast(pa.string())
        text = pc.if_else(pa.array(whole), integers, text)
        text = pc.if_else(pc.is_nan(values), "", text)  # pyright: ignore[reportAttributeAccessIssue]
    text = text.fill_null("")
    text.validate(full=True)  # Arrow reads text that is not UTF-8 without a word
    return text
