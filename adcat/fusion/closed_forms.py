"""Late fusion in closed form: policies over the two probability vectors (thesis, section 4.5.1).

Shapes: `o_img` and `o_txt` are the baselines' probabilities [n, categories]; what a policy returns
are probabilities [n, categories] again, so that its largest entries are its suggestions and ties go
to the lowest index.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.fusion import hard_choice
from adcat.fusion import log_linear as pooling
from adcat.probabilities import log, softmax
from adcat.types import Labels, Probs

Parameters: TypeAlias = dict[str, Any]


class Evidence(NamedTuple):
    """What a policy may be fitted on."""

    predictions: Sequence[Probs]  # text's and image's, or one: of validation ads [n, categories]
    labels: Labels  # [n]
    prior: NDArray[np.float64]  # from the training part [categories]
    regularisation: float


class SingleModality(NamedTuple):
    """How to predict an ad with a single modality, and how to fit the parameters of that."""

    prediction: Callable[..., NDArray[np.floating]]
    fit: Callable[[Evidence], Parameters]
    formula: str  # what the probabilities are proportional to, by the names of the parameters


def max_policy(o_img: Probs, o_txt: Probs) -> NDArray[np.floating]:
    """p = argmax max(o_img, o_txt): the prediction of the more confident baseline."""
    return _normalised(np.maximum(o_img, o_txt))


def sum_max(o_img: Probs, o_txt: Probs) -> NDArray[np.floating]:
    """p = argmax (o_img + o_txt): the sum rule (Kittler et al., 1998, equation 11)."""
    return _normalised(o_img + o_txt)


def weighted_sum(o_img: Probs, o_txt: Probs, w_img: float) -> NDArray[np.floating]:
    """p = w_img o_img + (1 - w_img) o_txt: a linear opinion pool."""
    return w_img * o_img + (1 - w_img) * o_txt


def fit_weighted_sum(evidence: Evidence) -> Parameters:
    """Finds the weight of the largest likelihood on ads that the classifiers did not see.

    Each classifier is credited with one more correct ad, times the regularisation, so that few ads
    cannot make a weight extreme; without any ads it is 1/2.
    """
    from scipy.optimize import minimize_scalar

    ads = np.arange(len(evidence.labels))
    o_txt, o_img = (o[ads, evidence.labels].astype(np.float64) for o in evidence.predictions)

    def loss(w: float) -> float:
        likelihood = log(w * o_img + (1 - w) * o_txt).sum()
        return -likelihood - evidence.regularisation * float(np.log(w) + np.log(1 - w))

    return {"w_img": float(minimize_scalar(loss, bounds=(0, 1), options={"xatol": 1e-9}).x)}


def product_max(o_img: Probs, o_txt: Probs) -> NDArray[np.floating]:
    """p = argmax (o_img ⊙ o_txt): the product rule (Kittler et al., 1998, equation 8)."""
    return softmax(log(o_img) + log(o_txt))


def product_prior(o_img: Probs, o_txt: Probs, prior: list[float]) -> NDArray[np.floating]:
    """p(c) ∝ o_txt(c) o_img(c) / prior(c): the product rule (Kittler et al., 1998, equation 7).

    What follows where text and image are independent given the category.
    """
    return softmax(log(o_img) + log(o_txt) - log(np.asarray(prior)))


def log_linear(
    o_img: Probs, o_txt: Probs, prior: list[float], w_txt: float, w_img: float, gamma: float
) -> NDArray[np.floating]:
    """log p(c) = w_txt log o_txt(c) + w_img log o_img(c) + γ log prior(c) - log Z."""
    return pooling.pool([o_txt, o_img], np.asarray(prior), np.array([w_txt, w_img, gamma]))


def fit_log_linear(evidence: Evidence) -> Parameters:
    """Finds a weight for each classifier, and γ, on validation ads."""
    predictions, labels, prior, regularisation = evidence
    weights = pooling.fit(predictions, labels, prior, regularisation).tolist()
    names = ("w", "gamma") if len(predictions) == 1 else ("w_txt", "w_img", "gamma")
    return {"prior": prior.tolist(), **dict(zip(names, weights, strict=True))}


def log_linear_single(o: Probs, prior: list[float], w: float, gamma: float) -> NDArray[np.floating]:
    """log p(c) = w log o(c) + γ log prior(c) - log Z."""
    return pooling.pool([o], np.asarray(prior), np.array([w, gamma]))


def choice(
    o_img: Probs, o_txt: Probs, w_img: list[float], w_txt: list[float], bias: float
) -> NDArray[np.floating]:
    """p = o_img where that is likelier to be right, else o_txt."""
    log_odds = hard_choice.log_odds(o_img, o_txt, w_img, w_txt, bias)
    return np.where(log_odds[:, None] > 0, o_img, o_txt)


def fit_choice(evidence: Evidence) -> Parameters:
    """Finds by what to choose, on ads that the classifiers did not see."""
    o_txt, o_img = evidence.predictions
    return hard_choice.fit(o_img, o_txt, evidence.labels, evidence.regularisation)


def take_prior(evidence: Evidence) -> Parameters:
    """Takes the prior of the training part."""
    return {"prior": evidence.prior.tolist()}


def _normalised(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    return scores / scores.sum(axis=-1, keepdims=True)
