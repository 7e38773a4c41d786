"""A hard choice: an ad gets the probabilities of one classifier (as in Zahavy et al., 2016).

A logistic regression on the three highest probabilities of each says which of them is right where
only one is. It is pulled towards taking the more confident one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.types import Labels, Probs

SURER = np.array([1.0, 0, 0, -1, 0, 0, 0])  # the weights with which the surer classifier is taken
DIGITS = 6  # of a weight: what is even stays even, however the sums were rounded


def log_odds(
    o_img: Probs, o_txt: Probs, w_img: Sequence[float], w_txt: Sequence[float], bias: float
) -> NDArray[np.float64]:
    """Of the image classifier being right, given that one of the two is: [n]."""
    return _top3(o_img) @ np.asarray(w_img) + _top3(o_txt) @ np.asarray(w_txt) + bias


def fit(o_img: Probs, o_txt: Probs, labels: Labels, regularisation: float) -> dict[str, Any]:
    """Fits the weights to Platt's targets, on the ads about which one classifier is right.

    Args:
      o_img: [n, categories].
      o_txt: [n, categories].
      labels: [n]
      regularisation: weight of the pull.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    ads = np.arange(len(labels))
    image, text = (o[ads, labels] == o.max(axis=1) for o in (o_img, o_txt))
    decided = image != text
    tops = [_top3(o[decided]) for o in (o_img, o_txt)]
    x, is_image = np.column_stack([*tops, np.ones(decided.sum())]), image[decided]
    n_image, n_text = is_image.sum(), (~is_image).sum()
    targets = np.where(is_image, (n_image + 1) / (n_image + 2), 1 / (n_text + 2))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z, away = x @ weights, weights - SURER
        value = float(np.logaddexp(0, z).sum() - targets @ z + regularisation / 2 * away @ away)
        return value, (expit(z) - targets) @ x + regularisation * away

    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000, "maxfun": 10_000}
    found = minimize(loss, SURER, method="L-BFGS-B", jac=True, options=options).x
    *weights, bias = np.round(found, DIGITS).tolist()
    return {"w_img": weights[:3], "w_txt": weights[3:], "bias": bias}


def _top3(o: Probs) -> NDArray[np.float64]:
    """The three highest, falling; 0 in the place of categories that there are not: [n, 3]."""
    top = np.sort(o.astype(np.float64), axis=1)[:, :-4:-1]
    return np.pad(top, ((0, 0), (0, 3 - top.shape[1])))
