"""Makes a task that only attention solves: photos of two things, of which the text names one.

Each photo shows two products of different categories and colours, each somewhere in a half of its
own, among clutter. The text names the colour of the one for sale, its category is
the ad's. So the text alone says nothing, the photo leaves two categories, and which of them it is
says only the text together with the place of a colour in the photo.

    python sample_data/make_planted.py FOLDER [ADS]
"""

import csv
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from make_sample import JPEG_QUALITY, WORDS, fill, some
from numpy.random import Generator
from pen import Colour, Ink, Pen, pick
from PIL import Image, ImageDraw
from places import PLACES
from scenes import CLUTTER, FINENESS, PRODUCTS, develop

SEED, ADS, SIDE = 2018, 3400, 128  # of a photo in pixels
THINGS = ("car", "sofa", "bed", "stroller", "boat", "lamp", "phone", "guitar")
COLOURS: dict[str, tuple[Colour, tuple[str, ...]]] = {  # and how sellers call them
    "red": (Ink.RED, ("röd", "röda", "rött")),
    "blue": (Ink.BLUE, ("blå", "blåa", "blått")),
    "green": (Ink.GREEN, ("grön", "gröna", "grönt")),
    "yellow": ((236, 196, 40), ("gul", "gula", "gult")),
    "purple": ((140, 60, 160), ("lila", "lilafärgad", "lilafärgade")),
}
TITLES = ("Säljer den {}", "{} säljes", "Den {} på bilden", "Fin {}", "{} i bra skick", "Bara {}")
SENTENCES = [text for text in WORDS["common"] if "{" not in text]
GREYS = (Ink.BLACK, Ink.WHITE, Ink.GREY, Ink.STEEL, Ink.BROWN)
SHARE = (0.36, 0.46)  # width or height of a thing, of the photo's side


class Thing(NamedTuple):
    """What is drawn, in which colour, and where: left, top, right, bottom as shares of the side."""

    name: str
    colour: str
    box: tuple[float, float, float, float]


def draw_things(rng: Generator) -> tuple[Image.Image, list[Thing]]:
    """Draw two things of different categories and colours, the one for sale first."""
    side = SIDE * FINENESS
    picture = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(picture)
    PLACES["desk"](Pen(draw, 0, 0, side, side), rng)
    for _ in range(int(rng.integers(0, 4))):
        left, top, width = *rng.uniform(0, 0.85, 2) * side, rng.uniform(0.1, 0.2) * side
        pick(rng, CLUTTER[:2])(Pen(draw, left, top, width, width), pick(rng, GREYS), rng)
    names, colours = rng.permutation(THINGS)[:2], rng.permutation(list(COLOURS))[:2]
    halves, is_upright = rng.permutation(2), rng.random() < 0.5
    things = []
    for name, colour, half in zip(names, colours, halves, strict=True):
        shape, share = PRODUCTS[name].shape, rng.uniform(*SHARE)
        width, height = share * min(1, shape), share / max(1, shape)
        x, y = rng.uniform(0.02, 0.48 - width), rng.uniform(0.02, 0.96 - height)
        left, top = (y, x) if is_upright else (x, y)
        if is_upright:
            left, top = rng.uniform(0.02, 0.96 - width), rng.uniform(0.02, 0.48 - height)
        left, top = left + half / 2 * (not is_upright), top + half / 2 * is_upright
        pen = Pen(draw, left * side, top * side, width * side, height * side, rng.random() < 0.5)
        PRODUCTS[name].draw(pen, COLOURS[colour][0], rng)
        things.append(Thing(str(name), str(colour), (left, top, left + width, top + height)))
    return develop(picture, (SIDE, SIDE), rng, thin=False), things


def write_text(colour: str, rng: Generator) -> tuple[str, str]:
    """Return a title and a description, of which one names the colour."""
    word = pick(rng, COLOURS[colour][1])
    named, sentences = (
        pick(rng, TITLES).format(word),
        some(rng, SENTENCES, 1, 3),
    )
    title = pick(rng, WORDS["mute_titles"]) if (is_below := rng.random() < 0.3) else named
    below = [f"{named}.", *sentences] if is_below else sentences
    return title[0].upper() + title[1:], " ".join(fill(text, rng) for text in below)


def main(folder: Path, ads: int) -> None:
    """Make the ads in a folder: the table, the photos, and the place of what is for sale."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (
        (folder / "ads.csv").open("w", encoding="utf-8", newline="") as table,
        (folder / "boxes.csv").open("w", encoding="utf-8", newline="") as boxes,
    ):
        rows, places = csv.writer(table), csv.writer(boxes)
        rows.writerow(("id", "title", "description", "category", "image"))
        places.writerow(("id", "left", "top", "right", "bottom"))
        for number in range(ads):
            rng, name = np.random.default_rng([SEED, number]), f"ad{number:05}"
            picture, (sold, _) = draw_things(rng)
            picture.save(folder / f"images/{name}.jpg", quality=JPEG_QUALITY)
            rows.writerow((name, *write_text(sold.colour, rng), sold.name, f"images/{name}.jpg"))
            places.writerow((name, *(f"{edge:.4f}" for edge in sold.box)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ADS)
