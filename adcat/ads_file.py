"""The table of ads of a split: its columns, checked where it is read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.errors import expecting

if TYPE_CHECKING:
    import pyarrow as pa

ADS = "ads.parquet"
KIND = "modality"  # the column that says what an ad has; absent where all have both
DIGEST = "image_digest"  # empty where the image was not read


def ads_schema(incomplete: bool = False) -> "pa.Schema":
    """The columns; with one more where ads may lack their text or their photo."""
    import pyarrow as pa

    names = ["id", "part", "row", "title", "description", "category", "label", "image", DIGEST]
    types = {"row": pa.int64(), "label": pa.int32()}
    columns = [*names, *([KIND] if incomplete else [])]
    return pa.schema({name: types.get(name, pa.string()) for name in columns})


def has_kinds(path: Path) -> bool:
    """Whether ads may lack their text or their photo.

    Raises:
      BadInputError: the file holds something else.
    """
    import pyarrow.parquet as pq

    with expecting(path, "table of ads"):
        return KIND in pq.read_schema(path).names


def stream_ads(path: Path, columns: Sequence[str], batch: int) -> Iterator["pa.RecordBatch"]:
    """Streams columns of all ads, as `ads_schema` promises them.

    Raises:
      BadInputError: the file holds something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = ads_schema(incomplete=True)
    expected = pa.schema([whole.field(name) for name in columns])
    with expecting(path, "table of ads"), pq.ParquetFile(path) as file:
        for chunk in file.iter_batches(batch_size=batch, columns=list(columns)):
            promised = chunk.select(columns).cast(expected)
            _check_values(promised)
            yield promised


def _check_values(chunk: "pa.RecordBatch") -> None:
    """Checks what a schema does not say.

    Raises:
      ValueError: text is not UTF-8, or a value is missing.
    """
    chunk.validate(full=True)
    for name in chunk.schema.names:
        if name != DIGEST and chunk[name].null_count:
            raise ValueError(f"an ad has no {name}")
