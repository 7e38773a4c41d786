"""The ads of a split: read from its table, checked where it is opened.

One invariant: row i of every array is ad i of its part, column j is category j. Nothing is ever
reordered.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import (
    AGAIN,
    BadInputError,
    expecting,
)
from adcat.types import MODALITIES, Availabilities, Modality, availabilities_with, have
from adcat.workspace.artifact import Artifact
from adcat.workspace.manifest import MANIFEST

if TYPE_CHECKING:
    import pyarrow as pa
from typing import TYPE_CHECKING

from adcat.probabilities import prior
from adcat.types import PARTS, Labels, Part

if TYPE_CHECKING:
    import pyarrow as pa


ADS = "ads.parquet"
AVAILABILITY = "modality"  # the column that says what an ad has; absent where all have both
DIGEST = "image_digest"  # empty where the image was not read
CATEGORIES = "categories.json"


def read_categories(split: Artifact) -> list[str]:
    """Reads the categories' names; column j of every probability array is category j.

    Raises:
      BadInputError: the file holds something else.
    """
    path = split / CATEGORIES
    with expecting(path, "list of categories"):
        names = json.loads(path.read_text(encoding="utf-8"))
        are_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not are_names or len(set(names)) < max(2, len(names)):
            raise ValueError("expected two names at least, each once")
    return names


def iterate_ads(
    split: Artifact,
    part: Part,
    columns: Sequence[str],
    batch: int = 8192,
    skip: int = 0,
    having: Sequence[Modality] = (),
) -> Iterator["pa.RecordBatch"]:
    """Streams columns of the ads of a part in their order, at most `batch` ads at a time.

    Only ads that have all modalities of `having`; the first `skip` of them are left out.

    Raises:
      BadInputError: the file holds something else.
    """
    import pyarrow.compute as pc

    needed, wanted = ["part"], pc.field("part") == part
    if having and has_incomplete(split):
        needed, wanted = (
            [*needed, AVAILABILITY],
            wanted & pc.field(AVAILABILITY).isin(availabilities_with(having)),
        )
    for chunk in stream_ads(split / ADS, [*needed, *columns], batch):
        here = chunk.filter(wanted).select(list(columns))
        passed = min(skip, here.num_rows)
        skip -= passed
        if passed < here.num_rows:
            yield here.slice(passed)


def read_ads(
    split: Artifact,
    part: Part,
    columns: Sequence[str],
    rows: Sequence[int] | None = None,
    having: Sequence[Modality] = (),
) -> list[dict[str, Any]]:
    """Reads ads of a part as dictionaries: all of them, or those of the given rows.

    Rows count the ads of the part that have all modalities of `having`.
    """
    wanted = None if rows is None else {int(row) for row in rows}
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for chunk in iterate_ads(split, part, columns, having=having):
        here = [i for i in range(chunk.num_rows) if wanted is None or start + i in wanted]
        taken = chunk.take(np.array(here, np.int64)).to_pylist()
        found.update((start + i, ad) for i, ad in zip(here, taken, strict=True))
        start += chunk.num_rows
    return [found[row] for row in (range(start) if rows is None else map(int, rows))]


def read_labels(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> Labels:
    """Reads the category of every ad of a part that has all modalities of `having`: [n].

    Raises:
      BadInputError: the file holds something else.
    """
    chunks = iterate_ads(split, part, ["label"], 65536, having=having)
    found = [chunk["label"].to_numpy() for chunk in chunks]
    labels = np.concatenate(found or [np.zeros(0)]).astype(np.int64)
    categories = len(read_categories(split))
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= categories:
        raise BadInputError(
            f"{split / ADS} has labels of other than {categories} categories; {AGAIN}"
        )
    return labels


def count_ads(split: Artifact, part: Part) -> int:
    """How many ads a part has."""
    return sum(chunk.num_rows for chunk in iterate_ads(split, part, ["row"], 65536))


def has_incomplete(split: Artifact) -> bool:
    """Whether ads may lack their text or their photo."""
    return has_availability(split / ADS)


def read_availabilities(split: Artifact, part: Part) -> Availabilities:
    """Reads which modalities every ad of a part has: [n]."""
    if not has_incomplete(split):
        return np.full(count_ads(split, part), "both")
    chunks = [
        chunk[AVAILABILITY].to_pylist() for chunk in iterate_ads(split, part, [AVAILABILITY], 65536)
    ]
    return np.array([availability for chunk in chunks for availability in chunk], np.str_)


def read_modalities(split: Artifact) -> list[Modality]:
    """The modalities that any ad has, whatever its part."""
    availabilities = np.concatenate([np.unique(read_availabilities(split, part)) for part in PARTS])
    return [modality for modality in MODALITIES if have(availabilities, [modality]).any()]


def image_paths(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> list[str]:
    """Reads where images lie, as absolute paths; an ad without a photo has an empty one: [n].

    Of every ad of a part that has all modalities of `having`.
    """
    folder = images_folder(split)
    chunks = iterate_ads(split, part, ["image"], having=having)
    images = (image for chunk in chunks for image in chunk["image"].to_pylist())
    availabilities = read_availabilities(split, part)
    has_image = have(availabilities[have(availabilities, having)], ["image"])
    return [
        str(folder / image) if there else "" for image, there in zip(images, has_image, strict=True)
    ]


def images_folder(split: Artifact) -> Path:
    """The folder that the images' names are relative to.

    Raises:
      BadInputError: the manifest does not say.
    """
    with expecting(split / MANIFEST, "manifest that names the images' folder"):
        return Path(split.manifest().record["images"])


def read_prior(split: Artifact) -> NDArray[np.float32]:
    """Reads the prior, which is what is said of an ad of which nothing is known: [categories]."""
    return prior(read_labels(split, "train"), len(read_categories(split))).astype(np.float32)


def ads_schema(incomplete: bool = False) -> "pa.Schema":
    """The columns; with one more where ads may lack their text or their photo."""
    import pyarrow as pa

    names = ["id", "part", "row", "title", "description", "category", "label", "image", DIGEST]
    types = {"row": pa.int64(), "label": pa.int32()}
    columns = [*names, *([AVAILABILITY] if incomplete else [])]
    return pa.schema({name: types.get(name, pa.string()) for name in columns})


def has_availability(path: Path) -> bool:
    """Whether ads may lack their text or their photo.

    Raises:
      BadInputError: the file holds something else.
    """
    import pyarrow.parquet as pq

    with expecting(path, "table of ads"):
        return AVAILABILITY in pq.read_schema(path).names


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
