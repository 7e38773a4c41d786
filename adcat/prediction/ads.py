"""New ads as a stream of batches: from a table, from lines of JSON, or one alone."""

import dataclasses
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from adcat.errors import BadInputError
from adcat.input_table import COLUMNS, InputTable
from adcat.progress import Progress
from adcat.text.cleaning import clean
from adcat.text_records import json_objects, json_text

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")

NEEDED = ("id",)  # of a table's columns: an ad may lack any of the others


@dataclasses.dataclass(frozen=True, slots=True)
class Ad:
    """A new ad as it came."""

    row: int  # its number in the input, counted from 1
    id: str
    text: str  # cleaned as in training; empty where there is none
    image: str  # the name of the photo's file; empty where there is none
    is_malformed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal shares of the rows: `number`, `number + of`, `number + 2 of`, ..."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads `2/8`.

        Raises:
          BadInputError: it has another form.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise BadInputError(f"--shard {text}: expected a share such as 2/8, from 1/8 to 8/8")
        return cls(int(number), int(of))

    def holds(self, row: int) -> bool:
        """Whether a row, counted from 1, is of this share."""
        return (row - self.number) % self.of == 0


def table_ads(table: InputTable, shard: Shard, progress: Progress) -> Iterator[Ad]:
    """Streams the ads of a table.

    Raises:
      BadInputError: it is no table of ads.
    """
    for batch in table.batches(progress):
        yield from (ad for ad in _batch_ads(batch) if shard.holds(ad.row))


def _batch_ads(batch: "pa.RecordBatch") -> Iterator[Ad]:
    columns = ("row", "malformed", "id", "title", "description", "image")
    for values in zip(*(batch[name].to_pylist() for name in columns), strict=True):
        row, malformed, id, title, description, image = values
        yield Ad(row, id, clean(title, description), image, malformed)


def json_ads(lines: Iterable[str], table: InputTable) -> Iterator[Ad]:
    """Streams the ads of lines of JSON, with the keys that a table has as headers.

    Blank lines are no ads; a line that is no object is a malformed one.
    """
    headers = [table.header(column) for column in COLUMNS]
    for row, ad in enumerate(json_objects(iter(lines)), 1):
        values = [json_text(ad.get(header)) for header in headers]
        id, title, description, _, image = (value or "" for value in values)
        if not ad or None in values:
            yield Ad(row, id.strip(), "", "", is_malformed=True)
        else:
            yield Ad(row, id.strip(), clean(title, description), image.strip())


def in_batches(ads: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Batches of `size`, the last one perhaps smaller."""
    batch: list[Item] = []
    for ad in ads:
        batch.append(ad)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def as_they_come(ads: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Batches of what is there, `size` at most: one ad does not wait for the next.

    A thread reads ahead, a few batches at most.
    """
    waiting: queue.Queue[Item | None] = queue.Queue(4 * size)
    failures: list[Exception] = []

    def read() -> None:
        try:
            for ad in ads:
                waiting.put(ad)
        except Exception as error:
            failures.append(error)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    batch: list[Item] = []
    while (ad := waiting.get()) is not None:
        batch.append(ad)
        if len(batch) == size or waiting.empty():
            yield batch
            batch = []
    if batch:
        yield batch
    if failures:
        raise failures[0]
