"""The ads of a split: read from its table, checked where it is opened.

One invariant: row i of every array is ad i of its part, column j is category j. Nothing is ever
reordered.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adcat.errors import AGAIN, BadInputError, expecting
from adcat.files import signature
from adcat.probabilities import prior
from adcat.types import (
    MODALITIES,
    PARTS,
    Availabilities,
    Labels,
    Modality,
    Part,
    SplitAds,
    availabilities_with,
    have,
)
from adcat.workspace.ads_table import (
    ADS,
    AVAILABILITY,
    GROUP,
    promised,
    stored_columns,
    stream_ads,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.photos import (
    Among,
    check_photos,
    images_folder,
)

if TYPE_CHECKING:
    import pyarrow as pa

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


def read_split(split: Artifact) -> SplitAds:
    """Reads the categories, and the label and availability of every ad.

    Raises:
      BadInputError: a file holds something else.
    """
    names, index = read_categories(split), _index(split)
    labels: dict[Part, Labels] = {part: index.labels[index.rows(part)] for part in PARTS}
    if index.labels.min(initial=0) < 0 or index.labels.max(initial=0) >= len(names):
        raise BadInputError(
            f"{split / ADS} has labels of other than {len(names)} categories; {AGAIN}"
        )
    return SplitAds(names, labels, {part: read_availabilities(split, part) for part in PARTS})


def read_labels(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> Labels:
    """Reads the category of every ad of a part that has all modalities of `having`: [n].

    Raises:
      BadInputError: the file holds something else.
    """
    ads = read_split(split)
    return ads.labels[part][have(ads.availabilities[part], having)]


def read_availabilities(split: Artifact, part: Part) -> Availabilities:
    """Reads which modalities every ad of a part has: [n]."""
    index = _index(split)
    return index.availabilities[index.rows(part)]


def read_groups(split: Artifact, part: Part, having: Sequence[Modality] = ()) -> NDArray[np.int64]:
    """Reads the group of every ad that has all of `having`; duplicates share one: [n]."""
    index = _index(split)
    return index.groups[index.rows(part)][have(read_availabilities(split, part), having)]


def read_modalities(split: Artifact) -> list[Modality]:
    """The modalities that any ad has, whatever its part."""
    found = np.unique(_index(split).availabilities)
    return [modality for modality in MODALITIES if have(found, [modality]).any()]


def read_prior(split: Artifact) -> NDArray[np.float32]:
    """Reads the prior, the prediction for an ad of which nothing is known: [categories]."""
    ads = read_split(split)
    return prior(ads.labels["train"], len(ads.categories)).astype(np.float32)


def photos_of(split: Artifact, share: Callable[[int], range]) -> NDArray[np.bool_]:
    """Which photos are of a share of those of each part, in the table's order: [photos]."""
    index = _index(split)
    parts = index.parts[have(index.availabilities, ["image"])]
    rows = [np.flatnonzero(parts == part) for part in PARTS]
    of_share = np.concatenate([of_part[share(len(of_part))] for of_part in rows])
    return np.isin(np.arange(len(parts)), of_share)


def count_ads(split: Artifact, part: Part) -> int:
    """How many ads a part has."""
    return len(_index(split).rows(part))


class _Index(NamedTuple):
    """What of every ad of the table is kept in memory: [ads] each."""

    parts: NDArray[np.str_]
    labels: Labels
    availabilities: Availabilities
    groups: NDArray[np.int64]

    def rows(self, part: Part) -> NDArray[np.int64]:
        """The rows of the table that hold the ads of a part, ascending: [n]."""
        return np.flatnonzero(self.parts == part)


def _index(split: Artifact) -> _Index:
    """Reads the index of the table, in one pass; again only when the file has changed."""
    path = split / ADS
    with expecting(path, "table of ads"):
        version = signature(path)
    return _read_index(path, version)


@functools.lru_cache(maxsize=2)
def _read_index(path: Path, version: tuple[int, int, int]) -> _Index:
    del version  # of the file: part of the cache's key
    kinds = {"part": np.str_, "label": np.int64, AVAILABILITY: np.str_, GROUP: np.int64}
    empty = [np.zeros(0, kind) for kind in kinds.values()]
    chunks = (
        [chunk[name].to_numpy(zero_copy_only=False).astype(kind) for name, kind in kinds.items()]
        for chunk in stream_ads(path, list(kinds), 65536)
    )
    return _Index(*map(np.concatenate, zip(empty, *chunks, strict=True)))


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

    wanted = (pc.field("part") == part) & pc.field(AVAILABILITY).isin(availabilities_with(having))
    for chunk in stream_ads(split / ADS, ["part", AVAILABILITY, *columns], batch):
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
    if rows is None:
        chunks = iterate_ads(split, part, columns, having=having)
        return [ad for chunk in chunks for ad in chunk.to_pylist()]
    with reading_rows(split, part, columns, having) as read:
        return read(rows)


def rows_of(split: Artifact, part: Part, ids: Collection[str]) -> dict[str, int]:
    """Finds the ads of a part that have these ids: their rows."""
    start, found = 0, dict[str, int]()
    for chunk in iterate_ads(split, part, ["id"]):
        here = enumerate(chunk["id"].to_pylist(), start)
        found.update((id, row) for row, id in here if id in ids)
        start += chunk.num_rows
    return found


@contextlib.contextmanager
def reading_rows(
    split: Artifact, part: Part, columns: Sequence[str], having: Sequence[Modality] = ()
) -> Iterator[Callable[[Sequence[int]], list[dict[str, Any]]]]:
    """Opens the table; yields what reads ads by their rows, from the row groups that hold them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    index, path = _index(split), split / ADS
    table_rows = index.rows(part)
    table_rows = table_rows[have(index.availabilities[table_rows], having)]
    with expecting(path, "table of ads"), pq.ParquetFile(path) as file:
        stored, groups = stored_columns(file, columns), range(file.num_row_groups)
        ends = np.cumsum([file.metadata.row_group(group).num_rows for group in groups])

        def read(rows: Sequence[int]) -> list[dict[str, Any]]:
            """Reads the ads of these rows, in their order, group by group."""
            found: dict[int, dict[str, Any]] = {}
            wanted = table_rows[np.array(rows, np.int64)]
            holding = np.searchsorted(ends, wanted, side="right")
            for group in np.unique(holding).tolist():
                here = wanted[holding == group]
                start = ends[group] - file.metadata.row_group(group).num_rows
                for batch in file.iter_batches(row_groups=[group], columns=stored):
                    batch_rows = here[(here >= start) & (here < start + batch.num_rows)]
                    ads = promised(batch, columns).take(pa.array(batch_rows - start)).to_pylist()
                    found.update(zip(batch_rows.tolist(), ads, strict=True))
                    start += batch.num_rows
            return [found[row] for row in wanted.tolist()]

        yield read


def image_paths(
    split: Artifact, part: Part, having: Sequence[Modality] = (), among: Among = None
) -> list[str]:
    """Reads where images lie, as absolute paths; an ad without a photo has an empty one: [n].

    Of every ad of a part that has all modalities of `having`.

    Raises:
      StaleArtifactError: photos of the split, of whatever part, changed or are gone, `among` those.
    """
    check_photos(split, among)
    folder = images_folder(split)
    chunks = iterate_ads(split, part, ["image"], having=having)
    images = (image for chunk in chunks for image in chunk["image"].to_pylist())
    availabilities = read_availabilities(split, part)
    has_image = have(availabilities[have(availabilities, having)], ["image"])
    pairs = zip(images, has_image, strict=True)
    return [str(folder / image) if there else "" for image, there in pairs]
