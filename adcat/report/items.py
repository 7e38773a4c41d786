"""The tables and figures of the thesis, and the command and file of each."""

import dataclasses
from collections.abc import Sequence

from adcat.evaluation.measuring import Measured
from adcat.report.page import Drawing, Picture, Section, Shown
from adcat.report.words import many
from adcat.tables import Column, Table

FUSE = "adcat fuse --policy"
ATTEND = "adcat attend --insert-at c --over wh"
SEARCH = "adcat attend --search"
ATTENDED = "attend/c-wh"  # what it writes
GALLERIES = "Figure A.4"  # that are not on the page
EVALUATE, ERROR_GROUPS, SPLIT = "adcat evaluate", "adcat error-groups", "adcat split ADS"


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A table or a figure of the thesis."""

    number: str  # as in "Table 5.1"
    shows: str
    command: str  # that writes the file
    file: str  # in the workspace, without its ending
    needs: str = ""  # the command that has to be run before, where `command` alone is not enough


def _evaluated(number: str, shows: str, needs: str = "") -> Item:
    kind, _, position = number.partition(" ")
    file = f"evaluate/{kind.lower()}s/{kind.lower()}-{position}"
    return Item(number, shows, EVALUATE, file, needs)


def _attended(number: str, shows: str, file: str) -> Item:
    return Item(number, shows, ATTEND, f"{ATTENDED}/{file}", ATTEND)


def _grouped(number: str, shows: str, file: str, needs: str = "") -> Item:
    return Item(number, shows, ERROR_GROUPS, f"error-groups/{file}", needs)


LATE, EARLY = f"{FUSE} product-max", f"{FUSE} pool"
LATE_NETWORK = f"{FUSE} nn"
LATE_TENTH = f"{LATE_NETWORK} --fraction 0.1 --name nn-10"
EARLY_TENTH = f"{EARLY} --fraction 0.1 --name pool-10"
ITEMS: Sequence[Item] = (
    Item("Figure 4.1", "shares of the categories", SPLIT, "split/figure-4.1"),
    _grouped("Figure 4.3", "ads that only the text gets right", "figures/figure-4.3"),
    _grouped("Figure 4.4", "ads that only the image gets right", "figures/figure-4.4"),
    _grouped("Figure 4.5", "ads that neither gets right", "figures/figure-4.5"),
    _grouped("Table 4.1", "where the baselines are right", "tables/table-4.1"),
    _grouped("Table 4.2", "categories with the most errors", "tables/table-4.2"),
    _evaluated("Table 5.1", "late fusion", LATE),
    _grouped("Table 5.2", "error groups, late fusion", "tables/table-5.2", LATE),
    _evaluated("Table 5.3", "10% and all ads, late fusion", LATE_TENTH),
    _evaluated("Table 5.4", "early fusion", EARLY),
    _grouped("Table 5.5", "error groups, early fusion", "tables/table-5.5", EARLY),
    _evaluated("Table 5.6", "10% and all ads, early fusion", EARLY_TENTH),
    _evaluated("Table 5.7", "attention: settings compared", SEARCH),
    _evaluated("Table 5.8", "attention", ATTEND),
    _grouped("Table 5.9", "error groups, attention", "tables/table-5.9", ATTEND),
    _evaluated("Table 5.10", "best of each approach"),
    _evaluated("Figure 5.1", "accuracy during training, late fusion", LATE_NETWORK),
    _evaluated("Figure 5.2", "loss during training, late fusion", LATE_NETWORK),
    _evaluated("Figure 5.3", "accuracy during training, early fusion", EARLY),
    _evaluated("Figure 5.4", "loss during training, early fusion", EARLY),
    _evaluated("Figure 5.5", "attention over channels during training", SEARCH),
    _evaluated("Figure 5.6", "attention over positions during training", SEARCH),
    _evaluated("Figure 5.7", "accuracy of the final attention model", ATTEND),
    _evaluated("Figure 5.8", "loss of the final attention model", ATTEND),
    _attended("Figure 5.9", "photos under their attention", "figures/figure-5.9"),
    _attended("Figure 5.10", "attention at the border", "figures/figure-5.10"),
    _attended("Figure 5.11", "attention away from the border", "figures/figure-5.11"),
    _evaluated("Table A.1", "ads of each category"),
    _grouped("Figure A.2", "ads of each error group", "galleries"),
    _attended(GALLERIES, "attention by error group", "galleries"),
)  # fmt: skip


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
        [*map(Column, ("item", "what it shows", "command", "file", "needs"))],
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
    return Section(
        "items", "Where is each item of the thesis?", conclusion, [Shown(table, "", note)]
    )


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
