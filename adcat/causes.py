"""Why ads are misclassified: what somebody who looks at them says (thesis, section 4.4.1)."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adcat import thesis
from adcat.data.records import best_delimiter, decoded_lines, same_header, split_rows
from adcat.errors import BadInputError
from adcat.evaluation.error_groups import ERROR_GROUPS, GROUPS, ILLUSTRATING, Groups, in_words
from adcat.evaluation.metrics import AdResults
from adcat.files import replacing
from adcat.tables import Cell, Column, Table, percent, write_records
from adcat.types import Part
from adcat.workspace.ads import read_ads, read_categories, rows_of
from adcat.workspace.artifact import Artifact
from adcat.workspace.photos import images_folder

CAUSES: Mapping[str, Mapping[str, str]] = {row["cause"]: row for row in thesis.read("causes")}
DATA = [cause for cause, row in CAUSES.items() if row["depends_on"] == "data"]
ERRORS = [GROUPS.index(group) for group in ERROR_GROUPS]
READ = ("id", "cause")  # columns of a file of annotations; the others are for the reader
SHOWN = ("id", "title", "description", "image", "category")


class Annotation(NamedTuple):
    """What a row of a file says."""

    row: int  # counted from 1, without the headers
    id: str
    cause: str  # empty where nobody has looked yet


def read_annotations(file: Path | None) -> list[Annotation] | None:
    """Reads a file of annotations, as a spreadsheet may have saved it again; None without one.

    Raises:
      BadInputError: it is no CSV file; a row is broken, has another cause than `CAUSES` or the id
        of a row before it.
    """
    if not file:
        return None
    if file.suffix.lower() != ".csv":
        raise BadInputError(f"--annotate {file}: expected a file whose name ends in .csv")
    if not file.parent.is_dir():
        raise BadInputError(f"--annotate {file}: the folder {file.parent} does not exist")
    if not file.exists():
        return None
    found: dict[str, Annotation] = {}
    for row, id, cause in _rows(file):
        if cause not in ("", *CAUSES):
            words = ", ".join(CAUSES)
            raise BadInputError(f"{file}: row {row} has the cause {cause!r}; expected {words}")
        if id in found:
            raise BadInputError(f"{file}: row {row} has the id {id!r}, as row {found[id].row} has")
        found[id] = Annotation(row, id, cause)
    return list(found.values())


def _rows(file: Path) -> Iterator[Annotation]:
    with file.open("rb") as opened, decoded_lines(file, opened) as lines:
        first = next(lines, "")
        rows = split_rows(itertools.chain([first], lines), best_delimiter(first, ",", READ))
        _, headers = next(rows, (False, []))
        places = [[i for i, h in enumerate(headers) if same_header(h, name)] for name in READ]
        for name, here in zip(READ, places, strict=True):
            if len(here) != 1:
                raise BadInputError(f"{file} has {len(here)} columns {name!r}; expected one")
        for row, (is_broken, fields) in enumerate(rows, 1):
            if is_broken or len(fields) != len(headers):
                raise BadInputError(
                    f"{file}: row {row} has {len(fields)} fields or a broken quotation; expected "
                    f"{len(headers)} fields, as the headers are"
                )
            id, cause = (fields[i].strip() for (i,) in places)
            yield Annotation(row, id, cause.lower())


def read_causes(file: Path | None, split: Artifact, part: Part) -> dict[int, str] | None:
    """Reads the causes that a file of annotations states, by the rows of their ads in the part.

    Returns:
      The causes, "" for an ad without one so far; None if the file does not exist.

    Raises:
      BadInputError: `read_annotations` refuses the file, or an ad is not of the part.
    """
    annotations = read_annotations(file)
    if annotations is None:
        return None
    rows = rows_of(split, part, {one.id for one in annotations})
    for one in annotations:
        if one.id not in rows:
            raise BadInputError(
                f"{file}: row {one.row} has the id {one.id!r}, which no ad of the {part} part has; "
                "use the --part and the split that the file was written for"
            )
    return {rows[one.id]: one.cause for one in annotations}


def write_annotations(
    file: Path,
    split: Artifact,
    part: Part,
    groups: Groups,
    baselines: Mapping[str, AdResults],
    ads: int,
    seed: int,
) -> None:
    """Writes misclassified ads to look at, each with an empty cause.

    Args:
      file: the new file.
      split: the ads.
      part: that they are drawn from.
      groups: of its ads: [n].
      baselines: what the classifiers say of them, by modality.
      ads: how many of each error group, at most.
      seed: of the draw.

    Raises:
      BadInputError: none is misclassified, or there is such a file by now.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(groups == group))[:ads] for group in ERRORS]
    rows = [row for of_group in drawn for row in np.sort(of_group).tolist()]
    if not rows:
        raise BadInputError(f"{file} is not written: no ad of the {part} part is misclassified")
    names, folder = read_categories(split), images_folder(split)
    records = [
        {
            **ad,
            "image": str(folder / ad["image"]),
            **{f"{name}_prediction": names[o.predicted[row]] for name, o in baselines.items()},
            "group": in_words(GROUPS[groups[row]]),
            "cause": "",
        }
        for row, ad in zip(rows, read_ads(split, part, SHOWN, rows), strict=True)
    ]
    if file.exists():  # since the command began
        raise BadInputError(f"{file} is not written: it exists by now; type the command again")
    with replacing(file) as new:
        write_records(new, records)


def count_causes(groups: Groups, causes: Mapping[int, str]) -> dict[str, Counter[str]]:
    """How many ads have each cause, by error group; "" is that of ads without one yet.

    Args:
      groups: of the ads of a part: [n].
      causes: of some of them, by row; ads that are not errors are left out.
    """
    return {
        group: Counter(cause for row, cause in causes.items() if groups[row] == i)
        for i, group in zip(ERRORS, ERROR_GROUPS, strict=True)
    }


def causes_table(part: Part, groups: Groups, causes: Mapping[int, str]) -> Table:
    """How often each cause was seen in each error group, as `count_causes` counts them."""
    counters = {in_words(group): counter for group, counter in count_causes(groups, causes).items()}
    counters["all"] = sum(counters.values(), Counter[str]())
    columns, rows = [Column("cause"), Column("depends on")], list[list[Cell]]()
    for heading in counters:
        columns += [Column(heading, "{:,}"), percent(f"share of {heading}")]
    for cause, about in CAUSES.items():
        rows.append([cause, about["depends_on"]])
        for counter in counters.values():
            seen = counter.total() - counter[""]
            rows[-1] += [counter[cause], counter[cause] / seen if seen else None]
    rows.append(["(none yet)", None])
    for counter in counters.values():
        rows[-1] += [counter[""], None]
    no_errors = len(causes) - counters["all"].total()
    if no_errors:
        rows.append(["(no error any more)", *[None] * (len(columns) - 3), no_errors, None])
    return Table(f"Causes of errors that were looked at, {part} part", columns, rows)


def data_dependent(groups: Groups, causes: Mapping[int, str]) -> list[int]:
    """The ads of figure 4.2, by row: of every cause that lies in the data one first."""
    ranked = [
        (i, DATA.index(cause), row)
        for cause in DATA
        for i, row in enumerate(
            row for row, seen in causes.items() if seen == cause and groups[row] in ERRORS
        )
    ]
    return [row for _, _, row in sorted(ranked)[:ILLUSTRATING]]


def meanings() -> Table:
    """The causes and what they mean."""
    columns = [Column("cause"), Column("means")]
    return Table("Causes", columns, [[cause, row["means"]] for cause, row in CAUSES.items()])
