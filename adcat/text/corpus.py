"""The ads that a text model is trained on."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.types import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class Corpus:
    """Cleaned texts and their categories; the texts are streamed, as they may exceed memory."""

    texts: Callable[[], Iterator[list[str]]]  # in blocks, from the first ad at each call
    labels: Labels  # [n]
    categories: int

    @property
    def counts(self) -> Labels:
        """How many ads each category has: [categories]."""
        return np.bincount(self.labels, minlength=self.categories)


def sample(corpus: Corpus, fraction: float, seed: int) -> Corpus:
    """A random share of the ads in their order, at least one ad where there are any."""
    ads = len(corpus.labels)
    order = np.random.default_rng(seed).permutation(ads)
    return subset(corpus, order[: max(1, round(fraction * ads))])


def subset(corpus: Corpus, rows: NDArray[np.integer]) -> Corpus:
    """Some of the ads, in their order."""
    chosen = np.zeros(len(corpus.labels), bool)
    chosen[rows] = True

    def texts() -> Iterator[list[str]]:
        start = 0
        for block in corpus.texts():
            here = chosen[start : start + len(block)]
            start += len(block)
            if here.any():
                yield [text for text, is_chosen in zip(block, here, strict=True) if is_chosen]

    return dataclasses.replace(corpus, texts=texts, labels=corpus.labels[chosen])


@dataclasses.dataclass(frozen=True, slots=True)
class TextFacts:
    """Facts about the texts, from which settings follow."""

    ads: int
    categories: int
    words: int  # running words, not distinct ones
    length: int = 0  # words that 95 % of the texts do not exceed
    alphabet: str = ""  # every character except the blank, sorted


def measure(corpus: Corpus) -> TextFacts:
    """Reads the texts once and counts."""
    lengths, alphabet = Counter[int](), set[str]()
    for texts in corpus.texts():
        lengths.update(len(text.split()) for text in texts)
        alphabet.update(*texts)
    return TextFacts(
        ads=len(corpus.labels),
        categories=corpus.categories,
        words=sum(length * texts for length, texts in lengths.items()),
        length=_percentile(lengths, 0.95),
        alphabet="".join(sorted(alphabet - {" "})),
    )


def _percentile(counts: Counter[int], share: float) -> int:
    """The lowest value that this share of the counted values does not exceed."""
    ordered = sorted(counts)
    reached = np.cumsum([counts[value] for value in ordered])
    return ordered[np.searchsorted(reached, share * reached[-1])] if ordered else 0


def passes(seen: int, count: int, low: int, high: int) -> int:
    """How many passes over `count` texts or words see as many as `seen`, from low to high."""
    return int(np.clip(round(seen / max(1, count)), low, high))


def check_categories(corpus: Corpus, least: int = 1) -> None:
    """Checks that at least two categories have enough ads.

    Raises:
      BadInputError: fewer than two categories have `least` ads.
    """
    enough = np.count_nonzero(corpus.counts >= least)
    if enough < 2:
        raise BadInputError(
            f"a classifier needs training ads of at least two categories; {enough} of "
            f"{corpus.categories} have {least} or more; split again: adcat split ADS"
        )
