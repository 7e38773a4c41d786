"""Makes the sample: 400 synthetic ads with small drawn photos, the same bytes on every run."""

import csv
import io
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from pen import pick
from scenes import photograph

SEED = 1977
HERE = Path(__file__).parent
COLUMNS = ("id", "title", "description", "category", "image")
JPEG_QUALITY = 78
SPLIT_COMPOUND, MISSPELT = 0.25, 0.06  # chances per compound and per word
# What an ad says: both speak, its text says little, its photo says little, neither says much.
KINDS = {"clear": 0.63, "thin text": 0.27, "thin photo": 0.08, "thin both": 0.02}
WRONG_LABELS, REPOSTS, REWRITTEN = 8, 5, 2


@dataclass(frozen=True)
class Category:
    """One category: how many ads, what is drawn, and the words its sellers use."""

    name: str
    count: int
    product: str
    family: str
    nouns: list[str]
    brands: list[str]
    details: list[str]
    confused_with: str


@dataclass(frozen=True)
class Ad:
    """One ad before it is written: its words, its category and its photo as JPEG bytes."""

    title: str
    description: str
    category: str
    photo: bytes | None
    flaw: str = ""


WORDS = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
CATEGORIES = tuple(Category(**row) for row in WORDS["categories"])


def fill(text: str, rng: Generator) -> str:
    """Return the text with numbers, and another product's name, in place of its fields."""
    other = pick(rng, pick(rng, CATEGORIES).nouns)
    return text.format(
        year=rng.integers(1996, 2016),
        price=100 * rng.integers(1, 90),
        miles=rng.integers(4000, 30000),
        few=rng.integers(2, 9),
        rim=rng.integers(14, 20),
        bolt=pick(rng, (100, 108, 112)),
        horse=5 * rng.integers(2, 30),
        memory=pick(rng, (8, 16, 32)),
        other=other,
        inches=rng.integers(20, 66),
        length=5 * rng.integers(8, 48),
        height=5 * rng.integers(8, 44),
    )


def misspell(word: str, rng: Generator) -> str:
    """Return the word with a letter lost, doubled, swapped or without its dots."""
    if len(word) < 5 or not word.isalpha():
        return word
    place = int(rng.integers(1, len(word) - 1))
    head, letter, following, tail = word[:place], word[place], word[place + 1], word[place + 2 :]
    return pick(
        rng,
        (
            head + following + tail,
            head + letter + letter + following + tail,
            head + following + letter + tail,
            word.translate(str.maketrans("åäöÅÄÖ", "aaoAAO")),
        ),
    )


def type_carelessly(text: str, rng: Generator) -> str:
    """Return the text as a hurried seller types it: split compounds and misspellings."""
    joined = "".join(
        (" " if rng.random() < SPLIT_COMPOUND else "") if letter == "|" else letter
        for letter in text
    )
    words = (misspell(word, rng) if rng.random() < MISSPELT else word for word in joined.split())
    return " ".join(words)


def some(rng: Generator, items: list[str], least: int, most: int) -> list[str]:
    """Return a few of the items, each at most once, in random order."""
    count = min(len(items), int(rng.integers(least, most + 1)))
    return [items[number] for number in rng.permutation(len(items))[:count]]


def write_text(category: Category, rng: Generator, thin: bool) -> tuple[str, str]:
    """Return a title and a description; a thin text tells the family of goods or nothing."""
    family = WORDS["families"][category.family]
    sentences = some(rng, WORDS["common"], 1, 3)
    if not thin:
        title = f"{pick(rng, category.nouns)} {pick(rng, category.brands)}"
        sentences = (
            some(rng, category.details, 1, 2) + some(rng, family["sentences"], 0, 2) + sentences
        )
    elif rng.random() < 0.5:
        title, sentences = (
            f"{family['thing']} säljes",
            some(rng, family["sentences"], 1, 2) + sentences,
        )
    else:
        title = pick(rng, WORDS["mute_titles"])
    title, *sentences = (type_carelessly(fill(text, rng), rng) for text in (title, *sentences))
    return title[0].upper() + title[1:], " ".join(sentences)


def to_jpeg(name: str, rng: Generator, thin: bool) -> bytes:
    """Return a new photo of a product as the bytes of a JPEG file."""
    file = io.BytesIO()
    photograph(name, rng, thin).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def make_ad(category: Category, rng: Generator) -> Ad:
    """Return one ad, by chance with a text or a photo that says little."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    title, description = write_text(category, rng, kind in ("thin text", "thin both"))
    photo = to_jpeg(category.product, rng, kind in ("thin photo", "thin both"))
    return Ad(title, description, category.name, photo)


def make_ads() -> list[Ad]:
    """Return the sound ads of every category, each from its own random numbers."""
    return [
        make_ad(category, np.random.default_rng([SEED, row, number]))
        for row, category in enumerate(CATEGORIES)
        for number in range(category.count)
    ]


def spoil(ads: list[Ad], rng: Generator) -> list[Ad]:
    """Return the ads with wrong labels, reposts and bad images among them, shuffled."""
    by_name = {category.name: category for category in CATEGORIES}
    victims = iter(rng.permutation(len(ads)).tolist())
    for index in (next(victims) for _ in range(WRONG_LABELS)):
        label = by_name[ads[index].category].confused_with
        ads[index] = replace(ads[index], category=label, flaw="wrong label")
    for index in (next(victims) for _ in range(REPOSTS)):
        ads.append(replace(ads[index], flaw="repost"))
    for index in (next(victims) for _ in range(REWRITTEN)):
        title, description = write_text(by_name[ads[index].category], rng, thin=False)
        ads.append(
            Ad(title, description, ads[index].category, ads[index].photo, "rewritten repost")
        )
    cut, fake, bare = (next(victims) for _ in range(3))
    ads[cut] = replace(ads[cut], photo=(ads[cut].photo or b"")[:400], flaw="truncated image")
    ads[fake] = replace(ads[fake], photo=b"This is not a picture.\n", flaw="text named .jpg")
    ads[bare] = replace(ads[bare], photo=None, flaw="no image")
    return [ads[index] for index in rng.permutation(len(ads))]


def tell_flaw(name: str, ad: Ad, named: dict[str, Ad]) -> None:
    """Print what is deliberately wrong with an ad, and which ad it repeats."""
    twins = [twin for twin, other in named.items() if other.photo == ad.photo and twin != name]
    if ad.flaw:
        print(f"{name}: {ad.flaw}", *(twins if "repost" in ad.flaw else ()))


def rows_of(named: dict[str, Ad], folder: Path) -> Iterator[tuple[str, ...]]:
    """Write each ad's photo below the folder and yield its row of the table."""
    for name, ad in named.items():
        image = "" if ad.photo is None else f"images/{name}.jpg"
        if ad.photo is not None:
            (folder / image).write_bytes(ad.photo)
        tell_flaw(name, ad, named)
        yield name, ad.title, ad.description, ad.category, image


def main(folder: Path) -> None:
    """Make the sample in a folder, replacing the photos that are there."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("ad*.jpg"):
        old.unlink()
    ads = spoil(make_ads(), np.random.default_rng(SEED))
    named = {f"ad{number:03}": ad for number, ad in enumerate(ads, start=1)}
    with (folder / "ads.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows_of(named, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
