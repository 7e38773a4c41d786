"""The predicted categories of an ad, and the modalities they are based on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.evaluation.calibration import is_accepted
from adcat.prediction.new_ads import Ad
from adcat.probabilities import decimal, highest, log
from adcat.types import Availability, Probs


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """The categories suggested for an ad."""

    ad: Ad
    categories: Sequence[int]  # best first
    probabilities: Sequence[float]
    availability: Availability  # of the modalities that it is based on
    contributions: Mapping[str, float]  # of each modality to the first category
    problems: Sequence[str]

    def record(self, categories: Sequence[str], accept_above: float | None) -> dict[str, Any]:
        """The prediction as a JSON object; `categories` are the names."""
        record: dict[str, Any] = {
            "row": self.ad.row,
            "id": self.ad.id,
            "categories": [
                {"category": categories[c], "probability": decimal(p)}
                for c, p in zip(self.categories, self.probabilities, strict=True)
            ],
            "modality": self.availability,
            "contributions": {m: float(f"{value:.6g}") for m, value in self.contributions.items()},
            "problems": list(self.problems),
        }
        if accept_above is not None:
            is_sure = bool(is_accepted(self.probabilities[0], accept_above))
            record["accepted"] = is_sure and self.availability != "none"
        return record


def predictions(
    ads: Sequence[Ad],
    probs: Probs,
    sizes: NDArray[np.int64],
    availabilities: Sequence[Availability],
    problems: Sequence[Sequence[str]],
    single: Mapping[str, Probs],
    prior: Probs,
) -> list[Prediction]:
    """Ranks the categories of ads; ties: lowest index.

    Args:
      ads: [n].
      probs: of the model or its fallback: [n, categories].
      sizes: how many categories to suggest: [n].
      availabilities: of the modalities that the probabilities are based on: [n].
      problems: of each ad: [n].
      single: by modality the classifier's own probabilities, the prior where an ad lacks it or it
        was not asked: [n, categories].
      prior: [categories].
    """
    order = highest(probs, sizes.max(initial=1))
    ranked = np.take_along_axis(probs, order, axis=1)
    best = order[:, 0]
    shares = contributions(probs, single["text"], single["image"], prior, best)
    return [
        Prediction(
            ad,
            order[i, : sizes[i]].tolist(),
            ranked[i, : sizes[i]].tolist(),
            availabilities[i],
            {modality: float(share[i]) for modality, share in shares.items()},
            problems[i],
        )
        for i, ad in enumerate(ads)
    ]


def contributions(
    probs: Probs, o_txt: Probs, o_img: Probs, prior: Probs, c: NDArray[np.integer]
) -> dict[str, NDArray[np.float64]]:
    """How much each modality raised log p(c) over the prior's: [n] each.

    The Shapley values of a game with two players: the mean of what text adds to nothing and of what
    it adds to the photo, and the other way round (Štrumbelj and Kononenko, 2010). Their sum is
    log p(c) - log prior(c).

    Args:
      probs: with all that the ad has: [n, categories].
      o_txt: with the text alone, the prior where there is none: [n, categories].
      o_img: with the photo alone, likewise: [n, categories].
      prior: with nothing: [categories].
      c: the category that is explained: [n].
    """
    rows = np.arange(len(c))
    both, text, image = (log(p[rows, c]) for p in (probs, o_txt, o_img))
    nothing = log(prior[c])
    return {
        "text": ((text - nothing) + (both - image)) / 2,
        "image": ((image - nothing) + (both - text)) / 2,
    }
