"""A mixture of log probabilities, fitted on ads that the classifiers did not see.

log p(c) = w_txt log o_txt(c) + w_img log o_img(c) + γ log prior(c) - log Z. Special cases:
w = (1, 1, 0) is product-max, (1, 1, -1) is product-prior, (1/T, 0, 0) is the text classifier with
temperature T (Guo et al., 2017). Known as the logarithmic opinion pool (Genest and Zidek, 1986).
Of an ad that lacks a modality it is the pool of the one classifier that there is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.probabilities import log, smoothed, softmax
from adcat.types import Labels, Probs

BLOCK = 8192  # ads whose logarithms are in memory at a time


def pool(
    predictions: Sequence[Probs], prior: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mixture of the classifiers' probabilities: [n, categories].

    Args:
      predictions: of each classifier [n, categories].
      prior: [categories].
      weights: one w for each classifier, then γ.
    """
    *w, gamma = weights
    z = sum(w_i * log(o) for w_i, o in zip(w, predictions, strict=True))
    return softmax(z + gamma * log(prior))


def product(classifiers: int) -> NDArray[np.float64]:
    """The weights with which the mixture is the product: every w is 1, γ is 0."""
    return np.array([1.0] * classifiers + [0.0])


def loss(
    weights: NDArray[np.float64],
    predictions: Sequence[Probs],
    labels: Labels,
    prior: NDArray[np.float64],
    regularisation: float,
) -> tuple[float, NDArray[np.float64]]:
    """Cross-entropy of the targets plus the pull towards the product, and its gradient.

    Σ_n -Σ_c t_n(c) log p_n(c) + regularisation / 2 · |weights - (1, …, 1, 0)|²; convex.

    Args:
      weights: one w for each classifier, then γ.
      predictions: of each classifier [n, categories], taken in blocks.
      labels: [n]; they become `smoothed` targets t.
      prior: [categories].
      regularisation: weight of the pull; acts like that many ads' worth of curvature.
    """
    from scipy.special import logsumexp

    pull = weights - product(len(weights) - 1)
    value, gradient = float(regularisation / 2 * pull @ pull), regularisation * pull
    for start in range(0, len(labels), BLOCK):
        rows = slice(start, start + BLOCK)
        block = [o[rows] for o in predictions]
        logs = np.stack([*map(log, block), np.broadcast_to(log(prior), block[0].shape)])
        targets = smoothed(labels[rows], block, len(labels))
        z = np.tensordot(weights, logs, axes=1)
        value += float(logsumexp(z, axis=1).sum() - np.vdot(targets, z))
        gradient = gradient + ((softmax(z) - targets) * logs).sum(axis=(1, 2))
    return value, gradient


def fit(
    predictions: Sequence[Probs],
    labels: Labels,
    prior: NDArray[np.float64],
    regularisation: float,
    least: float | None = None,
) -> NDArray[np.float64]:
    """Fits one w for each classifier, then γ, by L-BFGS from the product.

    Args:
      predictions: of each classifier [n, categories].
      labels: [n]
      prior: [categories].
      regularisation: weight of the pull towards the product.
      least: the lowest w that is allowed, if any.

    Raises:
      DivergedError: the minimum was not found.
    """
    from scipy.optimize import minimize

    start, data = product(len(predictions)), (predictions, labels, prior, regularisation)
    bounds = [(least, None)] * len(predictions) + [(None, None)]
    found = minimize(loss, start, data, "L-BFGS-B", jac=True, bounds=bounds)
    if not np.isfinite(found.x).all():
        raise DivergedError(f"log-linear found no weights: {found.message}")
    return found.x
