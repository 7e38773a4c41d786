"""Reads a table of ads and validates each row (thesis, section 4.1).

What decides about a row is kept as numbers, so that memory holds a few bytes per row: the rows
themselves wait in a file.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adcat.data.duplicates import NO_KEY, is_repeated
from adcat.data.fetching import Store
from adcat.data.image_verification import ImageVerification
from adcat.data.parquet import PHOTO, ROWS_PER_BATCH
from adcat.data.rejections import REASONS, Reason, Rejections
from adcat.data.similar_images import Pairs
from adcat.data.table import InputTable, schema
from adcat.data.text_cleaning import clean
from adcat.progress import Progress
from adcat.types import Availabilities

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True, slots=True)
class Codes:
    """A column of strings as numbers."""

    codes: NDArray[np.int32]  # index of each row's value in `values`, NO_KEY if empty: [rows]
    values: "pa.Array"  # each value once

    def recode(self, old: NDArray[np.integer], new: NDArray[np.integer]) -> NDArray[np.int32]:
        """The rows' codes with each old one replaced by its new one, others by NO_KEY: [rows]."""
        mapping = np.full(len(self.values) + 1, NO_KEY, np.int32)  # the last one is NO_KEY's
        mapping[old] = new
        return mapping[self.codes]

    def names(self, codes: NDArray[np.integer]) -> list[str]:
        """The values that these codes stand for."""
        import pyarrow as pa

        return self.values.take(pa.array(codes)).to_pylist()

    def ranked(self, among: NDArray[np.bool_]) -> tuple[list[str], NDArray[np.int32]]:
        """The values of these rows, sorted, and the index of each row's: [rows]."""
        used = np.unique(self.codes[among])
        names = self.names(used)
        order = sorted(range(len(names)), key=names.__getitem__)
        return [names[i] for i in order], self.recode(used[order], np.arange(len(order)))


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table."""

    file: Path  # the rows as `InputTable.batches` gives them, in Arrow's file format
    malformed: NDArray[np.bool_]  # [rows]
    id: Codes
    category: Codes
    image: Codes
    text: Codes  # digests of the cleaned text
    images: Path | Store  # where the images lie that it names


def read_rows(
    table: InputTable, folder: Path, photos: Path, images: Path | Store, progress: Progress
) -> Rows:
    """Reads the table once, into a file of the folder and into what decides about its rows.

    Photos that lie in the table itself are written to the folder `photos`, and named there.
    Others lie in `images`.

    Raises:
      BadInputError: it is not a table of ads.
    """
    import pyarrow as pa

    file, malformed = folder / "rows.arrow", list[pa.Array]()
    columns: dict[str, list[pa.Array]] = {"id": [], "category": [], "image": [], "text": []}
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema()) as writer:
        for batch in _without_photos(table.batches(progress), photos):
            writer.write_batch(batch.select(schema().names))
            malformed.append(batch["malformed"])
            columns["text"].append(_text_digests(batch))
            for name in ("id", "category", "image"):
                columns[name].append(batch[name])
    codes = {name: _encode(chunks) for name, chunks in columns.items()}
    found = photos if photos.exists() else images
    return Rows(file, pa.chunked_array(malformed).to_numpy(), **codes, images=found)


def _without_photos(
    batches: Iterable["pa.RecordBatch"], folder: Path
) -> Iterator["pa.RecordBatch"]:
    """Moves the photos that lie in a table into the folder; batches grow as there is room then."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        if PHOTO not in batch.schema.names:
            yield batch
            continue
        folder.mkdir(exist_ok=True)
        for name, photo in zip(batch["image"].to_pylist(), batch[PHOTO], strict=True):
            if name:
                (folder / name).write_bytes(photo.as_buffer())
        held.append(batch.drop_columns([PHOTO]))
        if sum(map(len, held)) >= ROWS_PER_BATCH:
            yield pa.concat_batches(held)
            held.clear()
    if held:
        yield pa.concat_batches(held)


def _text_digests(batch: "pa.RecordBatch") -> "pa.Array":
    """The digest of each ad's cleaned text; empty where the text is."""
    import pyarrow as pa

    texts = map(clean, batch["title"].to_pylist(), batch["description"].to_pylist())
    digests = [blake2b(text.encode(), digest_size=16).hexdigest() if text else "" for text in texts]
    return pa.array(digests, pa.string())


def _encode(chunks: "list[pa.Array]") -> Codes:
    import pyarrow as pa

    encoded = pa.chunked_array(chunks).dictionary_encode().combine_chunks()
    codes = encoded.indices.fill_null(NO_KEY).to_numpy()
    empty = encoded.dictionary.index("").as_py()
    return Codes(np.where(codes == empty, NO_KEY, codes), encoded.dictionary)


@dataclasses.dataclass(frozen=True, slots=True)
class ValidatedRows:
    """What there is of every row."""

    rejections: Rejections
    texts: Rejections  # why a row has no text
    images: Rejections  # why a row has no photo; rejected rows are not looked at
    names: Codes  # of the images' files, below the images folder
    digests: Codes  # of the images' bytes; without these their stamps
    similar: Pairs  # codes of different digests of the same picture
    stamps: Codes  # the images' sizes and modification times

    @property
    def availabilities(self) -> Availabilities:
        """What the accepted rows have; a rejected row is `none`: [rows]."""
        text, image = self.texts.accepted, self.images.accepted
        cases = [~self.rejections.accepted, text & image, text, image]
        return np.select(cases, ["none", "both", "text", "image"], "none")

    @property
    def incomplete(self) -> Rejections:
        """Why an accepted row is incomplete; the other rows have no reason."""
        has_text, kept = self.texts.accepted, self.rejections.accepted
        codes = np.where(has_text, self.images.codes, self.texts.codes)
        causes = np.where(has_text, self.images.causes, "")
        return Rejections(np.where(kept, codes, -1).astype(np.int8), causes)


def validate_rows(
    rows: Rows, keep_incomplete: bool, verification: ImageVerification
) -> ValidatedRows:
    """Rejects invalid rows, and digests the images of the others.

    Of rows with the same id the first that is an ad is kept.

    Args:
      rows: the table's.
      keep_incomplete: whether a text or a photo is enough for an ad; otherwise it takes both.
      verification: checks the images.
    """
    rejections, texts = (Rejections.none(len(rows.malformed)) for _ in range(2))
    rejections.add(Reason.MALFORMED_ROW, rows.malformed)
    rejections.add(Reason.EMPTY_ID, rows.id.codes == NO_KEY)
    rejections.add(Reason.EMPTY_CATEGORY, rows.category.codes == NO_KEY)
    texts.add(Reason.EMPTY_TEXT, rows.text.codes == NO_KEY)
    if not keep_incomplete:
        rejections.add(Reason.EMPTY_TEXT, ~texts.accepted)
    images = rejections.copy()
    images.add(Reason.NO_IMAGE, rows.image.codes == NO_KEY)
    names, digests, stamps, similar = _check_images(rows.image, images, verification)
    if keep_incomplete:
        rejections.add(Reason.EMPTY_TEXT, ~texts.accepted & ~images.accepted)
    else:
        rejections = images.copy()
    rejections.add(Reason.DUPLICATE_ID, is_repeated(rows.id.codes, rejections.accepted))
    return ValidatedRows(rejections, texts, images, names, digests, similar, stamps)


def _check_images(
    image: Codes, rejections: Rejections, verification: ImageVerification
) -> tuple[Codes, Codes, Codes, Pairs]:
    """Rejects images; returns names, digests and stamps of the others, and which are similar."""
    import pyarrow as pa

    used = np.unique(image.codes[rejections.accepted])
    verdicts = verification.verify(image.names(used))
    causes = np.array([*(verdict.cause for verdict in verdicts), ""], object)  # the last NO_KEY's
    rejections.causes[:] = causes[image.recode(used, np.arange(len(used)))]
    for reason in REASONS:
        bad = np.array([verdict.reason == reason for verdict in verdicts], bool)
        rejections.add(reason, np.isin(image.codes, used[bad]))

    def of_images(field: str) -> Codes:
        """A field of the verdicts, as numbers."""
        return _encode([pa.array([getattr(v, field) for v in verdicts], pa.string())])

    def of_rows(found: Codes) -> Codes:
        """The same of the rows that name these images."""
        return Codes(image.recode(used, found.codes), found.values)

    digests = of_images("digest")
    codes, first = np.unique(digests.codes.astype(np.int64), return_index=True)
    codes, first = codes[codes != NO_KEY], first[codes != NO_KEY]
    similar = codes[verification.similar([verdicts[i] for i in first.tolist()])]
    return of_rows(of_images("name")), of_rows(digests), of_rows(of_images("stamp")), similar
