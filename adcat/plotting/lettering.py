"""Arbitrary text in pictures."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = "DejaVu Sans"  # comes with matplotlib, hence the same everywhere
NAME_LENGTH = 39  # of a category


def shortened(name: str) -> str:
    """A long name without its middle: categories differ at both ends."""
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half].rstrip()} … {name[-half:].lstrip()}"


def drawable(text: str) -> str:
    """The text with a box for each character that the font does not have."""
    return "".join(letter if ord(letter) in _letters() else "□" for letter in text)


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (get_font(findfont(FontProperties(family=FONT, weight=w))) for w in ("normal", "bold"))
    return frozenset.intersection(*(frozenset(font.get_charmap()) for font in fonts))


def write_line(
    axes: "Axes",
    corner: tuple[float, float],
    text: str,
    width: float,
    *,
    size: float = 9,
    weight: str = "normal",
    color: str = "black",
    align: str = "left",
) -> None:
    """Writes one line, clipped at the width: it may hold any text."""
    from matplotlib.transforms import Bbox, TransformedBbox

    x, y = corner
    left = x if align == "left" else x - width
    box = Bbox.from_extents(left, y - 1, left + width, y + 1)
    words = axes.text(
        x,
        y,
        drawable(text),
        fontfamily=FONT,
        fontsize=size,
        fontweight=weight,
        color=color,
        horizontalalignment=align,
        verticalalignment="top",
        parse_math=False,
        clip_on=True,
    )
    words.set_clip_box(TransformedBbox(box, axes.transData))
