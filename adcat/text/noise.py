"""The noise augmentation (thesis, section 4.3.1, after Gillick et al.).

Each training text is followed by a copy in which characters are replaced at random. The thesis
leaves open which: here each character except the blank, independently and with the same
probability, by any character of the training texts with equal chance.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.settings import option
from adcat.text.corpus import Corpus


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """An option of every text model."""

    augment_noise: float = option(
        0.0,
        "Add a copy of every training text with this share of its characters replaced at random.",
        low=0,
        high=1,
        panel="Text model",
    )

    @property
    def copies(self) -> int:
        """How often each training text occurs."""
        return 2 if self.augment_noise else 1


def with_noise(corpus: Corpus, probability: float, alphabet: str, seed: int) -> Corpus:
    """Doubles a corpus: each text is followed by its noisy copy, with the same category."""

    def texts() -> Iterator[list[str]]:
        random = np.random.default_rng(seed)
        for block in corpus.texts():
            copies = noisy_copies(block, probability, alphabet, random)
            yield [text for pair in zip(block, copies, strict=True) for text in pair]

    return dataclasses.replace(corpus, texts=texts, labels=np.repeat(corpus.labels, 2))


def noisy_copies(
    texts: Sequence[str], probability: float, alphabet: str, random: np.random.Generator
) -> list[str]:
    """Replaces characters of cleaned texts at random: [n].

    One draw u per character, blanks and ends of texts included, so that the result does not depend
    on the blocks that the texts come in. u < P decides that a character is replaced; u/P, which is
    then uniform over [0, 1), decides by which.
    """
    codes = _codes("".join(f"{text}\n" for text in texts))
    u = random.random(len(codes))
    replaced = np.flatnonzero((u < probability) & (codes > ord(" ")))
    letters = _codes(alphabet)
    codes[replaced] = letters[(u[replaced] / probability * len(letters)).astype(np.int64)]
    return codes.tobytes().decode("utf-32-le").split("\n")[:-1]


def _codes(text: str) -> NDArray[np.uint32]:
    """The text's code points, as an array that can be changed."""
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).copy()
