"""Galleries: ads with their images and predictions."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adcat.plotting.lettering import shortened, write_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

DOTS_PER_INCH = 120

# A gallery's cells, in inches and characters.
IMAGE_WIDTH, IMAGE_HEIGHT = 4.4, 2.4  # at most
IMAGE_PIXELS = (round(IMAGE_WIDTH * DOTS_PER_INCH), round(IMAGE_HEIGHT * DOTS_PER_INCH))
ONE_OF_SEVERAL = 2.5  # width of a picture where several stand beside one another
BETWEEN_CELLS = 0.2
LEAST_WIDTH = 2 * (IMAGE_WIDTH + BETWEEN_CELLS)  # so that headings have room
LINE_HEIGHT = 0.18
GAP = 0.15
TITLE_LINES, TITLE_LENGTH = 2, 50
NOTE = (
    "Below each ad the classifiers' first predictions and their confidence; bold: the true category"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """An ad in a gallery, and its predictions."""

    pictures: "Sequence[Image]"  # side by side; none where the photo cannot be opened
    title: str
    category: str  # the true one
    predictions: Mapping[str, Sequence[tuple[str, float]]]  # classifier -> confidences, best first


def gallery(
    path: Path, heading: str, rows: Sequence[tuple[str, Sequence[Example]]], note: str = NOTE
) -> None:
    """Draws rows of ads with their photos and predictions (thesis, appendix A.2).

    Args:
      path: the PNG or SVG to write.
      heading: what all the ads have in common.
      rows: each has a heading and ads, all with as many predictions.
      note: a line below the heading that says how to read the pictures.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    pictures = max(len(example.pictures) for _, examples in rows for example in examples)
    inner = max(IMAGE_WIDTH, pictures * ONE_OF_SEVERAL if pictures > 1 else 0)
    cell = inner + BETWEEN_CELLS
    columns = max(len(examples) for _, examples in rows)
    predictions = sum(len(best) for best in rows[0][1][0].predictions.values())
    lines = 1 + TITLE_LINES + 1 + predictions  # the row's heading, title, true category
    row_height = IMAGE_HEIGHT + lines * LINE_HEIGHT + 5 * GAP
    width = max(columns * cell, LEAST_WIDTH) + GAP
    height = len(rows) * row_height + 5 * GAP
    with style.context(["default", {"svg.hashsalt": path.stem}]):  # by default a random one
        figure = Figure((width, height), DOTS_PER_INCH)
        # one set of axes for everything: inches from the upper left corner
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        write_line(axes, (GAP, GAP), heading, width, size=14, weight="bold")
        write_line(axes, (GAP, 3 * GAP), note, width, color="0.35")
        for i, (row_heading, examples) in enumerate(rows):
            y = 5 * GAP + i * row_height
            axes.axhline(y, color="0.8", linewidth=1)
            write_line(axes, (GAP, y + GAP), row_heading, width, size=11, weight="bold")
            for j, example in enumerate(examples):
                _draw_example(axes, GAP + j * cell, y + 2 * GAP + LINE_HEIGHT, inner, example)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_example(axes: "Axes", x: float, y: float, inner: float, example: Example) -> None:
    """Draws pictures and the words below them; (x, y) is the upper left corner of the cell."""
    share = inner / max(1, len(example.pictures))
    for i, picture in enumerate(example.pictures):
        _draw_picture(axes, x + i * share, y, share, picture)
    if not example.pictures:
        _draw_absence(axes, x, y, inner)
    y += IMAGE_HEIGHT + GAP / 2
    title = " ".join(example.title.split()) or "(no title)"
    lines = textwrap.wrap(title, TITLE_LENGTH, max_lines=TITLE_LINES, placeholder=" …")
    for i, line in enumerate(lines):
        write_line(axes, (x, y + i * LINE_HEIGHT), line, inner, weight="bold")
    below = y + len(lines) * LINE_HEIGHT
    write_line(axes, (x, below), f"true: {shortened(example.category)}", inner)
    y += (TITLE_LINES + 1) * LINE_HEIGHT + GAP / 2  # a short title leaves a line free
    for classifier, best in example.predictions.items():
        write_line(axes, (x, y), classifier, inner, color="0.35")
        for name, confidence in best:
            weight = "bold" if name == example.category else "normal"
            write_line(axes, (x + 1.2, y), f"{confidence:.1%}", 1, align="right")
            write_line(axes, (x + 1.3, y), shortened(name), inner - 1.3, weight=weight)
            y += LINE_HEIGHT


def _draw_picture(axes: "Axes", x: float, y: float, width: float, picture: "Image") -> None:
    scale = min((width - GAP / 2) / picture.width, IMAGE_HEIGHT / picture.height)
    right, bottom = x + picture.width * scale, y + picture.height * scale
    axes.imshow(picture, extent=(x, right, bottom, y), aspect="auto")


def _draw_absence(axes: "Axes", x: float, y: float, width: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, IMAGE_HEIGHT, color="0.92"))
    write_line(axes, (x + GAP, y + GAP), "the photo cannot be opened", width)
