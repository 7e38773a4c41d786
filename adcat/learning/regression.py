"""Multinomial logistic regression by L-BFGS, on arrays that are read block by block.

scikit-learn's holds all inputs in one matrix of double precision, and several copies of it. The
weights W = L⁻ᵀ U are found as U, where L Lᵀ is the curvature of the loss at W = 0: in a quarter of
the iterations.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.probabilities import log, softmax
from adcat.types import Labels, Probs

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array: TypeAlias = "NDArray[np.float32] | csr_matrix"  # [n, columns]
Block: TypeAlias = tuple[Sequence[Array], Labels]  # of some ads
Prepare: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]
Rows: TypeAlias = NDArray[np.int64]
Cuts: TypeAlias = Iterable[tuple[Rows, Rows]]  # the ads outside and inside of each fold

BLOCK = 8192  # ads in memory at a time
MOST_SEARCHED = 4000  # ads that settings are chosen on
MOST_ITERATIONS = 500
MOST_COLUMNS = 4096  # of an input whose curvature is more than its diagonal
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
    ends = np.cumsum([x.shape[1] for x in inputs])
    size = (ends[-1] + 1, len(known))

    def block(start: int) -> Block:
        here = rows[start : start + BLOCK]
        return prepare([x[here] for x in inputs]), targets[start : start + BLOCK]

    first = block(0)  # is kept, since most often it is all

    def blocks() -> Iterator[Block]:
        yield first
        yield from map(block, range(BLOCK, len(rows), BLOCK))

    share = 1 / len(known)
    roots = [_inverse_root(share * H, 1 / strength) for H in _curvatures(x for x, _ in blocks())]
    root_b = math.sqrt(share * len(rows))

    def weights(
        theta: NDArray[np.float64],
    ) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        *parts, U_b = np.split(theta.reshape(size), ends)  # noqa: N806
        return [_times(L.T, U) for L, U in zip(roots, parts, strict=True)], U_b[0] / root_b

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, of_W, of_b = _loss(blocks(), *weights(theta), strength)  # noqa: N806
        of_U = [_times(L, part) for L, part in zip(roots, of_W, strict=True)]  # noqa: N806
        gradient = np.concatenate([*of_U, of_b[None] / root_b])
        return value / len(rows), gradient.ravel() / len(rows)

    options = {"maxiter": iterations, "ftol": TOLERANCE, "gtol": TOLERANCE}
    found = minimize(loss, np.zeros(np.prod(size)), method="L-BFGS-B", jac=True, options=options)
    if not np.isfinite(found.x).all():
        raise DivergedError(f"the regression found no weights: {found.message}")
    theta = np.zeros((size[0], categories), np.float32)
    theta[-1] = -np.inf
    W, b = weights(found.x)  # noqa: N806
    theta[:, known] = np.concatenate([*W, b[None]])
    *W, b = np.split(theta, ends)  # noqa: N806
    return Regression(W, b[0])


def _loss(
    blocks: Iterable[Block],
    W: Sequence[NDArray[np.float64]],  # noqa: N803
    b: NDArray[np.float64],
    strength: float,
) -> tuple[float, Sequence[NDArray[np.float64]], NDArray[np.float64]]:
    """Σ -log p(y) + |W|² / (2 strength), and its derivatives by each W and by b."""
    single = [W_i.astype(np.float32) for W_i in W]
    value = sum(float(np.vdot(W_i, W_i)) for W_i in W) / (2 * strength)
    of_W, of_b = [W_i / strength for W_i in W], np.zeros(len(b))  # noqa: N806
    for x, y in blocks:
        p = softmax(sum(x_i @ W_i for x_i, W_i in zip(x, single, strict=True)) + b)
        value -= float(log(p[np.arange(len(y)), y]).sum())
        p[np.arange(len(y)), y] -= 1
        of_b += p.sum(axis=0)
        for part, x_i in zip(of_W, x, strict=True):
            part += x_i.T @ p.astype(np.float32)
    return value, of_W, of_b


def _curvatures(blocks: Iterable[Sequence[Array]]) -> Sequence[NDArray[np.float64]]:
    """Σ x xᵀ of each input [columns, columns], or its diagonal where that is all it is worth."""
    found: Sequence[NDArray[np.float64]] = []
    for x in blocks:
        products = [_products(x_i) for x_i in x]
        found = [a + b for a, b in zip(found, products, strict=True)] if found else products
    return found


def _products(x: Array) -> NDArray[np.float64]:
    if not isinstance(x, np.ndarray):
        return np.asarray(x.multiply(x).sum(axis=0), np.float64).ravel()
    if x.shape[1] > MOST_COLUMNS:
        return np.square(x).sum(axis=0, dtype=np.float64)
    return (x.T @ x).astype(np.float64)


def _inverse_root(H: NDArray[np.float64], prior: float) -> NDArray[np.float64]:  # noqa: N803
    """L⁻¹ where L Lᵀ = H + prior; its diagonal where that is all of H."""
    from scipy.linalg import solve_triangular

    if H.ndim == 1:
        return 1 / np.sqrt(H + prior)
    prior += 1e-6 * float(np.trace(H))  # which is beyond what single precision leaves of H
    one = np.eye(len(H))
    return solve_triangular(np.linalg.cholesky(H + prior * one), one, lower=True)


def _times(root: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return root @ right if root.ndim == 2 else root[:, None] * right


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
