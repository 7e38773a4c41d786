"""New ads as a stream of batches: from a table, JSON lines or the command line."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from adcat.data.fetching import Store, photos_in
from adcat.data.image_names import is_url
from adcat.data.parquet import PHOTO
from adcat.data.records import json_objects
from adcat.data.stores import Address, is_in_store
from adcat.data.table import InputTable
from adcat.data.text_cleaning import Reading
from adcat.errors import BadInputError
from adcat.progress import Progress
from adcat.settings import Place
from adcat.workspace.shards import Shard

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")

WHOLE = Shard()  # all rows
ARRIVING = 1 << 16  # bytes read at once, if as many are available


@dataclasses.dataclass(frozen=True, slots=True)
class Ad:
    """A new ad as it came."""

    row: int  # its number in the input, counted from 1
    id: str
    title: str
    description: str
    image: str  # the name of the photo's file; empty where there is none
    is_malformed: bool = False
    photo: bytes | None = None  # where it came with the ad, not as a file
    text: str = dataclasses.field(init=False)  # of both, cleaned as by default; empty for none

    def __post_init__(self) -> None:
        """Cleans the text."""
        object.__setattr__(self, "text", Reading().text(self.title, self.description))

    def read(self, reading: Reading) -> str:
        """The text as a classifier reads it."""
        is_default = reading == Reading()
        return self.text if is_default else reading.text(self.title, self.description)


def single_ad(
    title: str | None, description: str | None, image: str | None, images: Place | None
) -> tuple[Ad, Path | Store]:
    """The one ad that somebody types, and what its photo's name is relative to.

    Raises:
      BadInputError: the photo is in a store, and that cannot be opened.
    """
    name, folder = image or "", images or Path()
    if isinstance(folder, Path) and is_in_store(name):
        address = Address(name)
        name, folder = address.name, address.parent.text
    if isinstance(folder, str):
        where = photos_in(Path(), folder)
    else:
        where = (folder / Path(name).parent).resolve()
        name = name if is_url(name) else Path(name).name
    return Ad(1, "", title or "", description or "", name), where


def table_ads(table: InputTable, shard: Shard, progress: Progress) -> Iterator[Ad]:
    """Streams the ads of a table.

    Raises:
      BadInputError: it is not a table of ads.
    """
    return ads_in(table.batches(progress), shard)


def ads_in(batches: Iterable["pa.RecordBatch"], shard: Shard = WHOLE) -> Iterator[Ad]:
    """The ads of batches as `InputTable.batches` gives them."""
    for batch in batches:
        for ad in (ad for ad in batch.to_pylist() if shard.holds(ad["row"])):
            columns = ("row", "id", "title", "description", "image", "malformed")
            yield Ad(*(ad[column] for column in columns), photo=ad.get(PHOTO))


def arriving_ads(file: BinaryIO, table: InputTable) -> Iterator[list[Ad]]:
    """Yields the ads whose JSON lines have arrived, without waiting for more.

    Args:
      file: the lines; blank ones are skipped, one that is not an object is a malformed ad.
      table: whose headers are the objects' keys.

    Raises:
      BadInputError: there were none.
    """
    rows = 0
    for lines in _arriving_lines(file):
        objects = enumerate(json_objects(iter(lines)), rows + 1)
        ads = [_json_ad(row, ad, table) for row, ad in objects]
        rows += len(ads)
        if ads:
            yield ads
    if not rows:
        raise BadInputError(f"{table.path} has no ads; expected a JSON object on each line")


def given_ads(ads: Iterable[Mapping[str, Any]], table: InputTable) -> Iterator[Ad]:
    """Ads that a program has, read as their JSON lines would be."""
    objects = json_objects(json.dumps(ad, default=str) for ad in ads)
    return (_json_ad(row, ad, table) for row, ad in enumerate(objects, 1))


def _arriving_lines(file: BinaryIO) -> Iterator[list[str]]:
    """Yields the complete lines of whatever has arrived; bytes that are not UTF-8 are kept."""
    begun: list[bytes] = []  # of a line whose end has not arrived yet
    while arrived := file.read1(ARRIVING):  # pyright: ignore[reportAttributeAccessIssue]
        *lines, rest = arrived.split(b"\n")
        if lines:
            lines[0] = b"".join([*begun, lines[0]])
            begun.clear()
        begun.append(rest)
        yield [f"{line.decode(errors='surrogateescape')}\n" for line in lines]
    yield [b"".join(begun).decode(errors="surrogateescape") or "\n"]


def _json_ad(row: int, ad: Mapping[str, Any], table: InputTable) -> Ad:
    values = table.values(ad)
    id, title, description, _, image = (value or "" for value in values)
    if not ad or None in values:
        return Ad(row, id.strip(), "", "", "", is_malformed=True)
    return Ad(row, id.strip(), title, description, image.strip())


def in_batches(
    items: Iterable[Item], size: int, weight: Callable[[Item], int] = lambda _: 1
) -> Iterator[list[Item]]:
    """Batches that each end once they weigh `size`; the last one perhaps before."""
    batch, total = list[Item](), 0
    for item in items:
        batch.append(item)
        total += weight(item)
        if total >= size:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
