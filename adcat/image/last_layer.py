"""The last layer on a frozen network's vectors, fitted: the strength of its prior is chosen.

A regression on vectors about their mean, with a Gaussian prior on its weights. Its strength is the
one with the least out-of-fold loss: by ads and photos it differs a hundredfold.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import FOLDS, folds
from adcat.learning import regression
from adcat.learning.regression import MOST_SEARCHED, Array, log_loss, out_of_fold, reduced
from adcat.probabilities import softmax
from adcat.progress import Progress
from adcat.types import Labels, Probs, Vectors

BLOCK = 8192  # vectors in memory at a time
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # on vectors whose mean square length is 1
FLOOR = 0.01  # of the least spread of a direction, relative to the mean

Rows: TypeAlias = NDArray[np.int64]


class Scaling(NamedTuple):
    """How vectors are made comparable: x = (v - mean) / spread."""

    mean: NDArray[np.float64]  # [dimension]
    spread: NDArray[np.float64]  # [dimension]

    def of(self, vectors: Vectors) -> NDArray[np.float32]:
        """The scaled vectors: [n, dimension]."""
        return ((vectors - self.mean) / self.spread).astype(np.float32)


class LastLayer(NamedTuple):
    """Weights on vectors as they are."""

    kernel: NDArray[np.float32]  # [dimension, categories]
    bias: NDArray[np.float32]  # [categories]

    def probs(self, vectors: Vectors) -> Probs:
        """The probabilities of photos from their vectors [n, dimension]: [n, categories]."""
        return softmax(vectors @ self.kernel + self.bias)


class LabelledVectors(NamedTuple):
    """Vectors of training ads; of photos the central crops come first."""

    vectors: Vectors  # [crops × n, dimension]
    labels: Labels  # [n]
    groups: Rows  # the number of each photo's group, which stays in one fold: [n]
    scaling: Scaling


def scaling(vectors: Vectors, *, is_random: bool) -> Scaling:
    """The scaling of training vectors, after which their mean square length is 1.

    Args:
      vectors: [n, dimension].
      is_random: whether the network's weights are; then every direction is to count alike, however
        weak the network left it. Pretrained ones are on one scale, and do better left on it.
    """
    mean, variance = moments(vectors)
    if not is_random:
        return Scaling(mean, np.full_like(mean, np.sqrt(max(variance.sum(), 1e-12))))
    floor = max(np.square(FLOOR) * variance.mean(), 1e-12)  # keeps what hardly varies small
    return Scaling(mean, np.sqrt(len(mean) * np.maximum(variance, floor)))


def search(photos: LabelledVectors, seed: int, progress: Progress) -> Mapping[float, float]:
    """The out-of-fold loss by strength of the prior, from strong priors to weak until it rises.

    With fewer than five photos there is nothing to choose by, and the strongest prior is taken.

    Args:
      photos: to learn from.
      seed: draws the photos, at most 4,000, and cuts the folds.
      progress: counts the strengths.
    """
    if len(np.unique(photos.groups)) < FOLDS:
        return {STRENGTHS[0]: math.nan}
    rows = np.sort(np.random.default_rng(seed).permutation(len(photos.labels))[:MOST_SEARCHED])
    x, y = photos.scaling.of(photos.vectors[rows]), photos.labels[rows]
    x = reduced([x]) if len(x) < x.shape[1] else x
    cuts, losses = list(folds(photos.groups[rows], FOLDS, seed)), dict[float, float]()
    with progress.task("strength of the prior", len(STRENGTHS), "strengths") as task:
        for strength in STRENGTHS:
            probs = out_of_fold(x, y, cuts, int(y.max()) + 1, strength)
            losses[strength] = log_loss(probs, y)
            task.advance(1, f"loss {losses[strength]:.4f}")
            if losses[strength] > min(losses.values()):
                break
    return losses


def fit(photos: LabelledVectors, rows: Rows, categories: int, strength: float) -> LastLayer:
    """Fits the layer on all crops of some photos.

    Args:
      photos: to learn from.
      rows: which of them.
      categories: how many.
      strength: of the prior.
    """
    count, scale = len(photos.labels), photos.scaling
    crops = (np.arange(0, len(photos.vectors), count)[:, None] + rows).ravel()
    labels = np.tile(photos.labels, len(photos.vectors) // count)

    def prepare(inputs: Sequence[Array]) -> list[Array]:
        return [scale.of(np.asarray(x)) for x in inputs]

    (W,), b = regression.fit(  # noqa: N806
        [photos.vectors], labels, crops, categories, strength, prepare
    )
    known = np.isfinite(b)
    b[~known] = b[known].min() - np.log(len(rows))  # as if one photo in as many were of it
    kernel = W / scale.spread[:, None]
    return LastLayer(kernel.astype(np.float32), (b - scale.mean @ kernel).astype(np.float32))


def out_of_fold_probs(
    photos: LabelledVectors, cuts: regression.Cuts, categories: int, strength: float
) -> Probs:
    """Probabilities of the photos by layers that did not see them: [n, categories].

    Args:
      photos: to learn from.
      cuts: those outside and inside of each fold.
      categories: how many.
      strength: of the prior.
    """
    probs = np.zeros((len(photos.labels), categories), np.float32)
    for seen, left_out in cuts:
        layer = fit(photos, seen, categories, strength)
        probs[left_out] = layer.probs(photos.vectors[left_out])
    return probs


def moments(vectors: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of every column, reading some rows at a time: [dimension] each."""
    starts = range(0, len(vectors), BLOCK)
    mean, variance = np.zeros((2, vectors.shape[1]))
    for start in starts:
        mean += vectors[start : start + BLOCK].sum(axis=0, dtype=np.float64) / len(vectors)
    for start in starts:
        variance += np.square(vectors[start : start + BLOCK] - mean).sum(axis=0) / len(vectors)
    return mean, variance
