"""Temperature scaling, which makes confidence match accuracy.

Guo et al., 2017 (On calibration of modern neural networks), section 4.2.
"""

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import log, softmax
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
    of_label = logs[np.arange(len(labels)), labels]

    def loss(b: float) -> float:  # b = 1/T
        return float(np.mean(logsumexp(b * logs, axis=1) - b * of_label))

    found = minimize_scalar(loss, bounds=(1 / HIGHEST, 1 / LOWEST), method="bounded")
    return float(1 / found.x)


def with_temperature(probs: NDArray[np.floating], temperature: float) -> Probs:
    """softmax(z / T) of the logits z = log p: [n, categories]."""
    if temperature == 1:
        return np.asarray(probs, np.float32)
    return softmax(log(probs) / temperature).astype(np.float32)
