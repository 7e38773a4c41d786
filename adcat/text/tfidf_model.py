"""TF-IDF of words or of character n-grams with logistic regression: what a user would try first.

The probabilities are softmax(W x + b) of a text's TF-IDF values x; the text vector is x projected
on the first right singular vectors of the training texts' values.
"""

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.files import save_array
from adcat.probabilities import softmax
from adcat.text.corpus import Corpus, TextFacts, check_categories
from adcat.text.tfidf_settings import TfidfSettings
from adcat.types import Labels, Probs, TextLayer, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

AnySettings = TypeVar("AnySettings", bound=TfidfSettings)

VOCABULARY, ANALYZER = "vocabulary.txt", "analyzer.txt"
ARRAYS = ("idf", "W", "b", "V")
FILES = (VOCABULARY, ANALYZER, *(f"{name}.npy" for name in ARRAYS))
MAX_WEIGHTS = 10_000_000  # the solver holds some 25 copies of 8 bytes each: 2 GB
MAX_COUNTED = 5_000_000  # different terms that are counted at a time: 1 GB
MAX_ITERATIONS = 1000
SHORTEST, LONGEST = 2, 5  # character n-grams; 2 to 4, 3 to 5 and 1 to 4 predict no better


def resolve(settings: AnySettings, facts: TextFacts) -> AnySettings:
    """Fills in what follows from the data: as many terms as the solver's memory allows for."""
    features = settings.tfidf_max_features or max(1, MAX_WEIGHTS // facts.categories)
    return dataclasses.replace(settings, tfidf_max_features=features)


def words_and_pairs(text: str) -> list[str]:
    """The words and the word pairs of a cleaned text, one-letter words (sizes, counts) too."""
    words = text.split()
    return words + [f"{first} {second}" for first, second in itertools.pairwise(words)]


def character_ngrams(text: str) -> list[str]:
    """The runs of 2 to 5 characters of every word, which has a blank on either side."""
    words = (f" {word} " for word in text.split())
    return [
        word[start : start + n]
        for word in words
        for n in range(SHORTEST, min(LONGEST, len(word)) + 1)
        for start in range(len(word) - n + 1)
    ]


ANALYZERS: Mapping[str, Callable[[str], list[str]]] = {
    "word": words_and_pairs,
    "char": character_ngrams,
}


@dataclasses.dataclass(frozen=True)
class TfidfModel:
    """A trained regression and what its inputs are made with."""

    vocabulary: Sequence[str]  # by column
    idf: NDArray[np.float32]  # [terms]
    W: NDArray[np.float32]  # [categories, terms]
    b: NDArray[np.float32]  # [categories]; -inf where there was no training ad
    V: NDArray[np.float32]  # [dimension, terms]
    analyzer: str = "word"  # what makes the terms of a text
    layer: TextLayer = "vectors"

    @functools.cached_property
    def _vectorizer(self) -> Any:
        return _vectorizer(self.analyzer, self.vocabulary, self.idf)

    @property
    def dimension(self) -> int:
        """The length of a text vector."""
        return len(self.b) if self.layer == "logits" else len(self.V)

    def terms(self, texts: Sequence[str]) -> "csr_matrix":
        """What the regression reads: L2-normalised TF-IDF values of cleaned texts, [n, terms].

        A text without a known term has the zero vector.
        """
        from scipy.sparse import csr_matrix

        empty = csr_matrix((0, len(self.idf)), dtype=np.float32)
        return self._vectorizer.transform(texts) if len(texts) else empty

    def features(self, texts: Sequence[str]) -> tuple[Vectors, Probs]:
        """Text vectors [n, dimension] and probabilities [n, categories] of cleaned texts.

        A text without a known term has the zero vector. A category without training ads has
        probability 0 and logit 0.
        """
        x = self.terms(texts)
        logits = x @ self.W.T + self.b
        vectors = (
            np.where(np.isfinite(self.b), logits, 0) if self.layer == "logits" else x @ self.V.T
        )
        return np.asarray(vectors, np.float32), np.asarray(softmax(logits), np.float32)

    def save(self, folder: Path) -> None:
        """Writes the terms, one a line, what makes them, and the arrays."""
        (folder / ANALYZER).write_text(self.analyzer)
        (folder / VOCABULARY).write_text("\n".join(self.vocabulary), encoding="utf-8")
        for name in ARRAYS:
            save_array(folder / f"{name}.npy", getattr(self, name))


def load(folder: Path, categories: int, layer: TextLayer = "vectors") -> TfidfModel:
    """Reads what `TfidfModel.save` wrote; earlier versions knew only words and word pairs.

    Raises:
      ValueError: its terms are made in an unknown way.
    """
    del categories
    path = folder / ANALYZER
    analyzer = path.read_text(encoding="utf-8") if path.exists() else "word"
    if analyzer not in ANALYZERS:
        raise ValueError(f"{ANALYZER}: expected {' or '.join(ANALYZERS)}, found {analyzer!r}")
    vocabulary = (folder / VOCABULARY).read_text(encoding="utf-8").split("\n")
    arrays = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS)
    return TfidfModel(vocabulary, *arrays, analyzer=analyzer, layer=layer)


def train(corpus: Corpus, settings: TfidfSettings, seed: int, scratch: Path) -> TfidfModel:
    """Trains on a corpus with settings in which nothing is left open.

    Raises:
      BadInputError: the ads are of fewer than two categories, or no term is in enough ads.
    """
    from scipy.sparse import vstack
    from sklearn.utils.extmath import randomized_svd

    del scratch
    check_categories(corpus)
    frequencies = document_frequencies(corpus, settings)
    vocabulary, df = list(frequencies), np.array(list(frequencies.values()))
    idf = (np.log((1 + len(corpus.labels)) / (1 + df)) + 1).astype(np.float32)
    vectorizer = _vectorizer(settings.analyzer, vocabulary, idf)
    x = vstack([vectorizer.transform(texts) for texts in corpus.texts()], format="csr")
    W, b = _regression(x, corpus, settings.tfidf_c)  # noqa: N806
    size = min(settings.tfidf_components, *x.shape)
    V = randomized_svd(x, size, random_state=seed)[2]  # noqa: N806
    return TfidfModel(vocabulary, idf, W, b, V.astype(np.float32), settings.analyzer)


def document_frequencies(
    corpus: Corpus, settings: TfidfSettings, max_counted: int = MAX_COUNTED
) -> dict[str, int]:
    """How many texts have each term that is kept, by term in the order of the alphabet.

    Where there are too many terms to count, those that were seen once so far are forgotten.

    Raises:
      BadInputError: none is in enough texts.
    """
    counts, terms_of = Counter[str](), ANALYZERS[settings.analyzer]
    for texts in corpus.texts():
        for text in texts:
            counts.update(set(terms_of(text)))
        if len(counts) > max_counted:
            counts = Counter({term: count for term, count in counts.items() if count > 1})
    least = settings.tfidf_min_df
    kept = {term: count for term, count in counts.items() if count >= least}
    if not kept:
        raise BadInputError(f"no word is in {least} training ads; type: --tfidf-min-df 1")
    first = sorted(kept, key=lambda term: (-kept[term], term))[: settings.tfidf_max_features]
    return {term: kept[term] for term in sorted(first)}


def _vectorizer(analyzer: str, vocabulary: Sequence[str], idf: NDArray[np.float32]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    columns = {term: column for column, term in enumerate(vocabulary)}
    vectorizer = TfidfVectorizer(
        analyzer=ANALYZERS[analyzer], vocabulary=columns, sublinear_tf=True, dtype=np.float32
    )
    vectorizer.idf_ = idf
    return vectorizer


def _regression(x: "csr_matrix", corpus: Corpus, c: float) -> tuple[Vectors, Vectors]:
    """The weights W and b; with two categories scikit-learn has those of the second only."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=MAX_ITERATIONS).fit(x, corpus.labels)
    known: Labels = fitted.classes_
    W = np.zeros((corpus.categories, x.shape[1]), np.float32)  # noqa: N806
    b = np.full(corpus.categories, -np.inf, np.float32)
    b[known] = 0
    learned = known[-len(fitted.coef_) :]
    W[learned], b[learned] = fitted.coef_, fitted.intercept_
    return W, b
