"""The ads that a text model is trained on."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from adcat.errors import BadInputError
from adcat.types import Labels


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


def sample(corpus: Corpus, fraction: float, seed: int) -> Corpus:
    """A random share of the ads, one at least where there are any, in their order."""
    ads = len(corpus.labels)
    chosen = np.zeros(ads, bool)
    order = np.random.default_rng(seed).permutation(ads)
    chosen[order[: max(1, round(fraction * ads))]] = True

    def texts() -> Iterator[list[str]]:
        start = 0
        for block in corpus.texts():
            here = chosen[start : start + len(block)]
            yield [text for text, is_chosen in zip(block, here, strict=True) if is_chosen]
            start += len(block)

    return dataclasses.replace(corpus, texts=texts, labels=corpus.labels[chosen])


@dataclasses.dataclass(frozen=True, slots=True)
class TextFacts:
    """What settings that follow from the data follow from."""

    ads: int
    categories: int
    words: int  # all of them, not the different ones
    length: int = 0  # words that 95 % of the texts do not exceed
    alphabet: str = ""  # every character but the blank, sorted


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
    """The lowest value that this share of what was counted does not exceed."""
    ordered = sorted(counts)
    reached = np.cumsum([counts[value] for value in ordered])
    return ordered[np.searchsorted(reached, share * reached[-1])] if ordered else 0


def check_categories(corpus: Corpus, least: int = 1) -> None:
    """Checks that there is something to tell apart.

    Raises:
      BadInputError: fewer than two categories have `least` ads.
    """
    enough = np.count_nonzero(corpus.counts >= least)
    if enough < 2:
        raise BadInputError(
            f"a classifier needs training ads of two categories; {enough} of {corpus.categories} "
            f"have {least} or more; make another: adcat split ADS"
        )
