"""Runs the chain on many ads (the thesis has 900,000), and prints time, memory and disk space.

The ads are made up: 40 words each out of a Zipf vocabulary, of which some belong to the ad's
category, and a JPEG of 600 x 450 pixels each, whose colours do. For the text half of the chain
alone, many ads share a photo.

    python benchmarks/scale.py [--ads 90000] [--text-only] [--folder DIR]
"""

import argparse
import csv
import functools
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

CATEGORIES, PHOTOS, BLOCK = 193, 64, 10_000
VOCABULARY, WORDS, TITLE_WORDS = 100_000, 40, 5
OWN_WORDS, OWN_VOCABULARY = 6, 50  # of the words of an ad those that its category chooses
BLOCK_OF_PHOTOS = 500
TEXT = (("split", "ads.csv"), ("train-text",), ("extract-features", "--modality", "text"))
WHOLE = (
    ("split", "ads.csv"),
    ("train-text",),
    ("train-image", "--backbone", "efficientnet-lite0", "--stage", "head"),
    ("extract-features",),
    ("fuse", "--policy", "product-max"),
    ("fuse", "--policy", "stack"),
    ("fuse", "--policy", "nn"),
    ("evaluate",),
    ("error-groups",),
)


def make_table(folder: Path, ads: int, photos: int = PHOTOS, seed: int = 0) -> None:
    """Writes `ads.csv` and its photos, a block of ads at a time."""
    generator = np.random.default_rng(seed)
    categories_of_ads = zipf(generator, CATEGORIES, (ads,))
    make_photos(folder / "images", categories_of_ads[:photos])
    vocabulary = make_words(generator)
    with (folder / "ads.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "title", "description", "category", "image"))
        for start in range(0, ads, BLOCK):
            number = min(BLOCK, ads - start)
            categories = categories_of_ads[start : start + number]
            words = vocabulary[draw_words(generator, categories)]
            images = np.arange(start, start + number) % photos
            for i in range(number):
                title, description = words[i, :TITLE_WORDS], words[i, TITLE_WORDS:]
                writer.writerow(
                    (
                        f"ad{start + i:07d}",
                        " ".join(title),
                        " ".join(description),
                        f"category {categories[i]:03d}",
                        f"images/{images[i]}.jpg",
                    )
                )


def draw_words(generator: Generator, categories: NDArray[np.int64]) -> NDArray[np.int64]:
    """The words of each ad, as indices in the vocabulary: [ads, WORDS]."""
    words = zipf(generator, VOCABULARY, (len(categories), WORDS))
    own = zipf(generator, OWN_VOCABULARY, (len(categories), OWN_WORDS))
    positions = generator.permuted(np.tile(np.arange(WORDS), (len(categories), 1)), axis=1)
    own += OWN_VOCABULARY * (1 + categories[:, None])
    np.put_along_axis(words, positions[:, :OWN_WORDS], own, axis=1)
    return words


def zipf(generator: Generator, size: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Draws numbers below `size`, k with a probability proportional to 1 / (k + 1)."""
    cumulative = np.cumsum(1 / np.arange(1, size + 1))
    return np.searchsorted(cumulative, cumulative[-1] * generator.random(shape))


def make_words(generator: Generator) -> NDArray[np.object_]:
    """Different words of 3 to 12 letters: [VOCABULARY]."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzåäö"))
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(generator.choice(letters, generator.integers(3, 13)))] = None
    return np.array(list(words), object)


def make_photos(folder: Path, categories: NDArray[np.int64]) -> None:
    """Writes a JPEG for each category in the array: coarse patches about a colour of it."""
    folder.mkdir()
    with multiprocessing.get_context("spawn").Pool() as pool:
        write = functools.partial(write_photos, folder, categories)
        for _ in pool.imap_unordered(write, range(0, len(categories), BLOCK_OF_PHOTOS)):
            pass


def write_photos(folder: Path, categories: NDArray[np.int64], start: int) -> None:
    """Writes a block of photos."""
    from PIL import Image

    generator = np.random.default_rng([1, start])
    colours = np.random.default_rng(2).uniform(0, 255, (CATEGORIES, 3))
    for number in range(start, min(start + BLOCK_OF_PHOTOS, len(categories))):
        patches = generator.normal(colours[categories[number]], 60, (15, 20, 3)).clip(0, 255)
        photo = Image.fromarray(patches.astype(np.uint8)).resize((600, 450))
        photo.save(folder / f"{number}.jpg", quality=85)


def measure(folder: Path, command: tuple[str, ...]) -> tuple[float, float]:
    """Runs a command of adcat; returns its wall time in seconds and its peak memory in GB."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "adcat", "-w", "workspace", *command], cwd=folder
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1024**2


def size(folder: Path) -> float:
    """What the files of a folder take, in GB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1024**3


def main() -> None:
    """Makes the ads, runs the commands, prints the table."""
    options = argparse.ArgumentParser(description="Time, memory and disk space at scale.")
    options.add_argument("--ads", type=int, default=90_000, help="900,000 take hours")
    options.add_argument("--text-only", action="store_true", help="the text half of the chain")
    options.add_argument("--folder", type=Path, help="an empty folder to keep the result in")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        make_table(folder, given.ads, PHOTOS if given.text_only else given.ads)
        photos = size(folder / "images")
        print(f"{given.ads:,} ads, photos {photos:.2f} GB", flush=True)
        print(f"{'command':<28}{'seconds':>9}{'peak GB':>9}", flush=True)
        total = 0.0
        for command in TEXT if given.text_only else WHOLE:
            seconds, gigabytes = measure(folder, command)
            total += seconds
            name = " ".join(itertools.chain(command[:1], command[2:3] * (command[0] == "fuse")))
            print(f"{name:<28}{seconds:>9.1f}{gigabytes:>9.2f}", flush=True)
        print(f"{'all':<28}{total:>9.1f}\nworkspace {size(folder / 'workspace'):.2f} GB")


if __name__ == "__main__":
    main()
