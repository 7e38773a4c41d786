"""Rows of a table by their numbers, so that several processes read some each."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.data.parquet import rows_among
from adcat.data.table import InputTable, schema
from adcat.progress import Progress, Silent

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True, slots=True)
class NumberedRows:
    """The rows of a table, any of which can be read without those before."""

    table: InputTable
    count: int
    copy: Path | None  # in Arrow's file format, of a table whose rows have no known places

    @classmethod
    def of(cls, table: InputTable, folder: Path, progress: Progress) -> "NumberedRows":
        """Counts the rows; those of a text file are copied into the folder.

        Raises:
          BadInputError: it is not a table of ads.
        """
        import pyarrow as pa

        if table.is_parquet:
            return cls(table, _checked_count(table, progress), None)
        copy, count = folder / "_rows.arrow", 0  # Spark takes no file for data that begins so
        with pa.OSFile(str(copy), "wb") as sink, pa.ipc.new_file(sink, schema()) as writer:
            for batch in table.batches(progress):
                writer.write_batch(batch.select(schema().names))
                count += batch.num_rows
        return cls(table, count, copy)

    def batches(self, rows: range) -> Iterator["pa.RecordBatch"]:
        """Streams some rows, counted from 0, as `InputTable.batches` does."""
        if not rows:
            return
        if not self.copy:
            yield from self.table.batches(Silent(), rows)
            return
        import pyarrow as pa

        with pa.memory_map(str(self.copy)) as source:
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            yield from rows_among(batches, 0, rows)

    def clear(self) -> None:
        """Removes the copy, if there is one."""
        if self.copy:
            self.copy.unlink()


def _checked_count(table: InputTable, progress: Progress) -> int:
    """The number of rows of a Parquet file whose first ones are ads."""
    import pyarrow.parquet as pq

    next(table.batches(progress))
    return pq.read_metadata(table.path).num_rows
