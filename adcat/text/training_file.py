"""The file that fastText trains on: one line per ad, in random order.

fastText learns from the lines in the order of the file, and a table that is sorted by category
would teach it little more than the last ones. The shuffle works on disk: each line goes to a
random pile, then the piles are shuffled in memory one by one.
"""

import contextlib
from pathlib import Path

import numpy as np

from adcat.text.corpus import Corpus

LABEL = "__label__"  # cleaned text has no underscore, so no ad can hold a label
LINES_PER_PILE = 100_000
MAX_PILES = 256  # each is an open file


def write_training_file(
    path: Path, corpus: Corpus, seed: int, lines_per_pile: int = LINES_PER_PILE
) -> None:
    """Writes `__label__<category index> <cleaned text>` for every ad, shuffled."""
    random = np.random.default_rng(seed)
    count = min(MAX_PILES, max(1, len(corpus.labels) // lines_per_pile))
    piles = [path.with_suffix(f".{i}") for i in range(count)]
    _distribute(corpus, piles, random)
    with path.open("wb") as file:
        for pile in piles:
            lines = pile.read_bytes().splitlines(keepends=True)
            file.writelines(lines[i] for i in random.permutation(len(lines)))
            pile.unlink()


def _distribute(corpus: Corpus, piles: list[Path], random: np.random.Generator) -> None:
    chosen = iter(random.integers(len(piles), size=len(corpus.labels)))
    labels = iter(corpus.labels)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(pile.open("w", encoding="utf-8")) for pile in piles]
        for texts in corpus.texts():
            for text, label, pile in zip(texts, labels, chosen, strict=False):
                files[pile].write(f"{LABEL}{label} {text}\n")
