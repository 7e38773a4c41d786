"""The table of ads of a split: its columns, checked where it is read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adcat.errors import expecting

if TYPE_CHECKING:
    import pyarrow as pa

ADS = "ads.parquet"
AVAILABILITY = "modality"  # the column that says what an ad has; absent where all have both
GROUP = "group"  # the row of the first of an ad's duplicates; older tables lack it
DIGEST = "image_digest"  # of the photo's bytes; its stamp where they were not read


def ads_schema(incomplete: bool = False) -> "pa.Schema":
    """The columns; with one more where ads may lack their text or their photo."""
    import pyarrow as pa

    before, after = ("id", "part", "row"), ("title", "description", "category", "label", "image")
    columns = (*before, GROUP, *after, DIGEST, *([AVAILABILITY] if incomplete else []))
    types = {"row": pa.int64(), GROUP: pa.int64(), "label": pa.int32()}
    return pa.schema({name: types.get(name, pa.string()) for name in columns})


def stream_ads(path: Path, columns: Sequence[str], batch: int) -> Iterator["pa.RecordBatch"]:
    """Streams columns of all ads, as `ads_schema` promises them.

    Without a modality all have both; without a group each ad is its own.

    Raises:
      BadInputError: the file holds something else.
    """
    import pyarrow.parquet as pq

    with expecting(path, "table of ads"), pq.ParquetFile(path) as file:
        for chunk in file.iter_batches(batch_size=batch, columns=stored_columns(file, columns)):
            yield promised(chunk, columns)


def stored_columns(file: Any, columns: Sequence[str]) -> list[str]:
    """The columns that the file is asked for: no absent modality, the row for an absent group."""
    there = file.schema_arrow.names
    asked = ["row" if name == GROUP and GROUP not in there else name for name in columns]
    return [name for name in dict.fromkeys(asked) if name != AVAILABILITY or name in there]


def promised(chunk: "pa.RecordBatch", columns: Sequence[str]) -> "pa.RecordBatch":
    """The columns of a chunk in the types of `ads_schema`.

    Raises:
      ValueError: text is not UTF-8, or a value is missing.
    """
    import pyarrow as pa

    schema = ads_schema(incomplete=True)
    if AVAILABILITY in columns and AVAILABILITY not in chunk.schema.names:
        chunk = chunk.append_column(AVAILABILITY, pa.repeat("both", chunk.num_rows))
    if GROUP in columns and GROUP not in chunk.schema.names:
        chunk = chunk.append_column(GROUP, chunk["row"])
    found = chunk.select(columns).cast(pa.schema([schema.field(name) for name in columns]))
    found.validate(full=True)
    for name in found.schema.names:
        if name != DIGEST and found[name].null_count:
            raise ValueError(f"an ad has no {name}")
    return found
