"""A pen that draws in a unit square, and the colours it draws in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from numpy.random import Generator
from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
Item = TypeVar("Item")


class Ink:
    """The colours of products, rooms and clutter."""

    BLACK = (28, 28, 32)
    WHITE = (244, 243, 238)
    GREY = (128, 130, 134)
    STEEL = (186, 192, 198)
    RED = (186, 40, 38)
    BLUE = (42, 82, 158)
    GREEN = (64, 118, 66)
    YELLOW = (240, 204, 96)
    NAVY = (34, 44, 84)
    BEIGE = (206, 186, 152)
    BROWN = (112, 76, 50)
    PINK = (212, 134, 150)
    PINE = (214, 172, 112)
    OAK = (178, 128, 76)
    WALNUT = (98, 62, 42)
    TURQUOISE = (74, 160, 164)
    GLASS = (178, 208, 222)
    RUBBER = (44, 44, 46)
    ORANGE = (214, 124, 48)
    PURPLE = (116, 80, 134)


PAINTS = (
    Ink.RED,
    Ink.BLUE,
    Ink.GREEN,
    Ink.YELLOW,
    Ink.ORANGE,
    Ink.PURPLE,
    Ink.TURQUOISE,
    Ink.WHITE,
    Ink.BROWN,
    Ink.NAVY,
)


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker (factor below 1) or lighter (above 1)."""
    red, green, blue = (max(0, min(255, round(part * factor))) for part in colour)
    return red, green, blue


def pick(rng: Generator, items: Sequence[Item]) -> Item:
    """Return one of the items by chance."""
    return items[int(rng.integers(len(items)))]


@dataclass(frozen=True)
class Pen:
    """Draws in a unit square laid over a box of the picture, perhaps mirrored."""

    draw: ImageDraw.ImageDraw
    left: float
    top: float
    width: float
    height: float
    mirrored: bool = False

    def place(self, x: float, y: float) -> Point:
        """Return where a point of the unit square lies in the picture."""
        across = 1 - x if self.mirrored else x
        return self.left + across * self.width, self.top + y * self.height

    def corners(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, ...]:
        """Return a box of the unit square as left, top, right, bottom in the picture."""
        (a, top), (b, bottom) = self.place(x0, y0), self.place(x1, y1)
        return min(a, b), top, max(a, b), bottom

    def part(self, x0: float, y0: float, x1: float, y1: float) -> "Pen":
        """Return a pen for a box inside this one."""
        left, top, right, bottom = self.corners(x0, y0, x1, y1)
        return Pen(self.draw, left, top, right - left, bottom - top, self.mirrored)

    def shape(self, colour: Colour, *points: Point) -> None:
        """Fill a polygon and give it a darker edge."""
        placed = [self.place(x, y) for x, y in points]
        self.draw.polygon(placed, fill=colour, outline=shade(colour, 0.6), width=2)

    def box(self, colour: Colour, x0: float, y0: float, x1: float, y1: float, round_by=0.0) -> None:
        """Fill a rectangle, its corners rounded by a share of the pen's height."""
        radius, edge = round_by * self.height, shade(colour, 0.6)
        corners = self.corners(x0, y0, x1, y1)
        self.draw.rounded_rectangle(corners, radius, fill=colour, outline=edge, width=2)

    def oval(self, colour: Colour, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fill an ellipse that touches the four sides of a box."""
        corners = self.corners(x0, y0, x1, y1)
        self.draw.ellipse(corners, fill=colour, outline=shade(colour, 0.6), width=2)

    def disc(self, colour: Colour, x: float, y: float, radius: float) -> None:
        """Fill a true circle, its radius a share of the pen's height."""
        (x, y), radius = self.place(x, y), radius * self.height
        corners = (x - radius, y - radius, x + radius, y + radius)
        self.draw.ellipse(corners, fill=colour, outline=shade(colour, 0.6), width=2)

    def line(self, colour: Colour, thickness: float, *points: Point) -> None:
        """Draw a line through the points, its thickness a share of the pen's height."""
        placed = [self.place(x, y) for x, y in points]
        self.draw.line(placed, fill=colour, width=max(2, round(thickness * self.height)))
