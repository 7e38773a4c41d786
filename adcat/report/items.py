"""The tables and figures of the thesis, and the command and file of each."""

import dataclasses
from collections.abc import Sequence

from adcat import thesis
from adcat.evaluation.measuring import Measured
from adcat.report.page import Drawing, Picture, Section, Shown
from adcat.report.words import many
from adcat.tables import Column, Table

ATTENDED = "attend/c-wh"  # where Figures 5.9 to 5.11 are, unless another model is the best
GALLERIES = "Figure A.4"  # that are not on the page


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A table or a figure of the thesis."""

    number: str  # as in "Table 5.1"
    shows: str
    command: str  # that writes the file
    file: str  # in the workspace, without its ending
    needs: str = ""  # the command that has to be run before, where `command` alone is not enough


ITEMS: Sequence[Item] = [Item(**row) for row in thesis.read("items")]


def items_section(sections: Sequence[Section], looking: Measured | None) -> Section:
    """Where each item of the thesis is, and the command for those that are missing.

    Args:
      sections: of the page.
      looking: the attention model whose pictures are on the page.
    """
    items = items_of(looking)
    present = _numbers(sections) | ({GALLERIES} if looking else set())
    absent = [item for item in items if item.needs and item.number not in present]
    table = Table(
        "Tables and figures of the thesis",
        list(map(Column, ("item", "what it shows", "command", "file", "needs"))),
        [
            [item.number, item.shows, item.command, item.file, item.needs if item in absent else ""]
            for item in items
        ],
    )
    conclusion = (
        f"{len(absent)} of {many(len(items), 'item')} cannot be made from these models; "
        "the last column names the command that makes what they need."
        if absent
        else "Every table and figure of the thesis can be made from this workspace."
    )
    note = (
        "Tables are CSV and Markdown, figures PNG and SVG, galleries folders of PNG. "
        "adcat error-groups also writes the group of every ad."
    )
    heading = "Where is each item of the thesis?"
    return Section("items", heading, conclusion, [Shown(table, "", note)])


def items_of(looking: Measured | None) -> list[Item]:
    """The items, with the files of this attention model."""
    folder = f"attend/{looking.source.folder.name}" if looking else ATTENDED
    return [dataclasses.replace(item, file=item.file.replace(ATTENDED, folder)) for item in ITEMS]


def _numbers(sections: Sequence[Section]) -> set[str]:
    """The items that are on the page, as their titles say."""
    blocks = [block for section in sections for block in section.blocks]
    titles = [block.table.title for block in blocks if isinstance(block, Shown)]
    titles += [block.caption for block in blocks if isinstance(block, Drawing | Picture)]
    return {title.partition(":")[0] for title in titles}
