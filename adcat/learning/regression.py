"""Multinomial logistic regression by L-BFGS, on arrays that are read block by block.

scikit-learn's holds all inputs in one matrix of double precision, and several copies of it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.probabilities import log, softmax
from adcat.types import Labels, Probs

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array: TypeAlias = "NDArray[np.float32] | csr_matrix"  # [n, columns]
Prepare: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]
Rows: TypeAlias = NDArray[np.int64]
Cuts: TypeAlias = Iterable[tuple[Rows, Rows]]  # the ads outside and inside of each fold

BLOCK = 8192  # ads in memory at a time
MOST_SEARCHED = 4000  # ads that settings are chosen on
MOST_ITERATIONS = 500
TOLERANCE = 1e-6  # of the loss per ad: finer steps move no prediction


class Regression(NamedTuple):
    """What is fitted: p(c) ∝ exp(Σ W_c x + b_c) over all inputs."""

    weights: Sequence[NDArray[np.float32]]  # of each input [columns, categories]
    b: NDArray[np.float32]  # [categories]; -inf where there was no ad to learn from

    def probs(self, inputs: Sequence[Array]) -> Probs:
        """The probabilities of some ads, from prepared inputs: [n, categories]."""
        return softmax(self.scores(inputs))

    def scores(self, inputs: Sequence[Array]) -> NDArray[np.floating]:
        """Σ W_c x + b_c, likewise: [n, categories]."""
        return sum(x_i @ W_i for x_i, W_i in zip(inputs, self.weights, strict=True)) + self.b


def fit(
    inputs: Sequence[Array],
    labels: Labels,
    rows: Rows,
    categories: int,
    strength: float,
    prepare: Prepare = list,
    iterations: int = MOST_ITERATIONS,
) -> Regression:
    """Fits the regression on some ads: min Σ_n -log p(y_n) + |W|² / (2 strength), by L-BFGS.

    Args:
      inputs: of n ads: [n, columns] each.
      labels: [n]
      rows: the ads to learn from.
      categories: how many.
      strength: the inverse of the regularisation's.
      prepare: makes what is learned from, of the inputs of some ads.
      iterations: at most.

    Raises:
      DivergedError: the minimum was not found.
    """
    from scipy.optimize import minimize

    known, targets = np.unique(labels[rows], return_inverse=True)
    columns = [x.shape[1] for x in inputs]
    size = (sum(columns) + 1, len(known))

    def block(start: int) -> tuple[Sequence[Array], Labels]:
        here = rows[start : start + BLOCK]
        return prepare([x[here] for x in inputs]), targets[start : start + BLOCK]

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
        raise DivergedError(f"the regression found no weights: {found.message}")
    theta = np.zeros((size[0], categories), np.float32)
    theta[-1] = -np.inf
    theta[:, known] = found.x.reshape(size)
    W, b = np.split(theta, [-1])  # noqa: N806
    return Regression(np.split(W, np.cumsum(columns)[:-1]), b[0])


def reduced(inputs: Sequence[Array]) -> NDArray[np.float32]:
    """Rows with the same inner products as the inputs of n ads, in as few columns: [n, at most n].

    The regression of them is the same, since its weights are a sum of its ads' inputs; with more
    columns than ads it costs a fraction.
    """
    products = np.zeros((inputs[0].shape[0],) * 2)
    for x in inputs:
        of_input = x @ x.T
        products += of_input if isinstance(of_input, np.ndarray) else of_input.toarray()
    values, vectors = np.linalg.eigh(products)
    there = values > values[-1] * 1e-7
    return (vectors[:, there] * np.sqrt(values[there])).astype(np.float32)


def out_of_fold(
    x: NDArray[np.float32], labels: Labels, cuts: Cuts, categories: int, strength: float
) -> Probs:
    """The probabilities of ads by regressions that did not see them: [n, categories].

    Args:
      x: what is learned from: [n, columns].
      labels: [n]
      cuts: the folds.
      categories: how many.
      strength: as in `fit`.
    """
    probs = np.zeros((len(labels), categories), np.float32)
    for seen, left_out in cuts:
        probs[left_out] = fit([x], labels, seen, categories, strength).probs([x[left_out]])
    return probs


def log_loss(probs: Probs, labels: Labels) -> float:
    """Mean negative log-likelihood in nats: `probs` are [n, categories], `labels` [n]."""
    return -float(log(probs[np.arange(len(labels)), labels]).mean())
