"""fastText's hidden vectors of many texts at once."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.text.ngrams import ngram_buckets
from adcat.types import Vectors

END_OF_LINE = "</s>"  # fastText's own word
MAX_WORDS = 200_000  # cached; 80 MB for vectors of length 100


class WordSums:
    """Per word: how many vectors it has (its own and its n-grams') and their sum.

    Words repeat, so their sums are cached; the sums of texts are then one sparse matrix product.
    `get_word_vector` would not do: it returns the mean scaled to length 1.
    """

    def __init__(self, trained: Any, input_matrix: NDArray[np.float32]) -> None:
        """Starts with no words.

        Args:
          trained: fastText's model.
          input_matrix: its vectors, those of the words before those of the n-grams: [rows, dim].
        """
        self._word_id = trained.f.getWordId
        self._args = trained.f.getArgs()
        self._input_matrix = input_matrix
        end = self._word_id(END_OF_LINE)  # -1 where --min-count is above the number of ads
        self._end = input_matrix[[end]] if end >= 0 else input_matrix[:0]
        self._forget()

    def means(self, texts: Sequence[str]) -> Vectors:
        """The mean of the vectors of each text's words and of its end: [n, dim]."""
        from scipy.sparse import csr_array

        if len(self._numbers) > MAX_WORDS:
            self._forget()
        words = [text.split() for text in texts]
        numbers = np.fromiter(map(self._numbers.__getitem__, chain.from_iterable(words)), np.int32)
        self._learn()
        ends = np.cumsum([0, *map(len, words)], dtype=np.int32)
        shape = (len(texts), len(self._sums))
        times = csr_array((np.ones(len(numbers), np.float32), numbers, ends), shape=shape)
        totals = times @ self._sums
        sums = totals[:, :-1] + self._end.sum(axis=0)
        return sums / np.maximum(totals[:, -1:] + len(self._end), 1)

    def _forget(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__  # a new word gets the next number
        self._learned = 0
        # By number: the sum of a word's vectors, then how many they are; with room for more words.
        self._sums = np.zeros((0, self._input_matrix.shape[1] + 1), dtype=np.float32)

    def _learn(self) -> None:
        """Adds the sums of the words that have a number only."""
        from scipy.sparse import coo_array

        new = slice(self._learned, len(self._numbers))
        words = list(islice(reversed(self._numbers), new.stop - new.start))[::-1]
        rows, args = len(self._input_matrix), self._args
        ids = np.array([self._word_id(word) for word in words], np.int64)
        known = np.flatnonzero(ids >= 0)
        positions, buckets = ngram_buckets(words, args.minn, args.maxn, args.bucket)
        of_words = np.concatenate([known, positions])
        vectors = np.concatenate([ids[known], rows - args.bucket + buckets])
        ones, shape = np.ones(len(vectors), np.float32), (len(words), rows)
        times = coo_array((ones, (of_words, vectors)), shape=shape).tocsr()  # a vector in a word
        if new.stop > len(self._sums):  # twice the room each time: few copies
            room = np.zeros((max(new.stop, len(self._sums)), self._sums.shape[1]), np.float32)
            self._sums = np.concatenate([self._sums, room])
        self._sums[new, :-1] = times @ self._input_matrix
        self._sums[new, -1] = times.sum(axis=1)
        self._learned = new.stop
