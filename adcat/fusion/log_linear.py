"""A convex mixture of log probabilities, fitted on validation ads.

log p(c) = w_txt log o_txt(c) + w_img log o_img(c) + γ log prior(c) - log Z. Special cases:
w = (1, 1, 0) is product-max, (1, 1, -1) is product-prior, (1/T, 0, 0) is the text classifier with
temperature T (Guo et al., 2017). Known as the logarithmic opinion pool (Genest and Zidek, 1986).
"""

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Labels, Probs
from adcat.errors import DivergedError

PRODUCT = np.array([1.0, 1.0, 0.0])  # w_txt, w_img, γ


def log(probs: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logarithm in double precision; a probability of 0 counts as the smallest float32."""
    return np.log(np.maximum(probs, np.finfo(np.float32).tiny), dtype=np.float64)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(logits) / Σ exp(logits) over the categories, without overflow: [n, categories]."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def pool(
    o_img: Probs, o_txt: Probs, prior: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mixture with weights (w_txt, w_img, γ): [n, categories]."""
    w_txt, w_img, gamma = weights
    return softmax(w_txt * log(o_txt) + w_img * log(o_img) + gamma * log(prior))


def loss(
    weights: NDArray[np.float64],
    logs: NDArray[np.float64],
    labels: Labels,
    regularisation: float,
) -> tuple[float, NDArray[np.float64]]:
    """Negative log-likelihood of the labels plus the pull towards the product, and its gradient.

    Σ_n -log p(y_n) + regularisation / 2 · |w - (1, 1, 0)|²; convex in w.

    Args:
      weights: (w_txt, w_img, γ).
      logs: log o_txt, log o_img and log prior [3, n, categories].
      labels: [n].
      regularisation: weight of the pull; acts like that many ads' worth of curvature.
    """
    ads = np.arange(len(labels))
    p = softmax(np.tensordot(weights, logs, axes=1))
    pull = weights - PRODUCT
    value = -log(p[ads, labels]).sum() + regularisation / 2 * pull @ pull
    expected = (p * logs).sum(axis=(1, 2))
    gradient = expected - logs[:, ads, labels].sum(axis=1) + regularisation * pull
    return value, gradient


def fit(
    o_img: Probs,
    o_txt: Probs,
    labels: Labels,
    prior: NDArray[np.float64],
    regularisation: float,
) -> NDArray[np.float64]:
    """Fits (w_txt, w_img, γ) by L-BFGS from the product.

    Raises:
      DivergedError: the minimum was not found.
    """
    from scipy.optimize import minimize

    logs = np.stack([log(o_txt), log(o_img), np.broadcast_to(log(prior), o_txt.shape)])
    found = minimize(loss, PRODUCT, (logs, labels, regularisation), "L-BFGS-B", jac=True)
    if not np.isfinite(found.x).all():
        raise DivergedError(f"log-linear found no weights: {found.message}")
    return found.x
