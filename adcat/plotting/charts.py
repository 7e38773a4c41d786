"""Charts, drawn so that colour is never needed: line styles and markers differ too."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.plotting.lettering import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours for all kinds of sight, but its yellow, which is lost on white; dark and
# light ones by turns.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d")
MARKED = 8  # points of a long curve that have a marker
DOTS_PER_INCH = 120
PANEL = (3.1, 3.0)  # inches, of several
SINGLE = (7.4, 4.4)
LINE = 0.25  # of a ranking


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One curve."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """Curves over the same axes."""

    series: Sequence[Series]
    title: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """One or more panels with the same axes."""

    panels: Sequence[Panel]
    x_label: str
    y_label: str
    diagonal: bool = False  # x = y as a reference; both axes then go from 0 to 100


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval."""

    name: str
    value: float
    low: float
    high: float
    is_marked: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """Estimates under one another, in groups, and a line to compare them with."""

    groups: Mapping[str, Sequence[Estimate]]  # by heading, which may be empty; the first stands out
    x_label: str
    line: float


def save(chart: Chart | Ranking, folder: Path, name: str) -> None:
    """Draws the chart as `name`.png and `name`.svg."""
    from matplotlib import style

    # by default an SVG has random names and text as outlines
    with style.context(["default", {"svg.hashsalt": name, "svg.fonttype": "none"}]):
        figure = _rank(chart) if isinstance(chart, Ranking) else draw(chart)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, not for every file
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, transparent=True)


def draw(chart: Chart) -> "Figure":
    """Draws the chart; several panels stand in rows of up to four."""
    from matplotlib.figure import Figure

    panels = len(chart.panels)
    columns = min(4, panels)
    rows = math.ceil(panels / columns)
    width, height = SINGLE if panels == 1 else (columns * PANEL[0], rows * PANEL[1])
    figure = Figure((width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, panel in zip(grid.flat, chart.panels, strict=False):
        _draw_panel(axes, panel, chart)
    for axes in grid.flat[panels:]:
        axes.set_visible(False)
    for axes in grid.flat[panels - columns : panels]:  # some are the lowest of their column
        axes.tick_params(labelbottom=True)
    figure.supxlabel(chart.x_label, fontsize="medium")
    figure.supylabel(chart.y_label, fontsize="medium")
    return figure


def _draw_panel(axes: "Axes", panel: Panel, chart: Chart) -> None:
    if chart.diagonal:
        axes.plot([0, 100], [0, 100], color="0.5", linewidth=1)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
    for i, series in enumerate(panel.series):
        axes.plot(
            series.x,
            series.y,
            label=series.name,
            color=COLORS[i % len(COLORS)],
            linestyle=STYLES[i % len(STYLES)],
            marker=MARKERS[i % len(MARKERS)],
            markevery=_marked(series.x),
            markersize=5,
        )
    axes.set_title(panel.title, fontsize="medium")
    axes.grid(alpha=0.35)
    if len(panel.series) > 1:
        axes.legend(fontsize="small", framealpha=0)


def _marked(x: Sequence[float]) -> list[int]:
    """The points of a curve that have a marker: if they are many, evenly along x."""
    if len(x) < 2 * MARKED:
        return list(range(len(x)))
    left, right = min(x), max(x)
    places = [left + (right - left) * i / (MARKED - 1) for i in range(MARKED)]
    return sorted({min(range(len(x)), key=lambda i: abs(x[i] - place)) for place in places})


def _rank(chart: Ranking) -> "Figure":
    from matplotlib.figure import Figure

    rows = [row for heading, of_it in chart.groups.items() for row in (heading, *of_it) if row]
    figure = Figure((SINGLE[0], 0.8 + LINE * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(chart.line, color="0.5", linewidth=1, linestyle="--")
    for y, row in enumerate(rows):
        if isinstance(row, str):
            continue
        color = COLORS[0] if row in next(iter(chart.groups.values())) else "0.45"
        marker, width = ("D", 4) if row.is_marked else ("o", 2)
        axes.plot([row.low, row.high], [y, y], color=color, linewidth=width)
        axes.plot([row.value], [y], color=color, marker=marker, markersize=4 + width)
    names = [row if isinstance(row, str) else f"{row.name}   {row.value:.1f}" for row in rows]
    axes.set_yticks(range(len(rows)), [drawable(name) for name in names], parse_math=False)
    for row, label in zip(rows, axes.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if isinstance(row, str) or row.is_marked else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.35)
    axes.set_xlabel(chart.x_label)
    return figure


DWARFING = 3  # times the second largest category: too large to be drawn beside the others


def category_distribution(folder: Path, name: str, counts: Sequence[int]) -> None:
    """Draws the categories' shares and their sum by rank (thesis, figure 4.1).

    Where the largest category dwarfs the others, its bar is left out; the sum below has it.

    Args:
      folder: where `name`.png and `name`.svg go.
      name: of the files.
      counts: ads of each category, most frequent first: [categories].
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    shares = [100 * count / sum(counts) for count in counts]  # percent
    hidden = int(shares[0] > DWARFING * shares[1])
    ranks = range(1, len(shares) + 1)
    with style.context(["default", {"svg.hashsalt": name}]):  # by default a random one
        figure = Figure((8, 7), DOTS_PER_INCH)
        margins = {"left": 0.08, "right": 0.98, "bottom": 0.07, "top": 0.95, "hspace": 0.08}
        above, below = figure.subplots(2, sharex=True, gridspec_kw=margins)
        above.bar(ranks[hidden:], shares[hidden:], width=0.85)
        above.set_ylabel("share of the ads (%)")
        if hidden:
            above.set_title(f"without the largest category ({shares[0]:.1f} %)", fontsize="medium")
        below.plot(ranks, list(itertools.accumulate(shares)), marker="." if len(ranks) < 50 else "")
        below.set_ylabel("cumulative share of the ads (%)")
        below.set_xlabel("category, by number of ads (rank)")
        below.set_ylim(0, 103)
        below.grid(alpha=0.4)
        below.xaxis.get_major_locator().set_params(integer=True)
        figure.savefig(folder / f"{name}.png")
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
