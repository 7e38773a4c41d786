"""Reads a table of ads, rejects invalid rows, and splits the rest into three parts."""

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from adcat import thesis
from adcat.data import splitting
from adcat.data.duplicates import NO_KEY, Duplicates, find_duplicates
from adcat.data.fetching import local_table, photos_in
from adcat.data.image_names import fields_of
from adcat.data.image_verification import ImageVerification
from adcat.data.rejections import Reason, Rejections
from adcat.data.row_validation import Codes, Rows, ValidatedRows, read_rows, validate_rows
from adcat.data.spellings import checked_spellings
from adcat.data.stores import located
from adcat.data.table import COLUMNS, InputTable, parse_headers
from adcat.errors import BadInputError
from adcat.files import sha256, write_json
from adcat.plotting.charts import category_distribution
from adcat.progress import Progress
from adcat.settings import Place, argument, option, seed_option
from adcat.tables import Column, Report, Table, csv_writer, percent, write_table
from adcat.types import PARTS, Availabilities
from adcat.workspace.ads import CATEGORIES
from adcat.workspace.ads_table import ADS, AVAILABILITY, DIGEST, GROUP, ads_schema
from adcat.workspace.layout import Workspace
from adcat.workspace.photos import PHOTOS, fetched_folder, remember

if TYPE_CHECKING:
    import pyarrow as pa

REJECTED, INCOMPLETE = "rejected.csv", "incomplete.csv"
CONTRADICTIONS = "contradictions.csv"
TABLE, CUT, KEPT = "The table", "The parts", "Which ads to keep"  # headings in the help
MOST_OF_A_NAME = 100  # characters, in an error message
LEAST, MOST = 0.0001, 0.9999  # of a fraction: with 0 or 1 a part would be empty


@dataclasses.dataclass(frozen=True)
class Settings:
    """The table, what is asked of an ad, and the fractions (thesis, section 4.1)."""

    panels: ClassVar = ("Arguments", TABLE, CUT, KEPT)
    published: ClassVar = thesis.settings("split")

    ads: Place = argument("Table of ads: .csv, .tsv, .jsonl, .ndjson or .parquet.")
    images: Place | None = option(
        None, "Folder or address that image paths start from; by default the table's.", panel=TABLE
    )
    image_separator: str = option(
        "", "Characters between the photos of a cell; the first readable one is used.", panel=TABLE
    )
    image_pattern: str = option(
        "", "Names of photos made from other columns, such as '{id}.jpg'.", panel=TABLE
    )
    column: list[str] = option(
        [], "Column with a different header, such as title=headline; may be repeated.", panel=TABLE
    )
    test: float = option(
        0.2, "Fraction of the ads in the test part.", low=LEAST, high=MOST, panel=CUT
    )
    validation: float = option(
        0.1,
        "Fraction of the remaining ads in the validation part.",
        low=LEAST,
        high=MOST,
        panel=CUT,
    )
    exact: bool = option(
        False, "Make the fractions exact; ads added later may then move others.", panel=CUT
    )
    stratify: bool = option(
        False, "Make the fractions exact within every category, too.", panel=CUT
    )
    keep_incomplete: bool = option(
        False,
        f"Keep ads without text or without a readable photo, and list them in {INCOMPLETE}.",
        panel=KEPT,
    )
    min_ads: int = option(1, "Reject categories with fewer ads.", low=1, panel=KEPT)
    merge_spellings: bool = option(
        False,
        "Join categories that differ only in case, spaces or HTML entities; the commonest wins.",
        panel=KEPT,
    )
    duplicates: Literal["together", "ignore", "drop"] = option(
        "together",
        "Keep ads with the same cleaned text or picture in one part (together), treat them like "
        "any others (ignore), or keep only the first (drop).",
        panel=CUT,
    )
    image_check: Literal["full", "header", "none"] = option(
        "full",
        "Decode every photo (full), read its header (header), or only check that the file exists "
        "(none); later changes are then noticed by size and time only.",
        dry_run="few",
        panel=KEPT,
    )
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True, slots=True)
class _Assignment:
    """What became of every row."""

    found: ValidatedRows
    duplicates: Duplicates
    groups: NDArray[np.int64]  # first row of those that no cut may separate: [rows]
    categories: list[str]
    labels: NDArray[np.int32]  # indices in `categories`: [rows]
    parts: NDArray[np.int8]  # indices in PARTS, -1 for a rejected row: [rows]
    availabilities: Availabilities | None  # what an ad has: [rows]; None where every ad has both


def split(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Split ads into training, validation and test parts.

    Every row of the table ends up in one part or in rejected.csv, with the reason: no readable
    photo, no text, and so on. With --keep-incomplete, text or photo is enough: each classifier
    then learns from the ads it can read, and later commands use whatever an ad has.
    """
    headers, keep = parse_headers(settings.column), settings.keep_incomplete
    pattern, fields = settings.image_pattern, fields_of(settings.image_pattern)
    needed = ("category",) if keep else COLUMNS[1 : -1 if fields else None]
    images, ads = photos_in(settings.ads, settings.images), located(settings.ads)
    # Under the digest stands what was read; where it lay is only recorded.
    portable = dataclasses.replace(settings, ads=Path(ads.name), images=None)
    with workspace.split.write(portable) as staging:
        folder, photos = staging.checkpoints, staging.folder / PHOTOS
        file = local_table(ads, folder, progress)
        table = InputTable(file, headers, (*needed, *headers, *fields), image_pattern=pattern)
        rows = read_rows(table, folder, photos, images, progress)
        begun = fetched_folder(workspace.split, str(rows.images))
        verification = ImageVerification(
            rows.images, settings.image_check, progress, settings.image_separator, photos, begun
        )
        found = validate_rows(rows, keep, verification)
        merge = settings.merge_spellings
        category = checked_spellings(rows.category, found.rejections, merge, progress)
        rows = dataclasses.replace(rows, category=category)
        made = _assign(rows, found, settings, workspace.root / REJECTED)
        counts = _write(staging.folder, rows, made, progress)
        staging.record.update(images=str(images), table=str(ads.resolve()))
        staging.notes.update(
            table_sha256=sha256(file),
            rows=len(rows.malformed),
            rejected=made.found.rejections.counts(),
            duplicates=int(made.duplicates.repeated.sum()),
        )
        if keep:
            staging.notes["incomplete"] = made.found.incomplete.counts()
    stamps = found.stamps.codes[found.rejections.accepted]
    remember(workspace.split, found.stamps.names(stamps[stamps != NO_KEY]))
    return _report(made, counts, settings, workspace.split.path)


def _assign(rows: Rows, found: ValidatedRows, settings: Settings, refused: Path) -> _Assignment:
    """Draws the parts of the ads that stay; lists why not in the file `refused` if none do."""
    rejections = found.rejections
    digests = found.digests.codes
    if settings.image_check in ("none", "few"):  # they tell files, not pictures
        digests = np.full_like(digests, NO_KEY)
    duplicates = find_duplicates(
        rows.text.codes, digests, found.similar, rows.category.codes, rejections.accepted
    )
    if settings.duplicates == "drop":
        rejections.add(Reason.DUPLICATE_AD, duplicates.repeated)
    rare = splitting.is_rare(rows.category.codes, rejections.accepted, settings.min_ads)
    rejections.add(Reason.RARE_CATEGORY, rare)
    accepted = rejections.accepted
    groups, founders = duplicates.groups, duplicates.founders
    if settings.duplicates == "ignore":
        groups, founders = np.arange(len(groups)), accepted
    categories, labels = _number_categories(rows, rejections, settings, refused)
    parts, seed = np.full(len(accepted), -1, np.int8), settings.seed
    shares = settings.test, settings.validation
    if settings.exact or settings.stratify:
        strata = labels if settings.stratify else np.zeros_like(labels)
        parts[accepted] = splitting.draw_parts(groups[accepted], strata[accepted], *shares, seed)
    else:
        numbers = splitting.hashed_numbers(rows.id.values.to_pylist(), seed)[rows.id.codes]
        parts[accepted] = splitting.hashed_parts(groups, founders, numbers, *shares)[accepted]
        splitting.check_parts(parts[accepted], groups[accepted], "; for exact sizes: --exact")
    availabilities = found.availabilities if settings.keep_incomplete else None
    return _Assignment(found, duplicates, groups, categories, labels, parts, availabilities)


def _number_categories(
    rows: Rows, rejections: Rejections, settings: Settings, refused: Path
) -> tuple[list[str], NDArray[np.int32]]:
    """The categories of the accepted rows, sorted, and the index of each row's: [rows]."""
    categories, labels = rows.category.ranked(rejections.accepted)
    refused.unlink(missing_ok=True)
    if len(categories) < 2:
        left, listed = "no ads", rejections.explained(refused, rows.file, rows.images)
        if categories:
            name, ads = categories[0][:MOST_OF_A_NAME], rejections.accepted.sum()
            left = f"only the category {name!r} (ads: {ads:,})"
        raise BadInputError(
            f"{located(settings.ads)} leaves {left}; expected at least two categories\n"
            f"rejected: {rejections.in_words()}{listed}"
        )
    return categories, labels


def _write(folder: Path, rows: Rows, made: _Assignment, progress: Progress) -> Table:
    """Writes the artifact's files and returns the counts of the categories."""
    accepted = made.found.rejections.accepted
    _write_rows(folder, rows, made, progress)
    write_json(folder / CATEGORIES, made.categories)
    counts = splitting.class_counts(made.labels[accepted], made.parts[accepted], made.categories)
    write_table(folder, "class_counts", counts)
    category_distribution(folder, "figure-4.1", [int(row[2] or 0) for row in counts.rows])
    return counts


def _write_rows(folder: Path, rows: Rows, made: _Assignment, progress: Progress) -> None:
    """Writes the ads and the lists of rejected and of other rows, in the table's order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = {REJECTED: made.found.rejections, CONTRADICTIONS: made.duplicates}
    if made.availabilities is not None:
        lists[INCOMPLETE] = made.found.incomplete
    schema = ads_schema(incomplete=made.availabilities is not None)
    with (
        pa.memory_map(str(rows.file)) as source,
        pq.ParquetWriter(folder / ADS, schema, compression="zstd") as ads,
        contextlib.ExitStack() as files,
        progress.task("writing ads", len(rows.malformed), "rows") as task,
    ):
        listed = [
            (files.enter_context(csv_writer(folder / name, found.columns)), found)
            for name, found in lists.items()
        ]
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            ads.write_batch(_ads(batch, made, schema))
            for writer, found in listed:
                writer.writerows(found.listed(batch))
            task.advance(batch.num_rows)


def _ads(batch: "pa.RecordBatch", made: _Assignment, schema: "pa.Schema") -> "pa.RecordBatch":
    """The accepted rows of a batch, with what was found out about them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    positions = batch["row"].to_numpy() - 1
    accepted = made.found.rejections.accepted[positions]
    positions, batch = positions[accepted], batch.filter(pa.array(accepted))

    def of_image(found: Codes) -> pa.Array:
        """A column of what was found of the photos, null where an ad has none."""
        codes = found.codes[positions]
        return found.values.take(pa.array(codes, mask=codes == NO_KEY))

    columns = {
        **{name: batch[name] for name in batch.schema.names},
        "image": pc.coalesce(of_image(made.found.names), batch["image"]),  # pyright: ignore[reportAttributeAccessIssue]
        "part": pa.array([PARTS[part] for part in made.parts[positions]], pa.string()),
        GROUP: pa.array(made.groups[positions] + 1),
        "label": pa.array(made.labels[positions]),
        "category": pa.array(made.categories).take(pa.array(made.labels[positions])),
        DIGEST: of_image(made.found.digests),
    }
    if made.availabilities is not None:
        columns[AVAILABILITY] = pa.array(made.availabilities[positions].tolist(), pa.string())
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _report(made: _Assignment, counts: Table, settings: Settings, folder: Path) -> Report:
    rows, accepted = len(made.parts), int(made.found.rejections.accepted.sum())
    rejected = f"{rows - accepted:,} rejected ({folder / REJECTED})"
    sizes = np.bincount(made.parts[made.found.rejections.accepted], minlength=len(PARTS)).tolist()
    table = Table(
        f"{accepted:,} ads",
        [Column("part"), Column("ads", "{:,}"), percent("share")],
        [(part, size, size / accepted) for part, size in zip(PARTS, sizes, strict=True)],
    )
    largest = counts.rows[0]
    lines = [
        f"{rows:,} rows read: {accepted:,} accepted, {rejected}",
        *made.duplicates.in_words(settings.duplicates, folder / CONTRADICTIONS),
        f"{len(made.categories):,} categories: {splitting.without_ads(counts)}; "
        f"the largest, {largest[1]}, has {largest[3]:.1f} % of the ads",
    ]
    if made.availabilities is not None:
        kept = made.found.incomplete.in_words()
        lines.insert(1, f"incomplete ads kept: {kept} ({folder / INCOMPLETE})")
    if accepted < rows:
        lines.insert(1, f"rejected: {made.found.rejections.in_words()}")
    return Report(lines, [table])
