"""Childish drawings of the things for sale, each in a unit square of its own."""

from collections.abc import Callable

from numpy.random import Generator
from pen import PAINTS, Colour, Ink, Pen, pick, shade

Drawing = Callable[[Pen, Colour, Generator], None]


def draw_car(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a saloon or an estate from the side."""
    back, roof = rng.uniform(0.0, 0.22), rng.uniform(0.02, 0.12)
    pen.shape(colour, (back, 0.48), (back + 0.08, roof), (0.6, roof), (0.8, 0.48))
    pen.shape(
        Ink.GLASS, (back + 0.06, 0.44), (back + 0.11, roof + 0.07), (0.4, roof + 0.07), (0.4, 0.44)
    )
    pen.shape(Ink.GLASS, (0.44, 0.44), (0.44, roof + 0.07), (0.58, roof + 0.07), (0.72, 0.44))
    pen.box(colour, 0, 0.43, 1, 0.83, 0.12)
    pen.line(shade(colour, 0.7), 0.015, (0.42, 0.46), (0.42, 0.8))
    pen.box(Ink.YELLOW, 0.94, 0.5, 1, 0.61)
    pen.box(shade(Ink.RED, 1.2), 0, 0.5, 0.04, 0.61)
    for x in (0.2, 0.79):
        pen.disc(Ink.RUBBER, x, 0.81, 0.19)
        pen.disc(Ink.STEEL, x, 0.81, 0.1)


def draw_sofa(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw an armchair or a sofa of up to three seats from the front."""
    seats = int(rng.integers(1, 4))
    margin = 0.18 * (3 - seats) / 2
    sofa, seat = pen.part(margin, 0, 1 - margin, 1), (0.76 / seats)
    for x in (0.08, 0.86):
        sofa.box(Ink.BROWN, x, 0.88, x + 0.06, 1)
    sofa.box(shade(colour, 0.88), 0.05, 0.05, 0.95, 0.7, 0.14)
    for number in range(seats):
        x = 0.12 + number * seat
        sofa.box(shade(colour, 0.96), x, 0.12, x + seat, 0.6, 0.08)
        sofa.box(shade(colour, 1.06), x, 0.54, x + seat, 0.78, 0.08)
    sofa.box(colour, 0.1, 0.74, 0.9, 0.92, 0.04)
    for x in (0, 0.86):
        sofa.box(colour, x, 0.36, x + 0.14, 0.94, 0.12)
    if rng.random() < 0.6:
        sofa.shape(pick(rng, PAINTS), (0.18, 0.36), (0.34, 0.3), (0.38, 0.56), (0.2, 0.6))


def draw_chair(pen: Pen, colour: Colour) -> None:
    """Draw a wooden chair from the side."""
    pen.line(colour, 0.08, (0.1, 0), (0.16, 1))
    pen.line(colour, 0.08, (0.85, 0.55), (0.9, 1))
    for y in (0.08, 0.24):
        pen.line(colour, 0.05, (0.1, y), (0.3, y + 0.02))
    pen.box(colour, 0.08, 0.5, 0.95, 0.6)


def draw_table(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a dining table with chairs beside it."""
    chairs = int(rng.integers(1, 3))
    draw_chair(pen.part(0.0, 0.1, 0.26, 1), shade(colour, 0.85))
    if chairs == 2:
        right = pen.part(0.74, 0.1, 1, 1)
        draw_chair(
            Pen(pen.draw, right.left, right.top, right.width, right.height, not pen.mirrored),
            shade(colour, 0.85),
        )
    for x in (0.2, 0.76):
        pen.box(shade(colour, 0.9), x, 0.4, x + 0.05, 1)
    pen.shape(colour, (0.2, 0.3), (0.84, 0.3), (0.92, 0.4), (0.1, 0.4))
    pen.box(shade(colour, 0.92), 0.1, 0.4, 0.92, 0.47)
    if rng.random() < 0.5:
        pen.oval(pick(rng, PAINTS), 0.44, 0.2, 0.58, 0.36)


def draw_wheel(pen: Pen, x: float, y: float, radius: float, spokes: int) -> None:
    """Draw one tyre on its rim, seen straight on."""
    pen.disc(Ink.RUBBER, x, y, radius)
    pen.disc(shade(Ink.RUBBER, 1.4), x, y, radius * 0.82)
    pen.disc(Ink.STEEL, x, y, radius * 0.64)
    rim = pen.part(x, y, x, y)
    reach = radius * pen.height * 0.6
    for number in range(spokes):
        box = (rim.left - reach, rim.top - reach, rim.left + reach, rim.top + reach)
        turn = 360 * number / spokes
        pen.draw.pieslice(box, turn, turn + 180 / spokes, fill=shade(Ink.GREY, 0.6))
    pen.disc(Ink.GREY, x, y, radius * 0.16)


def draw_tyres(pen: Pen, _colour: Colour, rng: Generator) -> None:
    """Draw a tyre in front of a stack of tyres or of a second tyre."""
    spokes = int(rng.integers(4, 9))
    if rng.random() < 0.5:
        for number in range(int(rng.integers(2, 5))):
            top = 0.76 - 0.22 * number
            pen.box(shade(Ink.RUBBER, 1.1 + 0.1 * (number % 2)), 0.46, top, 0.98, top + 0.23, 0.1)
            pen.line(shade(Ink.RUBBER, 1.9), 0.015, (0.48, top + 0.11), (0.96, top + 0.11))
    else:
        draw_wheel(pen, 0.7, 0.5, 0.38, spokes)
    draw_wheel(pen, 0.33, 0.62, 0.37, spokes)


def draw_shelf(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a shelf filled with books and boxes."""
    floors = int(rng.integers(3, 6))
    pen.box(shade(colour, 0.7), 0, 0, 1, 1)
    for floor in range(floors):
        bottom, x = (floor + 1) / floors, 0.1
        while x < 0.85 and rng.random() < 0.9:
            width = min(rng.uniform(0.06, 0.3), 0.9 - x)
            tall = rng.uniform(0.4, 0.8) / floors
            pen.box(pick(rng, PAINTS), x, bottom - tall, x + width, bottom)
            x += width + rng.uniform(0, 0.08)
        pen.box(colour, 0, bottom - 0.04, 1, bottom)
    pen.box(colour, 0, 0, 1, 0.04)
    pen.box(colour, 0, 0, 0.07, 1)
    pen.box(colour, 0.93, 0, 1, 1)


def draw_bed(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a made bed with its headboard to one side."""
    wood = pick(rng, (Ink.PINE, Ink.OAK, Ink.WALNUT, Ink.WHITE, Ink.BLACK))
    pen.box(wood, 0, 0.05, 0.07, 1)
    pen.box(wood, 0.94, 0.45, 1, 1)
    pen.box(shade(wood, 0.9), 0.05, 0.72, 0.96, 0.88)
    pen.box(shade(Ink.WHITE, 0.95), 0.06, 0.52, 0.95, 0.76, 0.08)
    pen.oval(Ink.WHITE, 0.08, 0.34, 0.32, 0.6)
    pen.shape(colour, (0.3, 0.46), (0.92, 0.44), (0.96, 0.8), (0.34, 0.82), (0.28, 0.6))
    for x in (0.45, 0.6, 0.75):
        pen.line(shade(colour, 0.8), 0.02, (x, 0.48), (x + 0.04, 0.8))


def draw_stroller(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a pram with a hood, a handle and its wheels."""
    pen.line(Ink.GREY, 0.03, (0.95, 0.2), (0.72, 0.5), (0.25, 0.86))
    pen.line(Ink.GREY, 0.03, (0.3, 0.55), (0.74, 0.86))
    pen.draw.pieslice(
        pen.corners(0.08, 0.1, 0.8, 0.96), 0, 180, fill=colour, outline=shade(colour, 0.6), width=2
    )
    start = 180 if pen.mirrored else 225
    turned = start if rng.random() < 0.8 else 180
    pen.draw.pieslice(
        pen.corners(0.08, 0.04, 0.8, 0.98),
        turned,
        turned + 135,
        fill=shade(colour, 0.75),
        outline=shade(colour, 0.5),
        width=2,
    )
    pen.line(Ink.BLACK, 0.06, (0.9, 0.18), (1, 0.22))
    for x in (0.25, 0.75):
        pen.disc(Ink.RUBBER, x, 0.88, 0.11)
        pen.disc(Ink.STEEL, x, 0.88, 0.06)


def draw_boat(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a powerboat with a windscreen or a cabin and an outboard motor."""
    if rng.random() < 0.5:
        pen.box(Ink.WHITE, 0.3, 0.2, 0.62, 0.52, 0.06)
        pen.box(Ink.GLASS, 0.36, 0.27, 0.56, 0.42)
    pen.shape(Ink.GLASS, (0.56, 0.5), (0.62, 0.22), (0.68, 0.24), (0.76, 0.5))
    pen.box(Ink.BLACK, 0, 0.3, 0.09, 0.56, 0.06)
    pen.line(Ink.BLACK, 0.06, (0.05, 0.5), (0.05, 0.95))
    pen.shape(Ink.WHITE, (0.06, 0.5), (0.7, 0.5), (1, 0.42), (0.84, 0.92), (0.1, 0.92))
    pen.shape(colour, (0.07, 0.62), (0.96, 0.56), (0.9, 0.74), (0.08, 0.76))


def draw_lamp(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a floor lamp or a hanging lamp that is lit."""
    glow = (255, 244, 190)
    if rng.random() < 0.6:
        pen.box(Ink.GREY, 0.47, 0.3, 0.53, 0.96)
        pen.oval(shade(Ink.GREY, 0.8), 0.25, 0.92, 0.75, 1)
        pen.oval(glow, 0.1, 0.26, 0.9, 0.42)
        pen.shape(colour, (0.3, 0), (0.7, 0), (0.92, 0.34), (0.08, 0.34))
    else:
        pen.line(Ink.BLACK, 0.02, (0.5, -1), (0.5, 0.4))
        pen.disc(glow, 0.5, 0.64, 0.14)
        pen.shape(colour, (0.4, 0.36), (0.6, 0.36), (1, 0.66), (0, 0.66))
        pen.line(shade(colour, 1.3), 0.02, (0.45, 0.4), (0.2, 0.62))


def draw_screen(pen: Pen, rng: Generator) -> None:
    """Draw what a lit or a dark screen shows."""
    sky = pick(rng, (Ink.BLACK, Ink.NAVY, Ink.TURQUOISE, Ink.PURPLE, Ink.BLUE))
    pen.box(sky, 0, 0, 1, 1)
    if sky != Ink.BLACK:
        pen.shape(
            pick(rng, PAINTS), (0.02, 0.98), (0.3, 0.5), (0.6, 0.8), (0.98, 0.6), (0.98, 0.98)
        )
    pen.shape(shade(sky, 1.5), (0.6, 0.02), (0.8, 0.02), (0.5, 0.5), (0.35, 0.5))


def draw_phone(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a smartphone, standing or lying, with icons or a picture."""
    body = pen.part(0.26, 0, 0.74, 1) if rng.random() < 0.7 else pen.part(0, 0.24, 1, 0.76)
    body.box(colour, 0, 0, 1, 1, 0.08)
    screen = body.part(0.08, 0.1, 0.92, 0.88)
    draw_screen(screen, rng)
    if rng.random() < 0.6:
        for x in (0.1, 0.4, 0.7):
            for y in (0.1, 0.3, 0.5):
                screen.box(pick(rng, PAINTS), x, y, x + 0.2, y + 0.13)
    body.disc(shade(colour, 1.6), 0.5, 0.94, 0.03)


def draw_television(pen: Pen, _colour: Colour, rng: Generator) -> None:
    """Draw a flat television on a foot, a bench or the wall."""
    frame = pick(rng, (Ink.BLACK, Ink.BLACK, Ink.GREY))
    if rng.random() < 0.7:
        pen.box(frame, 0.45, 0.7, 0.55, 0.92)
        pen.box(frame, 0.28, 0.9, 0.72, 0.96)
    pen.box(frame, 0, 0, 1, 0.8, 0.03)
    draw_screen(pen.part(0.03, 0.04, 0.97, 0.75), rng)


def draw_guitar(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a guitar, at times in front of its amplifier."""
    if rng.random() < 0.5:
        pen.box(Ink.BLACK, 0.5, 0.45, 1, 1, 0.02)
        pen.box(shade(Ink.GREY, 0.7), 0.54, 0.6, 0.96, 0.96)
        for x in (0.58, 0.68, 0.78, 0.88):
            pen.disc(Ink.YELLOW, x, 0.52, 0.02)
    pen.line(Ink.WALNUT, 0.05, (0.32, 0.75), (0.4, 0.06))
    pen.box(Ink.BLACK, 0.35, 0, 0.46, 0.1)
    pen.oval(colour, 0.1, 0.62, 0.54, 1)
    pen.oval(colour, 0.16, 0.44, 0.52, 0.76)
    pen.oval(shade(colour, 1.05), 0.18, 0.55, 0.5, 0.8)
    pen.disc(Ink.BLACK, 0.34, 0.68, 0.06)
    pen.line(Ink.WHITE, 0.008, (0.32, 0.9), (0.4, 0.05))
