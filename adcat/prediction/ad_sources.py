"""Where new ads come from, and the options that say it."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from adcat.data.fetching import Store, photos_in
from adcat.data.image_names import fields_of
from adcat.data.table import InputTable, parse_headers
from adcat.data.thread_map import THREADS
from adcat.errors import BadInputError
from adcat.image.engines import EngineOptions
from adcat.prediction.new_ads import Ad, arriving_ads, single_ad, table_ads
from adcat.prediction.predictor import ModelFacts
from adcat.progress import Progress
from adcat.settings import Place, argument, option, spark_option
from adcat.workspace.shards import Shard

TABLE, ONE_AD = "The table", "A single ad"  # headings in the help


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where the ads come from."""

    ads: Callable[[int, Sequence[str]], Iterable[Iterable[Ad]]]
    # called with the number to pass over and the columns that the model reads
    images: Path | Store  # what photos' names are relative to, resolved
    separator: str = ""  # between several of them in a cell
    ahead: int = 0  # batches whose images are decoded ahead


@dataclasses.dataclass(frozen=True)
class AdOptions(EngineOptions):
    """The ads to predict: a table, a share of it, one ad, or stdin."""

    ads: Place | None = argument(
        "Table of ads: .csv, .tsv, .jsonl, .ndjson or .parquet; by default JSON lines on stdin.",
        default=None,
    )
    title: str | None = option(None, "Title of a single ad, instead of a table.", panel=ONE_AD)
    description: str | None = option(None, "Description of the single ad.", panel=ONE_AD)
    image: str | None = option(None, "Photo of the single ad.", panel=ONE_AD)
    images: Place | None = option(
        None,
        "Folder or address that image paths start from; by default the table's own, for stdin the "
        "current one.",
        panel=TABLE,
    )
    image_separator: str = option(
        "",
        "Characters that separate the photos in a cell; by default as in the split.",
        panel=TABLE,
    )
    image_pattern: str = option(
        "", "Names of photos made from other columns; by default as in the split.", panel=TABLE
    )
    column: list[str] = option(
        [],
        "Column with a different header, such as title=headline; may be repeated.",
        panel=TABLE,
    )
    shard: str = option(
        "1/1", "Process one of several equal shares of the rows, such as 2/8.", panel=TABLE
    )
    merge: bool = option(
        False, "Put the shares together, once all are there; with the same options.", panel=TABLE
    )
    spark: str = spark_option(TABLE)

    @property
    def _is_one(self) -> bool:
        return (self.title, self.description, self.image) != (None, None, None)

    def _check(self, shard: Shard) -> None:
        """Refuses options that contradict each other."""
        if self._is_one and self.ads:
            raise BadInputError(
                "give a table or a single ad: ADS, or --title, --description, --image"
            )
        if not self.ads and shard != Shard():
            raise BadInputError(f"--shard {self.shard} needs a table; give ADS")
        if self.merge and shard != Shard():
            raise BadInputError("--merge puts all shards together; leave --shard out")
        if self.spark and (self.merge or shard != Shard()):
            raise BadInputError("--spark makes shares of its own; leave --shard and --merge out")

    def table(self, facts: ModelFacts) -> InputTable:
        """The table of ads, read as the one that was split but for what options say."""
        given = parse_headers(self.column)
        return InputTable(
            Path(self.ads or "stdin"),
            {**facts.headers, **given},
            (*given, *fields_of(self.image_pattern)),
            image_pattern=self.image_pattern or facts.image_pattern,
        )

    def source(self, facts: ModelFacts, progress: Progress) -> Source:
        """The one ad that is given, the table, or stdin.

        Raises:
          BadInputError: the options contradict each other.
        """
        shard, table = Shard.parse(self.shard), self.table(facts)
        self._check(shard)
        if self._is_one:
            ad, folder = single_ad(self.title, self.description, self.image, self.images)
            return Source(lambda *_: [[ad]], folder)
        images = photos_in(table.path, self.images)
        separator = self.image_separator or facts.image_separator
        if self.ads:

            def ads(done: int, read: Sequence[str]) -> Iterable[Iterable[Ad]]:
                ads = table_ads(dataclasses.replace(table, read=read), shard, progress)
                return [islice(ads, done, None)]

            return Source(ads, images, separator, THREADS)
        if sys.stdin.isatty():
            progress.say("reading ads from the terminal, one JSON object on a line")
        return Source(lambda *_: arriving_ads(sys.stdin.buffer, table), images, separator)
