"""The places where things are photographed: rooms, streets, parks, lakes and desks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from pen import Colour, Ink, Pen, pick, shade


@dataclass(frozen=True)
class Room:
    """The colours and the pattern of a kind of room."""

    walls: tuple[Colour, ...]
    floors: tuple[Colour, ...]
    pattern: str


ROOMS = {
    "living": Room((Ink.BEIGE, (226, 206, 186), (232, 226, 208)), (Ink.OAK, Ink.PINE), "plain"),
    "bedroom": Room(
        ((186, 206, 232), (206, 214, 236), (226, 206, 222)),
        ((96, 116, 160), (128, 140, 176)),
        "plain",
    ),
    "kitchen": Room(((240, 226, 150), (214, 232, 170)), ((176, 76, 60), (226, 222, 214)), "tiles"),
    "study": Room(((134, 172, 140), (160, 190, 150)), (Ink.WALNUT, Ink.OAK), "stripes"),
    "evening": Room(((58, 52, 84), (74, 62, 78)), (Ink.WALNUT, (66, 56, 60)), "plain"),
    "cellar": Room(((150, 84, 68), (164, 104, 84)), ((110, 104, 100),), "bricks"),
    "media": Room(((214, 196, 224), (186, 170, 204)), ((236, 232, 228),), "plain"),
    "garage": Room(((150, 146, 138), (132, 126, 118)), ((142, 140, 136),), "stripes"),
}


def paint_wall(pen: Pen, wall: Colour, pattern: str) -> None:
    """Paint a wall that is plain, striped, tiled or of bricks."""
    pen.box(wall, -0.1, -0.1, 1.1, 1.1)
    darker, rows = shade(wall, 0.86), np.linspace(0, 0.7, 12 if pattern == "bricks" else 7)
    if pattern in ("tiles", "bricks"):
        for y in rows:
            pen.line(darker, 0.008, (0, y), (1, y))
    if pattern in ("stripes", "tiles"):
        for x in np.linspace(0.04, 0.96, 10):
            pen.line(darker, 0.012, (x, 0), (x, 0.7))
    if pattern == "bricks":
        for number, y in enumerate(rows[:-1]):
            for x in np.arange(0.04 + 0.06 * (number % 2), 1, 0.12):
                pen.line(darker, 0.008, (x, y), (x, rows[number + 1]))


def paint_room(pen: Pen, rng: Generator, room: Room) -> None:
    """Paint a wall, a floor of boards and perhaps a window."""
    wall, floor, edge = pick(rng, room.walls), pick(rng, room.floors), rng.uniform(0.6, 0.72)
    paint_wall(pen, wall, room.pattern)
    pen.box(floor, -0.1, edge, 1.1, 1.1)
    for x in np.linspace(0, 1, 6):
        pen.line(shade(floor, 0.85), 0.006, (x, edge), (x * 1.8 - 0.4, 1))
    pen.line(shade(wall, 1.2), 0.025, (0, edge), (1, edge))
    if rng.random() < 0.4:
        x = rng.uniform(0, 0.7)
        pen.box(Ink.WHITE, x, 0.05, x + 0.3, 0.42)
        pen.box(Ink.NAVY if room is ROOMS["evening"] else Ink.GLASS, x + 0.02, 0.08, x + 0.28, 0.39)
        pen.line(Ink.WHITE, 0.02, (x + 0.15, 0.05), (x + 0.15, 0.4))


def paint_outdoors(pen: Pen, rng: Generator, ground: Colour) -> None:
    """Paint a sky, trees or a house, and the ground."""
    pen.box(pick(rng, ((150, 196, 232), (198, 208, 216), (120, 170, 220))), -0.1, -0.1, 1.1, 1.1)
    for _ in range(int(rng.integers(1, 5))):
        x, wide = rng.uniform(0, 1), rng.uniform(0.08, 0.16)
        pen.box(Ink.BROWN, x - 0.015, 0.35, x + 0.015, 0.6)
        pen.oval(shade(Ink.GREEN, rng.uniform(0.7, 1.3)), x - wide, 0.12, x + wide, 0.5)
    if rng.random() < 0.4:
        x, paint = rng.uniform(0, 0.6), pick(rng, (Ink.RED, Ink.YELLOW, Ink.WHITE))
        pen.box(paint, x, 0.24, x + 0.4, 0.6)
        pen.shape(Ink.BLACK, (x - 0.04, 0.25), (x + 0.2, 0.04), (x + 0.44, 0.25))
        pen.box(Ink.GLASS, x + 0.08, 0.32, x + 0.18, 0.44)
    pen.box(shade(ground, rng.uniform(0.85, 1.15)), -0.1, rng.uniform(0.5, 0.6), 1.1, 1.1)


def paint_street(pen: Pen, rng: Generator) -> None:
    """Paint a street of asphalt with a white line."""
    paint_outdoors(pen, rng, (122, 122, 126))
    pen.line(Ink.WHITE, 0.02, (0.1, 0.93), (0.9, 0.93))


def paint_park(pen: Pen, rng: Generator) -> None:
    """Paint a lawn with flowers."""
    paint_outdoors(pen, rng, (116, 166, 72))
    for x, y in rng.uniform((0, 0.64), (1, 0.96), (14, 2)):
        pen.disc(pick(rng, (Ink.WHITE, Ink.YELLOW, Ink.PINK)), x, y, 0.014)


def paint_lake(pen: Pen, rng: Generator) -> None:
    """Paint a lake with waves."""
    paint_outdoors(pen, rng, (70, 120, 164))
    for _ in range(8):
        x, y = rng.uniform(0, 0.9), rng.uniform(0.64, 0.98)
        pen.line((150, 190, 216), 0.012, (x, y), (x + 0.1, y))


def paint_desk(pen: Pen, rng: Generator) -> None:
    """Paint the top of a table or a cloth, seen from above."""
    top = pick(rng, (Ink.WHITE, (214, 220, 224), (232, 226, 208)))
    pen.box(top, -0.1, -0.1, 1.1, 1.1)
    for y in rng.uniform(0, 1, 5):
        pen.line(shade(top, 0.92), 0.01, (0, y), (1, y + 0.03))


PLACES: dict[str, Callable[[Pen, Generator], None]] = {
    "street": paint_street,
    "park": paint_park,
    "lake": paint_lake,
    "desk": paint_desk,
    **{name: partial(paint_room, room=room) for name, room in ROOMS.items()},
}
