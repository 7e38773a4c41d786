"""Photographs of drawn things: a place, clutter, the product, and the camera's faults."""

from dataclasses import dataclass

import drawings
import numpy as np
from drawings import Drawing
from numpy.random import Generator
from pen import PAINTS, Colour, Ink, Pen, pick, shade
from PIL import Image, ImageDraw, ImageFilter
from places import PLACES

SIZES = ((176, 132), (176, 132), (176, 132), (132, 176), (152, 152))
FINENESS = 2  # drawn this many times larger, then made smaller, which smooths the edges
STRANGE_PLACE, COMPANION = 0.05, 0.25  # chances of an unusual place and of another product


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
        drawings.draw_car,
        2.1,
        (Ink.RED, Ink.RED, Ink.BLUE, Ink.STEEL, Ink.BLACK, Ink.WHITE),
        ("street", "street", "street", "street", "garage"),
        ("tyres", "stroller"),
    ),
    "sofa": Product(
        drawings.draw_sofa,
        1.7,
        (Ink.BROWN, Ink.BROWN, Ink.BEIGE, Ink.RED),
        ("living", "living", "living", "evening"),
        ("lamp", "table", "shelf"),
    ),
    "table": Product(
        drawings.draw_table,
        1.5,
        (Ink.PINE, Ink.OAK, Ink.WHITE),
        ("kitchen", "kitchen", "kitchen", "living"),
        ("lamp", "shelf", "sofa"),
    ),
    "tyres": Product(
        drawings.draw_tyres,
        1.3,
        (Ink.BLACK,),
        ("garage", "garage", "garage", "street"),
        ("car", "shelf", "stroller"),
    ),
    "shelf": Product(
        drawings.draw_shelf,
        0.8,
        (Ink.PINE, Ink.OAK, Ink.WALNUT, Ink.WHITE),
        ("study", "study", "study", "living"),
        ("lamp", "television", "table"),
    ),
    "bed": Product(
        drawings.draw_bed,
        1.8,
        (Ink.PINK, Ink.TURQUOISE, Ink.BLUE),
        ("bedroom", "bedroom", "bedroom", "living"),
        ("lamp", "shelf", "table"),
    ),
    "stroller": Product(
        drawings.draw_stroller,
        1.0,
        (Ink.NAVY, Ink.NAVY, Ink.RED, Ink.TURQUOISE),
        ("park", "park", "park", "park", "street"),
        ("car", "bed"),
    ),
    "boat": Product(
        drawings.draw_boat,
        2.0,
        (Ink.BLUE, Ink.RED, Ink.NAVY),
        ("lake", "lake", "lake", "lake", "street"),
        ("car",),
    ),
    "lamp": Product(
        drawings.draw_lamp,
        0.6,
        (Ink.WHITE, Ink.YELLOW, Ink.ORANGE, Ink.RED),
        ("evening", "evening", "evening", "bedroom"),
        ("sofa", "table", "bed"),
    ),
    "phone": Product(
        drawings.draw_phone,
        1.0,
        (Ink.BLACK, Ink.WHITE, Ink.GREY),
        ("desk", "desk", "desk", "kitchen"),
        ("television", "guitar"),
    ),
    "television": Product(
        drawings.draw_television,
        1.5,
        (Ink.BLACK,),
        ("media", "media", "media", "media", "evening", "living"),
        ("shelf", "phone"),
    ),
    "guitar": Product(
        drawings.draw_guitar,
        0.9,
        (Ink.ORANGE, Ink.RED, Ink.PINE),
        ("cellar", "cellar", "cellar", "study"),
        ("television", "shelf"),
    ),
}


def draw_plant(pen: Pen, colour: Colour, rng: Generator) -> None:
    """Draw a plant in a pot."""
    for lean in rng.uniform(-0.4, 0.4, 5):
        pen.line(Ink.GREEN, 0.1, (0.5, 0.7), (0.5 + lean, 0.1))
    pen.shape(colour, (0.25, 0.6), (0.75, 0.6), (0.66, 1), (0.34, 1))


def draw_carton(pen: Pen, _colour: Colour, _rng: Generator) -> None:
    """Draw a carton with tape on it."""
    pen.box((184, 146, 100), 0, 0.2, 1, 1)
    pen.shape((204, 168, 120), (0, 0.2), (0.15, 0), (0.9, 0), (1, 0.2))
    pen.box((214, 196, 150), 0.42, 0.2, 0.58, 0.6)


def draw_ball(pen: Pen, colour: Colour, _rng: Generator) -> None:
    """Draw a striped ball."""
    pen.disc(colour, 0.5, 0.7, 0.3)
    pen.line(Ink.WHITE, 0.08, (0.32, 0.62), (0.68, 0.78))


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
        pen.disc(Ink.YELLOW, x, 0.28, 0.04)


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
) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a thing standing somewhere near the floor."""
    width = share * min(size[0], size[1] * shape)
    height = width / shape
    left = rng.uniform(0.1, 0.9) * (size[0] - width)
    highest = min(0.94, max(0.7, height / size[1] + 0.05))
    bottom = rng.uniform(highest, 0.95) * size[1]
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
        add_thing(draw, size, rng, pick(rng, CLUTTER), 1.0, rng.uniform(0.14, 0.25), PAINTS)


def develop(picture: Image.Image, size: tuple[int, int], rng: Generator, thin: bool) -> Image.Image:
    """Return the picture as a cheap camera takes it: tinted, grainy, at times blurred and dark."""
    if thin:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 9))))
    pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), dtype=np.float64)
    light = rng.uniform(0.65, 1.0) if thin else rng.uniform(0.9, 1.06)
    pixels = pixels * light * rng.uniform(0.96, 1.04, 3) + rng.normal(0, 4, pixels.shape)
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
        add_thing(draw, large, rng, other.draw, other.shape, rng.uniform(0.28, 0.4), other.colours)
    add_clutter(draw, large, rng, 2)
    if thin:
        add_thing(draw, large, rng, draw_carton, 1.2, rng.uniform(0.4, 0.8), PAINTS)
    else:
        add_thing(
            draw, large, rng, product.draw, product.shape, rng.uniform(0.7, 0.95), product.colours
        )
    add_clutter(draw, large, rng, 2)
    return develop(picture, size, rng, thin)
