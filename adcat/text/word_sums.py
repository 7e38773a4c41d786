"""fastText's hidden vectors of many texts at once."""

from collections import defaultdict
from collections.abc import Sequence, Sized
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_array

END_OF_LINE = "</s>"  # has a vector as well, unless --min-count is above the number of ads
MAX_WORDS = 200_000  # remembered; 80 MB for vectors of length 100


class WordSums:
    """Per word: how many vectors it has (its own and its n-grams') and their sum.

    Words come again and again, so theirs are remembered; the sums of texts are then one product of
    sparse matrices. `get_word_vector` would not do: it gives the mean scaled to length 1.
    """

    def __init__(self, trained: Any, input_matrix: NDArray[np.float32]) -> None:
        """Starts with no words.

        Args:
          trained: fastText's model.
          input_matrix: its vectors: [words + buckets, dim].
        """
        self._subwords = trained.f.getSubwords
        self._input_matrix = input_matrix
        self._forget()

    def means(self, texts: Sequence[str]) -> Vectors:
        """The mean of the vectors of each text's words and of its end: [n, dim]."""
        if len(self._numbers) > MAX_WORDS:
            self._forget()
        words = [[*text.split(), END_OF_LINE] for text in texts]
        numbers = np.fromiter(map(self._numbers.__getitem__, chain.from_iterable(words)), np.int32)
        self._learn(list(self._numbers)[len(self._sums) :])
        times = _counts(words, numbers, len(self._sums))  # a word in a text: [n, words]
        return (times @ self._sums) / np.maximum(times @ self._sizes, 1)

    def _forget(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__  # a new word gets the next number
        self._sums = np.zeros((0, self._input_matrix.shape[1]), dtype=np.float32)
        self._sizes = np.zeros((0, 1), dtype=np.float32)

    def _learn(self, words: Sequence[str]) -> None:
        indices = [self._subwords(word, "strict")[1] for word in words]
        flat = np.fromiter(chain.from_iterable(indices), np.int32)
        times = _counts(indices, flat, len(self._input_matrix))  # a vector in a word
        self._sums = np.concatenate([self._sums, times @ self._input_matrix])
        self._sizes = np.concatenate([self._sizes, times.sum(axis=1)[:, None]])


def _counts(rows: Sequence[Sized], flat: NDArray[np.int32], columns: int) -> "csr_array":
    """How often each number is in each row: [rows, columns]; `flat` holds the rows' numbers."""
    from scipy.sparse import csr_array

    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return csr_array((np.ones(len(flat), np.float32), flat, ends), shape=(len(rows), columns))
