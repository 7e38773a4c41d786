"""Makes the sample: 400 synthetic ads with small drawn photos, the same bytes on every run."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from drawings import pick
from numpy.random import Generator
from scenes import photograph

SEED = 1977
HERE = Path(__file__).parent
COLUMNS = ("id", "title", "description", "category", "image")
JPEG_QUALITY = 78
SPLIT_COMPOUND, MISSPELT, MENTION = 0.25, 0.06, 0.25  # chances per compound, word and ad
# What an ad says: both speak, its text says little, its photo says little, neither says much.
KINDS = {"clear": 0.6, "thin text": 0.26, "thin photo": 0.11, "thin both": 0.03}
WRONG_LABELS, REPOSTS, REWRITTEN = 8, 5, 2


@dataclass(frozen=True)
class Category:
    """One category: how many ads, what is drawn, and the words its sellers use.

    A bar marks where a Swedish compound may be split by mistake.
    """

    name: str
    count: int
    product: str
    family: str
    nouns: tuple[str, ...]
    brands: tuple[str, ...]
    details: tuple[str, ...]
    confused_with: str


@dataclass(frozen=True)
class Ad:
    """One ad before it is written: its words, its category and its photo as JPEG bytes."""

    title: str
    description: str
    category: str
    photo: bytes | None
    flaw: str = ""


CATEGORIES = (
    Category(
        "Bilar (Cars)",
        95,
        "car",
        "vehicle",
        ("personbil", "kombi", "bil", "familje|bil", "halv|kombi"),
        ("Volvo V70", "Saab 9-5", "VW Golf", "Audi A4", "BMW 320", "Toyota Yaris"),
        (
            "Besiktigad och skattad, gått {miles} mil.",
            "Kam|rem bytt vid {miles} mil.",
            "Drag|krok, motor|värmare och {year} års modell.",
            "Automat, diesel, {year}.",
        ),
        "Däck & Fälg (Tires & Rims)",
    ),
    Category(
        "Soffa/Fåtölj/Soffmöbler (Sofa/Armchair/Sofa furniture)",
        47,
        "sofa",
        "furniture",
        ("soffa", "hörn|soffa", "fåtölj", "skinn|soffa", "tre|sits|soffa", "bädd|soffa"),
        ("IKEA Ektorp", "Mio", "Klippan", "Svenska Hem"),
        (
            "Skön att sitta i, avtag|bar klädsel.",
            "Klädsel i tyg, några kuddar ingår.",
            "Äkta läder, lite nött på arm|stöden.",
        ),
        "Säng & Sovrum (Bed & Bedroom)",
    ),
    Category(
        "Bord & Stolar (Tables & Chairs)",
        45,
        "table",
        "furniture",
        ("mat|bord", "köks|bord", "stolar", "mat|grupp", "soff|bord", "pinn|stolar"),
        ("IKEA Norden", "Mio", "Stolab", "Carl Malmsten"),
        (
            "Två iläggs|skivor och fyra stolar.",
            "Bords|skivan har några märken.",
            "Nya sitsar på stolarna, plats för {few} personer.",
        ),
        "Hyllor & Förvaring (Shelves & Storage)",
    ),
    Category(
        "Däck & Fälg (Tires & Rims)",
        37,
        "tyres",
        "vehicle",
        ("vinter|däck", "sommar|däck", "fälgar", "alu|fälgar", "dubb|däck"),
        ("Nokian", "Michelin", "Continental", "till Volvo V70", "till VW Golf"),
        (
            "Mönster|djup {few} mm, {rim} tum.",
            "Bult|mönster 5x{bolt}, på fälg.",
            "Dubbade, körda en säsong.",
        ),
        "Bilar (Cars)",
    ),
    Category(
        "Hyllor & Förvaring (Shelves & Storage)",
        34,
        "shelf",
        "furniture",
        ("bok|hylla", "hylla", "vitrin|skåp", "förvarings|hylla", "bok|hyllor"),
        ("IKEA Billy", "String", "IKEA Expedit", "Mio"),
        (
            "Flytt|bara hyll|plan, {few} stycken.",
            "Mycket plats för böcker och pärmar.",
            "Glas|dörrar och två lådor.",
        ),
        "Bord & Stolar (Tables & Chairs)",
    ),
    Category(
        "Säng & Sovrum (Bed & Bedroom)",
        27,
        "bed",
        "furniture",
        ("säng", "dubbel|säng", "kontinental|säng", "ram|madrass", "säng|gavel"),
        ("Hästens", "IKEA Malm", "Jensen", "Mio"),
        (
            "Bädd|madrass ingår, medium fast.",
            "Säng|ben och över|kast medföljer.",
            "Skön att sova i, använd i gäst|rum.",
        ),
        "Soffa/Fåtölj/Soffmöbler (Sofa/Armchair/Sofa furniture)",
    ),
    Category(
        "Barnvagnar & Tillbehör (Strollers & Accessories)",
        24,
        "stroller",
        "child",
        ("barn|vagn", "sitt|vagn", "ligg|del", "syskon|vagn", "sulky"),
        ("Emmaljunga", "Bugaboo", "Brio", "Teutonia"),
        (
            "Sufflett, regn|skydd och skötväska ingår.",
            "Luft|fyllda hjul, lätt att fälla ihop.",
            "Använd till ett barn.",
        ),
        "Bilar (Cars)",
    ),
    Category(
        "Motorbåt (Powerboat)",
        22,
        "boat",
        "vehicle",
        ("motor|båt", "snipa", "dag|tursbåt", "styr|pulpet|båt", "båt"),
        ("Uttern", "Buster", "Ryds", "Crescent"),
        (
            "Utombordare {horse} hk, {few} meter lång.",
            "Kapell, eko|lod och lanternor.",
            "Ligger i sjön, vinter|förvarad inne.",
        ),
        "Bilar (Cars)",
    ),
    Category(
        "Belysning (Lighting)",
        20,
        "lamp",
        "furniture",
        ("tak|lampa", "golv|lampa", "bords|lampa", "lamp|skärm", "tak|krona"),
        ("IKEA", "Luxo", "PH", "Orrefors"),
        (
            "Sladd med ström|brytare, E27.",
            "Lyser fint, glöd|lampa medföljer.",
            "Dimmer och textil|sladd.",
        ),
        "Hyllor & Förvaring (Shelves & Storage)",
    ),
    Category(
        "Telefoner (Telephones)",
        16,
        "phone",
        "electronics",
        ("mobil|telefon", "mobil", "telefon", "smart|phone"),
        ("iPhone 5", "Samsung Galaxy", "Sony Xperia", "Nokia Lumia"),
        (
            "Olåst, {memory} GB minne, skal ingår.",
            "Operatörs|låst, ny batteri|tid.",
            "Liten spricka i glaset, tar alla sim|kort.",
        ),
        "TV & Projektor (TV & Projector)",
    ),
    Category(
        "TV & Projektor (TV & Projector)",
        13,
        "television",
        "electronics",
        ("tv", "platt|tv", "led|tv", "projektor"),
        ("Samsung", "Sony Bravia", "Philips", "LG"),
        (
            "{inches} tum, full HD, fjärr|kontroll ingår.",
            "Vägg|fäste och två HDMI uttag.",
            "Smart TV med bra bild.",
        ),
        "Telefoner (Telephones)",
    ),
    Category(
        "Gitarr, Bas, Förstärkare (Guitar, Base, Amplifier)",
        13,
        "guitar",
        "electronics",
        ("el|gitarr", "gitarr", "förstärkare", "el|bas", "akustisk gitarr"),
        ("Fender", "Gibson", "Yamaha", "Marshall"),
        (
            "Nya strängar, gig|bag ingår.",
            "{horse} watt, rör|förstärkare.",
            "Lättspelad hals, fin ton.",
        ),
        "Belysning (Lighting)",
    ),
)
FAMILY_WORDS = {
    "furniture": (
        "möbel",
        (
            "Bredd {length} cm, höjd {length} cm.",
            "Massiv ek, betsad.",
            "Rök och djur|fritt hem.",
            "Säljes på grund av flytt, får ej plats.",
            "Köpt på IKEA {year}.",
            "Vit|målad, mycket fint skick.",
        ),
    ),
    "vehicle": (
        "till fordonet",
        (
            "Servad och redo för säsongen.",
            "Köpt ny {year}.",
            "Motor och el fungerar.",
            "Passar Volvo och Saab.",
            "Står i garage, visas på kvällar.",
        ),
    ),
    "child": ("barn|sak", ("Rök och djur|fritt hem.", "Tvättad och fin.", "Köpt ny {year}.")),
    "electronics": (
        "elektronik",
        (
            "Laddare och kartong medföljer.",
            "Köpt {year}, kvitto finns.",
            "Fungerar perfekt.",
            "Svart, {inches} cm, lite repor.",
        ),
    ),
}
MUTE_TITLES = (
    "Säljes",
    "Fin sak säljes billigt",
    "Måste bort",
    "Säljes omgående",
    "Se bilden",
    "Bra skick",
)
COMMON = (
    "Pris {price} kr.",
    "Ring eller maila för mer information.",
    "Hämtas i Uppsala.",
    "Först till kvarn!",
    "Bud från {price} kr.",
    "Bra skick, se bild.",
    "Kan skickas mot frakt.",
    "Mötes upp i stan.",
    "Säljer även {other}.",
    "Pris kan diskuteras vid snabb affär.",
)
"""Sentences that any seller writes, whatever is for sale."""


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


def some(rng: Generator, items: tuple[str, ...], least: int, most: int) -> list[str]:
    """Return a few of the items, each at most once, in random order."""
    count = min(len(items), int(rng.integers(least, most + 1)))
    return [items[number] for number in rng.permutation(len(items))[:count]]


def write_text(category: Category, rng: Generator, thin: bool) -> tuple[str, str]:
    """Return a title and a description; a thin text tells the family of goods or nothing."""
    thing, family_sentences = FAMILY_WORDS[category.family]
    sentences = some(rng, COMMON, 1, 3)
    if not thin:
        title = f"{pick(rng, category.nouns)} {pick(rng, category.brands)}"
        sentences = (
            some(rng, category.details, 0, 2) + some(rng, family_sentences, 0, 2) + sentences
        )
    elif rng.random() < 0.5:
        title, sentences = f"{thing} säljes", some(rng, family_sentences, 1, 2) + sentences
    else:
        title = pick(rng, MUTE_TITLES)
    title, *sentences = (type_carelessly(fill(text, rng), rng) for text in (title, *sentences))
    return title[0].upper() + title[1:], " ".join(sentences)
