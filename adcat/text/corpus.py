"""The ads that a text model is trained on."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from adcat.artifacts import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class Corpus:
    """Cleaned texts and their categories; the texts are streamed, for they may exceed memory."""

    texts: Callable[[], Iterator[list[str]]]  # block by block, from the first ad at every call
    labels: Labels  # [n]
    categories: int

    @property
    def counts(self) -> Labels:
        """How many ads each category has: [categories]."""
        return np.bincount(self.labels, minlength=self.categories)


@dataclasses.dataclass(frozen=True, slots=True)
class TextFacts:
    """What settings that follow from the data follow from."""

    words: int  # all of them, not the different ones
    alphabet: str  # every character but the blank, sorted


def measure(corpus: Corpus) -> TextFacts:
    """Reads the texts once and counts."""
    words, alphabet = 0, set[str]()
    for texts in corpus.texts():
        block = " ".join(texts)
        words += len(block.split())
        alphabet.update(block)
    return TextFacts(words, "".join(sorted(alphabet - {" "})))
