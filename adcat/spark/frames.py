"""Predicts DataFrames of Spark: each Python worker reads the model once, and predicts batches."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.data.fetching import photos_in
from adcat.data.numbered_rows import NumberedRows
from adcat.data.parquet import columns_of, with_names
from adcat.data.table import InputTable, tidied
from adcat.errors import BadInputError
from adcat.image.engines import EngineOptions
from adcat.parallel.once import once_per_process
from adcat.prediction.classifiers import engine_on_drawn_photos
from adcat.prediction.export_folder import load
from adcat.prediction.new_ads import ads_in
from adcat.prediction.output_files import record_schema
from adcat.prediction.predictor import PHOTOS, Predictor
from adcat.progress import Silent
from adcat.settings import Place, place
from adcat.workspace.shards import Shard

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession  # pyright: ignore[reportMissingImports]

# As `record_schema` has them, but for the number of the row, which a DataFrame does not know.
COLUMNS = (
    "id string, categories array<struct<category: string, probability: double>>, modality string, "
    "contributions struct<text: double, image: double>, problems array<string>, accepted boolean"
)
AHEAD = 1  # batches whose photos are decoded ahead, in each of the workers of a machine


@dataclasses.dataclass(frozen=True)
class Work:
    """What a worker does with the ads that it is given."""

    load: Callable[[], Predictor]
    key: str  # of what is loaded
    images: Place  # the folder that image paths are relative to, or its address
    top: int
    accept_above: float | None
    photos: int = PHOTOS  # decoded at a time
    separator: str = ""  # between the names of several photos

    def answers(self, batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        """Predicts the ads of batches as `InputTable.batches` gives them."""
        import pyarrow as pa

        predictor = once_per_process(self.key, self.load)
        categories, schema = predictor.facts.categories, record_schema()
        ads, images = [ads_in(batches)], photos_in(Path(), self.images)
        for found in predictor.stream(ads, images, self.top, AHEAD, self.photos, self.separator):
            records = [prediction.record(categories, self.accept_above) for prediction in found]
            yield pa.RecordBatch.from_pylist(records, schema)


def predict(
    ads: "DataFrame",
    folder: Path | str,
    images: Path | str = ".",
    top: int = 5,
    accept_above: float | None = None,
) -> "DataFrame":
    """Predicts ads as `adcat predict` does; lazily, a batch at a time, on the executors.

    Args:
      ads: with `id` and any of `title`, `description` and `image`, or the headers that the table
        had which was split; `image` is a path, or the photo itself (binary).
      folder: what `adcat export` has written, on a disk that all workers have; or on the driver,
        and sent to them: `spark.sparkContext.addArchive("exported.zip#exported")`.
      images: the folder that image paths are relative to, or its address in a store.
      top: how many categories to suggest.
      accept_above: marks ads whose first category is at least this probable.

    Returns:
      A row for each ad, with the columns that `predict` writes to a Parquet file, but `row`.

    Raises:
      BadInputError: the column `id` is missing, or all the others.
    """
    facts = load(folder).facts
    table = InputTable(
        Path("the DataFrame"), facts.headers, ("id",), image_pattern=facts.image_pattern
    )
    try:
        headers = table.headers_in(ads.columns, Silent())
    except BadInputError as error:
        found = str(error).partition("\n")[0]
        raise BadInputError(f"{found}\nrename one: ads.withColumnRenamed(HEADER, 'id')") from None
    reading = functools.partial(_load_near, str(folder))
    key = f"{folder} {facts.made_from}"
    work = Work(
        reading, key, place(str(images)), top, accept_above, separator=facts.image_separator
    )

    def answers(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        found = (columns_of(headers, batch, is_labelled=False) for batch in batches)
        named = (tidied(0, with_names(batch, facts.image_pattern)) for batch in found)
        for answered in work.answers(named):
            yield answered.drop_columns(["row"])

    read = [ads[f"`{header}`"] for header in dict.fromkeys(headers.values())]
    return ads.select(*read).mapInArrow(answers, COLUMNS)


def predict_rows(
    session: "SparkSession", rows: NumberedRows, shards: Sequence[Shard], work: Work
) -> "DataFrame":
    """Predicts the rows of a table; a partition of the result has those of a shard, in order."""

    def answers(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for number in (number for batch in batches for number in batch["id"].to_pylist()):
            yield from work.answers(rows.batches(shards[number].rows(rows.count)))

    return session.range(0, len(shards), 1, len(shards)).mapInArrow(
        answers, f"row bigint, {COLUMNS}"
    )


def _load_near(folder: str) -> Predictor:
    """Reads an export where a worker finds it."""
    from pyspark import SparkFiles  # pyright: ignore[reportMissingImports]

    engine_of = engine_on_drawn_photos(EngineOptions().resolved(), None, Silent())
    if Path(folder).is_dir():
        return load(folder, engine_of=engine_of)
    added = Path(SparkFiles.get(Path(folder).name))
    if not added.is_dir():
        raise BadInputError(
            f"{folder} is not on this machine; put it on a disk that all have, or send an archive "
            f"of it: spark.sparkContext.addArchive('{added.name}.zip#{added.name}')"
        )
    return load(added, engine_of=engine_of)
