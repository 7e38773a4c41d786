"""A convex mixture of log probabilities, fitted on validation ads.

log p(c) = w_txt log o_txt(c) + w_img log o_img(c) + γ log prior(c) - log Z. Special cases:
w = (1, 1, 0) is product-max, (1, 1, -1) is product-prior, (1/T, 0, 0) is the text classifier with
temperature T (Guo et al., 2017). Known as the logarithmic opinion pool (Genest and Zidek, 1986).
Of an ad that lacks a modality it is the pool of the one classifier that there is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.probabilities import log, softmax
from adcat.types import Labels, Probs


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
    logs: NDArray[np.float64],
    labels: Labels,
    regularisation: float,
) -> tuple[float, NDArray[np.float64]]:
    """Negative log-likelihood of the labels plus the pull towards the product, and its gradient.

    Σ_n -log p(y_n) + regularisation / 2 · |weights - (1, …, 1, 0)|²; convex in the weights.

    Args:
      weights: one w for each classifier, then γ.
      logs: log o of each classifier, then log prior [weights, n, categories].
      labels: [n].
      regularisation: weight of the pull; acts like that many ads' worth of curvature.
    """
    ads = np.arange(len(labels))
    p = softmax(np.tensordot(weights, logs, axes=1))
    pull = weights - product(len(weights) - 1)
    value = -log(p[ads, labels]).sum() + regularisation / 2 * pull @ pull
    expected = (p * logs).sum(axis=(1, 2))
    gradient = expected - logs[:, ads, labels].sum(axis=1) + regularisation * pull
    return value, gradient


def fit(
    predictions: Sequence[Probs],
    labels: Labels,
    prior: NDArray[np.float64],
    regularisation: float,
) -> NDArray[np.float64]:
    """Fits one w for each classifier, then γ, by L-BFGS from the product.

    Raises:
      DivergedError: the minimum was not found.
    """
    from scipy.optimize import minimize

    logs = np.stack([*map(log, predictions), np.broadcast_to(log(prior), predictions[0].shape)])
    start, data = product(len(predictions)), (logs, labels, regularisation)
    found = minimize(loss, start, data, "L-BFGS-B", jac=True)
    if not np.isfinite(found.x).all():
        raise DivergedError(f"log-linear found no weights: {found.message}")
    return found.x
