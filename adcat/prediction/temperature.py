"""Temperature scaling, which makes confidence match accuracy.

Guo et al., 2017 (On calibration of modern neural networks), section 4.2; the targets are Platt's.
"""

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import log, smoothed, softmax
from adcat.types import Labels, Probs

LOWEST, HIGHEST = 0.05, 20.0  # of a temperature


def fit_temperature(probs: Probs, labels: Labels) -> float:
    """Finds the temperature with the least negative log-likelihood, which is convex in 1/T.

    Args:
      probs: of ads that the model was not fitted on: [n, categories].
      labels: their categories: [n].
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logs = log(probs)
    observed = np.vdot(smoothed(labels, [probs], len(labels)), logs)

    def loss(b: float) -> float:  # b = 1/T
        return float(logsumexp(b * logs, axis=1).sum() - b * observed)

    found = minimize_scalar(loss, bounds=(1 / HIGHEST, 1 / LOWEST), method="bounded")
    return float(1 / found.x)


def with_temperature(probs: NDArray[np.floating], temperature: float | None) -> Probs:
    """softmax(z / T) of the logits z = log p, or p itself without T: [n, categories]."""
    if temperature is None:
        return np.asarray(probs, np.float32)
    return softmax(log(probs) / temperature).astype(np.float32)
