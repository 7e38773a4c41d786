"""The page: sections of tables, charts and ads, rendered into one self-contained file."""

import base64
import dataclasses
import hashlib
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from adcat.plotting.charts import Chart, Ranking, save
from adcat.tables import Cell, Column, Table, write_table

PAGE = "page.html.jinja"
TALL = 14  # rows from which on a table scrolls
SHORT, SHORT_HEADING = 32, 10  # characters up to which a cell is not wrapped


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A table on the page."""

    table: Table
    file: str = ""  # its name in `tables`; empty for one that stands on the page only
    note: str = ""  # how to read it
    beside: Sequence[tuple[Column, Sequence[Cell]]] = ()  # further columns, on the page only
    on_demand: str = ""  # what is seen of it at first; empty where it is open
    kind: str = "table"

    @property
    def full(self) -> Table:
        """The table as the page has it."""
        columns = [*self.table.columns, *(column for column, _ in self.beside)]
        further = [cells for _, cells in self.beside]
        rows = [[*row, *(cells[i] for cells in further)] for i, row in enumerate(self.table.rows)]
        return Table(self.table.title, columns, rows)


@dataclasses.dataclass(frozen=True, slots=True)
class Drawing:
    """A chart on the page."""

    chart: Chart | Ranking
    file: str  # its name in `figures`
    caption: str
    alt: str  # what it shows, for screen readers
    kind: str = "drawing"

    @property
    def is_wide(self) -> bool:
        """Whether it needs the page's whole width, and more than a phone's."""
        return isinstance(self.chart, Chart) and len(self.chart.panels) > 1


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture that another command made."""

    address: str  # a data URI
    caption: str
    alt: str
    is_wide: bool = False
    kind: str = "picture"


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """An ad."""

    image: str  # a data URI; empty where the photo cannot be opened
    title: str
    category: str  # the true one
    predictions: Mapping[str, Sequence[tuple[str, float]]]  # classifier -> confidences, best first


@dataclasses.dataclass(frozen=True, slots=True)
class Gallery:
    """Ads under headings."""

    title: str
    rows: Sequence[tuple[str, Sequence[Card]]]
    is_open: bool = False  # so that a long one does not hide what follows
    kind: str = "gallery"


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """A line of text, such as why something is not there."""

    text: str
    kind: str = "remark"


Block: TypeAlias = Shown | Drawing | Picture | Gallery | Remark


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; it begins with what it shows and what to conclude."""

    anchor: str
    heading: str
    conclusion: str
    blocks: Sequence[Block]


def write_files(folder: Path, sections: Sequence[Section]) -> None:
    """Writes every table that has a file's name into `tables` and every chart into `figures`."""
    for name in ("tables", "figures"):
        (folder / name).mkdir()
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, Shown) and block.file:
            write_table(folder / "tables", block.file, block.table)
        elif isinstance(block, Drawing):
            save(block.chart, folder / "figures", block.file)


def render(heading: str, facts: str, sections: Sequence[Section], figures: Path) -> str:
    """Renders the page; names of ads and categories are escaped.

    Args:
      heading: the page's.
      facts: what it is about, in a line or two.
      sections: its parts; the first stands above the contents.
      figures: where `write_files` put the charts.
    """
    import jinja2

    here = importlib.resources.files("adcat.report")
    style, script = ((here / name).read_text("utf-8") for name in ("style.css", "script.js"))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("adcat", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def image(block: Drawing | Picture) -> str:
        if isinstance(block, Picture):
            return block.address
        return drawn((figures / f"{block.file}.svg").read_text("utf-8"))

    return environment.get_template(PAGE).render(
        heading=heading,
        facts=facts,
        sections=sections,
        style=style,
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        image=image,
        zip=zip,
        is_number=_is_number,
        has_numbers=lambda table, i: any(_is_number(row[i]) for row in table.rows),
        tall=TALL,
        short=SHORT,
        short_heading=SHORT_HEADING,
    )


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float)


def data_uri(media_type: str, content: bytes) -> str:
    """The content as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def drawn(svg: str) -> str:
    """An SVG of matplotlib as a data URI."""
    return data_uri("image/svg+xml", adapted(svg).encode())


def adapted(svg: str) -> str:
    """An SVG of matplotlib with a transparent background, in colours of the page's scheme."""
    style = (
        "<style>svg{color:#1b1b1b;fill:currentColor;font-family:system-ui,sans-serif}"
        "@media (prefers-color-scheme:dark){svg{color:#e8e8e8}}</style>"
    )
    inked = svg.replace("#000000", "currentColor").replace("fill: #ffffff", "fill: none")
    return re.sub(r"(<svg [^>]*>)", rf"\1{style}", inked, count=1)
