"""Confusion Driven Probabilistic Fusion (Kannan et al., 2011).

Of each pair of categories that the text classifier confuses most, a classifier of photos. Where the
text's two best categories are such a pair, they share their sum in proportion to the products of
both classifiers' probabilities; all else is the text's.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.fusion import linear
from adcat.learning import regression
from adcat.learning.regression import Rows
from adcat.probabilities import highest, log, softmax
from adcat.types import Labels, Probs, Vectors

Pairs: TypeAlias = Sequence[tuple[int, int]]  # the lower category first


def confused_pairs(
    o_txt: Probs, labels: Labels, known: NDArray[np.integer], count: int | None
) -> Pairs:
    """The pairs of categories that are mistaken for one another most often, in either direction.

    Args:
      o_txt: of ads that the text classifier has not seen: [n, categories].
      labels: [n]
      known: the categories that a pair may be of.
      count: of pairs, at most; None for as many as there are categories.
    """
    categories = o_txt.shape[1]
    mistakes = np.zeros((categories, categories), np.int64)
    np.add.at(mistakes, (labels, o_txt.argmax(axis=1)), 1)
    either = np.triu(mistakes + mistakes.T, 1)
    lacking = np.setdiff1d(np.arange(categories), known)
    either[lacking] = either[:, lacking] = 0
    most = highest(either.ravel(), categories if count is None else count)
    return [divmod(i, categories) for i in most[either.ravel()[most] > 0].tolist()]


def fit(
    vectors: Vectors, labels: Labels, rows: Rows, pairs: Pairs, strength: float, scale: float
) -> linear.Regression:
    """Fits a regression for each pair, on the training ads of its two categories.

    Args:
      vectors: of the photos of n training ads: [n, dimension].
      labels: [n]
      rows: the ads to learn from.
      pairs: each of two categories that these ads have.
      strength: the inverse of the regularisation's.
      scale: the length of the vectors.

    Returns:
      The log odds of the higher category, a column for each pair.
    """
    W, b = np.zeros((vectors.shape[1], len(pairs)), np.float32), np.zeros(len(pairs), np.float32)  # noqa: N806
    for column, pair in enumerate(pairs):
        here = rows[np.isin(labels[rows], pair)]
        is_higher = (labels == pair[1]).astype(np.int64)
        found = linear.fit([vectors], is_higher, here, 2, strength, scale).fitted
        W[:, column], b[column] = np.diff(found.weights[0])[:, 0], np.diff(found.b)[0]
    return linear.Regression(regression.Regression([W], b), scale)


def combine(
    vectors: Vectors, o_txt: Probs, pairs: Pairs, fitted: linear.Regression
) -> NDArray[np.float64]:
    """What text and the photos' classifiers say together: [n, categories].

    Args:
      vectors: of the photos: [n, dimension].
      o_txt: [n, categories].
      pairs: of categories.
      fitted: their classifiers.
    """
    probs, categories = o_txt.astype(np.float64), o_txt.shape[1]
    columns = np.full((categories, categories), -1)
    for column, pair in enumerate(pairs):
        columns[tuple(pair)] = column
    best = np.sort(highest(o_txt, 2), axis=1)
    column = columns[tuple(best.T)]
    rows = np.flatnonzero(column >= 0)
    log_odds = fitted.scores([vectors[rows]])[np.arange(len(rows)), column[rows]]
    places = rows[:, None], best[rows]
    both = probs[places]
    shares = softmax(log(both) + np.stack([np.zeros(len(rows)), log_odds], axis=1))
    probs[places] = shares * both.sum(axis=1, keepdims=True)
    return probs
