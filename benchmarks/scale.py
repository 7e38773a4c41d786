"""Runs the text half of the chain on as many ads as the thesis has, and prints time and memory.

The ads are made up: 40 words each out of a Zipf vocabulary, of which some belong to the ad's
category, and photos that many ads share.

    python benchmarks/scale.py [--ads 900000] [--folder DIR]
"""

import argparse
import csv
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
COMMANDS = (
    ("split", "ads.csv"),
    ("train-text",),
    ("extract-features", "--modality", "text"),
)


def make_table(folder: Path, ads: int, seed: int = 0) -> None:
    """Writes `ads.csv` and its photos, a block of ads at a time."""
    generator = np.random.default_rng(seed)
    make_photos(folder / "images", generator)
    vocabulary = make_words(generator)
    with (folder / "ads.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "title", "description", "category", "image"))
        for start in range(0, ads, BLOCK):
            number = min(BLOCK, ads - start)
            categories = zipf(generator, CATEGORIES, (number,))
            words = vocabulary[draw_words(generator, categories)]
            images = generator.integers(PHOTOS, size=number)
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


def make_photos(folder: Path, generator: Generator) -> None:
    """Writes JPEGs of coarse random patches."""
    from PIL import Image

    folder.mkdir()
    for number in range(PHOTOS):
        patches = generator.integers(256, size=(15, 20, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((600, 450)).save(folder / f"{number}.jpg")


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


def main() -> None:
    """Makes the ads, runs the commands, prints the table."""
    options = argparse.ArgumentParser(description="Time and memory of the text half at scale.")
    options.add_argument("--ads", type=int, default=900_000)
    options.add_argument("--folder", type=Path, help="an empty folder to keep the result in")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        make_table(folder, given.ads)
        measured = [(command[0], *measure(folder, command)) for command in COMMANDS]
    print(f"{given.ads:,} ads\n{'command':<18}{'seconds':>9}{'peak GB':>9}")
    for name, seconds, gigabytes in measured:
        print(f"{name:<18}{seconds:>9.1f}{gigabytes:>9.2f}")


if __name__ == "__main__":
    main()
