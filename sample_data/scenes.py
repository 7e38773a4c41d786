"""Photographs of drawn things: a place, clutter, the product, and the camera's faults."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from drawings import (
    BEIGE,
    BLACK,
    BLUE,
    BROWN,
    GLASS,
    GREEN,
    GREY,
    NAVY,
    OAK,
    ORANGE,
    PAINTS,
    PINE,
    PINK,
    PURPLE,
    RED,
    STEEL,
    TURQUOISE,
    WALNUT,
    WHITE,
    YELLOW,
    Colour,
    Drawing,
    Pen,
    draw_bed,
    draw_boat,
    draw_car,
    draw_guitar,
    draw_lamp,
    draw_phone,
    draw_shelf,
    draw_sofa,
    draw_stroller,
    draw_table,
    draw_television,
    draw_tyres,
    pick,
    shade,
)
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

SIZES = ((176, 132), (176, 132), (132, 176), (152, 152))
FINENESS = 2  # drawn this many times larger, then made smaller, which smooths the edges
STRANGE_PLACE, COMPANION = 0.12, 0.35  # chances of an unusual place and of another product


@dataclass(frozen=True)
class Product:
    """How one category's product looks and where it is photographed."""

    draw: Drawing
    shape: float  # width divided by height
    colours: tuple[Colour, ...]
    places: tuple[str, ...]
    beside: tuple[str, ...]


PRODUCTS = {
    "car": Product(
        draw_car,
        2.1,
        (RED, BLUE, STEEL, BLACK, WHITE, GREEN, NAVY, GREY),
        ("street", "street", "yard", "garage"),
        ("tyres", "boat", "stroller"),
    ),
    "sofa": Product(
        draw_sofa,
        1.7,
        (BEIGE, GREY, BROWN, RED, BLUE, BLACK, WHITE),
        ("room",),
        ("lamp", "table", "shelf", "television"),
    ),
    "table": Product(
        draw_table,
        1.5,
        (PINE, OAK, WALNUT, WHITE, BLACK),
        ("room", "room", "yard"),
        ("lamp", "shelf", "sofa"),
    ),
    "tyres": Product(
        draw_tyres,
        1.3,
        (BLACK,),
        ("garage", "garage", "yard", "street"),
        ("car", "shelf", "stroller"),
    ),
    "shelf": Product(
        draw_shelf,
        0.8,
        (PINE, OAK, WALNUT, WHITE, BLACK),
        ("room", "room", "garage"),
        ("lamp", "television", "sofa", "table"),
    ),
    "bed": Product(
        draw_bed,
        1.8,
        (PINK, BLUE, TURQUOISE, WHITE, PURPLE, GREY, RED),
        ("room",),
        ("lamp", "shelf", "table"),
    ),
    "stroller": Product(
        draw_stroller,
        1.0,
        (NAVY, RED, BLACK, TURQUOISE, PINK, BEIGE),
        ("yard", "street", "room"),
        ("car", "sofa", "bed"),
    ),
    "boat": Product(
        draw_boat, 2.0, (BLUE, RED, NAVY, TURQUOISE, GREEN), ("lake", "lake", "yard"), ("car",)
    ),
    "lamp": Product(
        draw_lamp,
        0.6,
        (WHITE, RED, YELLOW, TURQUOISE, BLACK, ORANGE),
        ("room", "room", "desk"),
        ("sofa", "table", "bed", "shelf"),
    ),
    "phone": Product(
        draw_phone, 1.0, (BLACK, WHITE, GREY, PINK), ("desk",), ("television", "guitar")
    ),
    "television": Product(
        draw_television, 1.5, (BLACK,), ("room", "desk"), ("shelf", "phone", "sofa")
    ),
    "guitar": Product(
        draw_guitar,
        0.9,
        (ORANGE, RED, BLACK, PINE, BLUE),
        ("room", "room", "garage"),
        ("television", "shelf", "lamp"),
    ),
}


def paint_room(pen: Pen, rng: Generator) -> None:
    """Paint a wall, a floor of boards and perhaps a window."""
    wall = shade(pick(rng, (WHITE, BEIGE, (196, 210, 196), (198, 206, 222), (226, 206, 196))), 0.98)
    floor, edge = shade(pick(rng, (PINE, OAK, WALNUT, GREY)), 0.9), rng.uniform(0.58, 0.74)
    pen.box(wall, -0.1, -0.1, 1.1, 1.1)
    pen.box(floor, -0.1, edge, 1.1, 1.1)
    for x in np.linspace(0, 1, 6):
        pen.line(shade(floor, 0.85), 0.006, (x, edge), (x * 1.8 - 0.4, 1))
    pen.line(WHITE, 0.025, (0, edge), (1, edge))
    if rng.random() < 0.5:
        x = rng.uniform(0, 0.7)
        pen.box(WHITE, x, 0.05, x + 0.3, 0.42)
        pen.box(GLASS, x + 0.02, 0.08, x + 0.28, 0.39)
        pen.line(WHITE, 0.02, (x + 0.15, 0.05), (x + 0.15, 0.4))


def paint_outdoors(pen: Pen, rng: Generator, ground: Colour) -> None:
    """Paint a sky, trees or a house, and the ground."""
    pen.box(pick(rng, ((150, 196, 232), (198, 208, 216), (120, 170, 220))), -0.1, -0.1, 1.1, 1.1)
    for _ in range(int(rng.integers(1, 5))):
        x, wide = rng.uniform(0, 1), rng.uniform(0.08, 0.16)
        pen.box(BROWN, x - 0.015, 0.35, x + 0.015, 0.6)
        pen.oval(shade(GREEN, rng.uniform(0.7, 1.3)), x - wide, 0.12, x + wide, 0.5)
    if rng.random() < 0.4:
        x, paint = rng.uniform(0, 0.6), pick(rng, (RED, YELLOW, WHITE))
        pen.box(paint, x, 0.24, x + 0.4, 0.6)
        pen.shape(BLACK, (x - 0.04, 0.25), (x + 0.2, 0.04), (x + 0.44, 0.25))
        pen.box(GLASS, x + 0.08, 0.32, x + 0.18, 0.44)
    pen.box(shade(ground, rng.uniform(0.85, 1.15)), -0.1, rng.uniform(0.5, 0.6), 1.1, 1.1)


def paint_street(pen: Pen, rng: Generator) -> None:
    """Paint a street of asphalt with a white line."""
    paint_outdoors(pen, rng, (122, 122, 126))
    pen.line(WHITE, 0.02, (0.1, 0.93), (0.9, 0.93))


def paint_yard(pen: Pen, rng: Generator) -> None:
    """Paint a yard of grass or gravel."""
    paint_outdoors(pen, rng, pick(rng, ((116, 156, 82), (116, 156, 82), (176, 164, 144))))


def paint_lake(pen: Pen, rng: Generator) -> None:
    """Paint a lake with waves."""
    paint_outdoors(pen, rng, (70, 120, 164))
    for _ in range(8):
        x, y = rng.uniform(0, 0.9), rng.uniform(0.64, 0.98)
        pen.line((150, 190, 216), 0.012, (x, y), (x + 0.1, y))


def paint_garage(pen: Pen, rng: Generator) -> None:
    """Paint a dim garage with a concrete floor and a wall of boards."""
    wall = pick(rng, ((150, 146, 138), (120, 108, 92), (170, 170, 166)))
    pen.box(wall, -0.1, -0.1, 1.1, 1.1)
    for x in np.linspace(0.1, 0.9, 6):
        pen.line(shade(wall, 0.85), 0.008, (x, 0), (x, 0.6))
    pen.box((142, 140, 136), -0.1, rng.uniform(0.55, 0.68), 1.1, 1.1)


def paint_desk(pen: Pen, rng: Generator) -> None:
    """Paint the top of a table or a cloth, seen from above."""
    top = pick(rng, (PINE, OAK, WALNUT, WHITE, BEIGE, (150, 164, 170)))
    pen.box(top, -0.1, -0.1, 1.1, 1.1)
    for y in rng.uniform(0, 1, 5):
        pen.line(shade(top, 0.92), 0.01, (0, y), (1, y + 0.03))


PLACES: dict[str, Callable[[Pen, Generator], None]] = {
    "room": paint_room,
    "street": paint_street,
    "yard": paint_yard,
    "lake": paint_lake,
    "garage": paint_garage,
    "desk": paint_desk,
}


def draw_plant(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a plant in a pot."""
    for lean in rng.uniform(-0.4, 0.4, 5):
        pen.line(GREEN, 0.1, (0.5, 0.7), (0.5 + lean, 0.1))
    pen.shape(colour, (0.25, 0.6), (0.75, 0.6), (0.66, 1), (0.34, 1))


def draw_carton(pen: Pen, _colour: Colour, _rng: Generator) -> None:
    """Draw a carton with tape on it."""
    pen.box((184, 146, 100), 0, 0.2, 1, 1)
    pen.shape((204, 168, 120), (0, 0.2), (0.15, 0), (0.9, 0), (1, 0.2))
    pen.box((214, 196, 150), 0.42, 0.2, 0.58, 0.6)


def draw_ball(pen: Pen, colour: Colour, _rng: Generator) -> None:
    """Draw a striped ball."""
    pen.disc(colour, 0.5, 0.7, 0.3)
    pen.line(WHITE, 0.08, (0.32, 0.62), (0.68, 0.78))


def draw_books(pen: Pen, _colour: Colour, rng: Generator) -> None:
    """Draw a pile of books."""
    for y in (0.85, 0.7, 0.55, 0.4):
        start = rng.uniform(0, 0.2)
        pen.box(pick(rng, PAINTS), start, y, start + 0.8, y + 0.15)


def draw_cat(pen: Pen, colour: Colour, _rng: Generator) -> None:
    """Draw a sitting cat."""
    pen.line(colour, 0.08, (0.7, 0.95), (0.98, 0.6))
    pen.oval(colour, 0.2, 0.4, 0.8, 1)
    pen.shape(colour, (0.3, 0.3), (0.3, 0), (0.5, 0.15), (0.7, 0), (0.7, 0.3))
    pen.oval(colour, 0.25, 0.12, 0.75, 0.5)
    for x in (0.4, 0.6):
        pen.disc(YELLOW, x, 0.28, 0.04)


def draw_mug(pen: Pen, colour: Colour, _rng: Generator) -> None:
    """Draw a mug."""
    pen.oval(shade(colour, 0.8), 0.55, 0.5, 0.95, 0.85)
    pen.box(colour, 0.2, 0.4, 0.75, 1, 0.08)


CLUTTER: tuple[Drawing, ...] = (
    draw_plant,
    draw_carton,
    draw_ball,
    draw_books,
    draw_cat,
    draw_mug,
)


def place_box(
    rng: Generator, size: tuple[int, int], shape: float, share: float
) -> tuple[float, ...]:
    """Return left, top, width and height of a thing standing somewhere near the floor."""
    width = share * min(size[0], size[1] * shape)
    height = width / shape
    left = rng.uniform(0.08 * size[0], max(0.09 * size[0], 0.92 * size[0] - width))
    bottom = rng.uniform(max(0.7 * size[1], height + 0.08 * size[1]), 0.92 * size[1])
    return left, bottom - height, width, height


def add_thing(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    rng: Generator,
    drawing: Drawing,
    shape: float,
    share: float,
    colours: tuple[Colour, ...],
) -> None:
    """Draw a thing somewhere in the picture at a share of its size."""
    pen = Pen(draw, *place_box(rng, size, shape, share), bool(rng.random() < 0.5))
    drawing(pen, pick(rng, colours), rng)


def add_clutter(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: Generator, most: int
) -> None:
    """Draw up to so many small things that are not for sale."""
    for _ in range(int(rng.integers(0, most + 1))):
        add_thing(draw, size, rng, pick(rng, CLUTTER), 1.0, rng.uniform(0.14, 0.28), PAINTS)


def develop(picture: Image.Image, size: tuple[int, int], rng: Generator, thin: bool) -> Image.Image:
    """Return the picture as a cheap camera takes it: tinted, grainy, at times blurred and dark."""
    if thin:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 9))))
    pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), dtype=np.float64)
    light = rng.uniform(0.4, 0.8) if thin else rng.uniform(0.75, 1.12)
    pixels = pixels * light * rng.uniform(0.92, 1.08, 3) + rng.normal(0, 4, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def photograph(name: str, rng: Generator, thin: bool) -> Image.Image:
    """Return a cluttered photo of a product, or one that says little about it."""
    product, size = PRODUCTS[name], pick(rng, SIZES)
    large = (size[0] * FINENESS, size[1] * FINENESS)
    picture = Image.new("RGB", large)
    draw = ImageDraw.Draw(picture)
    strange = thin or rng.random() < STRANGE_PLACE
    place = pick(rng, tuple(PLACES) if strange else product.places)
    PLACES[place](Pen(draw, 0, 0, *large), rng)
    if rng.random() < COMPANION:
        other = PRODUCTS[pick(rng, product.beside)]
        add_thing(draw, large, rng, other.draw, other.shape, rng.uniform(0.3, 0.42), other.colours)
    add_clutter(draw, large, rng, 3)
    if thin:
        add_thing(draw, large, rng, draw_carton, 1.2, rng.uniform(0.4, 0.8), PAINTS)
    else:
        add_thing(
            draw, large, rng, product.draw, product.shape, rng.uniform(0.5, 0.84), product.colours
        )
    add_clutter(draw, large, rng, 2)
    return develop(picture, size, rng, thin)
