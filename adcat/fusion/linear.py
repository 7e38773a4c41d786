"""Logistic regression on a text's terms and its photo's vector side by side.

What early fusion is on few ads: p(c) ∝ exp(W_c x + b_c), where x is the terms' TF-IDF values beside
the image vector, both of length 1, the latter times `scale`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import FOLDS, folds
from adcat.errors import DivergedError
from adcat.probabilities import log, softmax
from adcat.progress import Progress
from adcat.types import Labels, Probs

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array: TypeAlias = "NDArray[np.float32] | csr_matrix"  # [n, columns]
Rows: TypeAlias = NDArray[np.int64]

BLOCK = 8192  # ads in memory at a time
MOST_SEARCHED = 4000  # ads
SCALES, STRENGTHS = (0.125, 0.25, 0.5, 1.0), (3.0, 10.0, 30.0, 100.0)
FIRST = 0.5  # the scale with which the strength is chosen
MOST_ITERATIONS = 500
TOLERANCE = 1e-6  # of the loss per ad: finer steps move no prediction


class Regression(NamedTuple):
    """What is fitted."""

    weights: Sequence[NDArray[np.float32]]  # of each input [columns, categories]
    b: NDArray[np.float32]  # [categories]; -inf where there was no training ad
    scale: float | None  # the length of image vectors

    def probs(self, inputs: Sequence[Array]) -> Probs:
        """The probabilities of some ads: [n, categories]."""
        x = _scaled(inputs, self.scale)
        return softmax(sum(x_i @ W_i for x_i, W_i in zip(x, self.weights, strict=True)) + self.b)


def fit(
    inputs: Sequence[Array],
    labels: Labels,
    rows: Rows,
    categories: int,
    strength: float,
    scale: float | None = None,
    iterations: int = MOST_ITERATIONS,
) -> Regression:
    """Fits the regression on some ads: min Σ_n -log p(y_n) + |W|² / (2 strength), by L-BFGS.

    Args:
      inputs: terms (sparse) and image vectors (dense) of n ads: [n, columns] each.
      labels: [n]
      rows: the ads to learn from.
      categories: how many.
      strength: the inverse of the regularisation's.
      scale: the length of image vectors; None leaves them as they are.
      iterations: at most.

    Raises:
      DivergedError: the minimum was not found.
    """
    from scipy.optimize import minimize

    known, targets = np.unique(labels[rows], return_inverse=True)
    columns = [x.shape[1] for x in inputs]
    size = (sum(columns) + 1, len(known))

    def block(start: int) -> tuple[list[Array], Labels]:
        here = rows[start : start + BLOCK]
        return _scaled([x[here] for x in inputs], scale), targets[start : start + BLOCK]

    starts = range(0, len(rows), BLOCK)
    first = block(0)  # is kept, since most often it is all

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        W, b = np.split(theta.reshape(size), [-1])  # noqa: N806
        parts = np.split(W, np.cumsum(columns)[:-1])
        value, gradient = float(np.vdot(W, W)) / (2 * strength), np.zeros(size)
        gradient[:-1] = W / strength
        parts_of_gradient = np.split(gradient[:-1], np.cumsum(columns)[:-1])
        single = [part.astype(np.float32) for part in parts]
        for start in starts:
            x, y = block(start) if start else first
            p = softmax(sum(x_i @ W_i for x_i, W_i in zip(x, single, strict=True)) + b)
            value -= float(log(p[np.arange(len(y)), y]).sum())
            p[np.arange(len(y)), y] -= 1
            gradient[-1] += p.sum(axis=0)
            for part, x_i in zip(parts_of_gradient, x, strict=True):
                part += x_i.T @ p.astype(np.float32)
        return value / len(rows), gradient.ravel() / len(rows)

    options = {"maxiter": iterations, "ftol": TOLERANCE, "gtol": TOLERANCE}
    found = minimize(loss, np.zeros(np.prod(size)), method="L-BFGS-B", jac=True, options=options)
    if not np.isfinite(found.x).all():
        raise DivergedError(f"linear found no weights: {found.message}")
    theta = np.zeros((size[0], categories), np.float32)
    theta[-1] = -np.inf
    theta[:, known] = found.x.reshape(size)
    W, b = np.split(theta, [-1])  # noqa: N806
    return Regression(np.split(W, np.cumsum(columns)[:-1]), b[0], scale)


def reduced(inputs: Sequence[Array], scale: float) -> NDArray[np.float32]:
    """Rows with the same inner products as the inputs of n ads, in as few columns: [n, at most n].

    The regression of them is the same, since its weights are a sum of its ads' inputs; with more
    columns than ads it costs a fraction.
    """
    products = np.zeros((inputs[0].shape[0],) * 2)
    for x in _scaled(inputs, scale):
        of_input = x @ x.T
        products += of_input if isinstance(of_input, np.ndarray) else of_input.toarray()
    values, vectors = np.linalg.eigh(products)
    there = values > values[-1] * 1e-7
    return (vectors[:, there] * np.sqrt(values[there])).astype(np.float32)


def search(
    inputs: Sequence[Array],
    labels: Labels,
    rows: Rows,
    groups: NDArray[np.integer],
    seed: int,
    progress: Progress,
) -> tuple[float, float]:
    """The scale and the strength with the lowest out-of-fold loss: strength first, then scale.

    Args:
      inputs: terms and image vectors of n ads: [n, columns] each.
      labels: [n]
      rows: the ads to learn from; at most so many are used.
      groups: the number of each ad's group, which stays in one fold: [n].
      seed: draws the ads and cuts the folds.
      progress: counts the fits.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_SEARCHED])
    y, categories = labels[rows], int(labels[rows].max()) + 1
    cuts = list(folds(groups[rows], FOLDS, seed))
    tried: dict[tuple[float, float], float] = {}

    def loss(scale: float, strength: float) -> float:
        p = np.zeros((len(rows), categories))
        for seen, left_out in cuts:
            fitted = fit([x], y, seen, categories, strength)
            p[left_out] = fitted.probs([x[left_out]])
        return -float(log(p[np.arange(len(y)), y]).mean())

    with progress.task("scale and strength", len(SCALES) + len(STRENGTHS) - 1, "fits") as task:
        x = reduced([x[rows] for x in inputs], FIRST)
        for strength in STRENGTHS:
            tried[FIRST, strength] = loss(FIRST, strength)
            task.advance(1)
        _, strength = min(tried, key=tried.__getitem__)
        for scale in SCALES:
            if scale != FIRST:
                x = reduced([x[rows] for x in inputs], scale)
                tried[scale, strength] = loss(scale, strength)
                task.advance(1)
    return min(tried, key=tried.__getitem__)


def _scaled(inputs: Sequence[Array], scale: float | None) -> list[Array]:
    """Image vectors at the length `scale`; terms as they are."""
    if scale is None:
        return list(inputs)
    return [_of_length(x, scale) if isinstance(x, np.ndarray) else x for x in inputs]


def _of_length(v: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    norms = np.linalg.norm(v, axis=1, keepdims=True)
    return v * (length / np.maximum(norms, np.finfo(np.float32).tiny))
