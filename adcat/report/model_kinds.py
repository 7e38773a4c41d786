"""What a model is: its approach, its policy, and how it works in plain words."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from adcat.fusion.fused_model import read_definition
from adcat.fusion.policies import POLICIES
from adcat.workspace.models import ModelProbs

Approach: TypeAlias = Literal["baseline", "late fusion", "early fusion", "attention"]
APPROACHES: Sequence[Approach] = ("baseline", "late fusion", "early fusion", "attention")

EXPLAINED: Mapping[str, str] = {
    "text": "reads title and description only",
    "image": "looks at the photo only",
    "max": "believes whichever of text and image is more confident",
    "sum-max": "adds the confidences of text and image",
    "product-max": "multiplies the confidences of text and image",
    "product-prior": "multiplies the confidences, allowing for how frequent each category is",
    "log-linear": "multiplies the confidences, with weights that are fitted on validation ads",
    "nn": "a small network that weighs both answers, learned from the training ads",
    "nn-validation": "a small network that weighs both answers, learned from validation ads "
    "that text and image never saw",
    "image-boost": "as nn, with another weight on ads whose photo was understood",
    "image-boost-prop": "as image-boost, the more so the less sure the text was",
    "temperature": "a small network that weighs both answers, each sharpened or smoothed first",
    "top3": "a network that only chooses between the answers of text and image",
    "image-only": "a network on the photo's features: what early fusion makes of the photo alone",
    "text-only": "a network on the text's features: what early fusion makes of the text alone",
    "concat": "a network on the features of text and photo side by side",
    "pool": "a network on the average of both kinds of features in one common space",
    "pool-aux": "as pool, trained to bring text and photo of an ad together in that space",
}
ATTENDING: Mapping[str, str] = {
    "wh": "looks at the photo, with more weight on the places that the text points to",
    "c": "looks at the photo, with more weight on the features that the text points to",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Availability:
    """What a model is."""

    approach: Approach
    policy: str  # or the baseline's name, or the attention model's setting
    settings: Mapping[str, Any]  # that it was made with

    @property
    def form(self) -> str:
        """What the thesis' tables call the model's type."""
        if self.approach in ("baseline", "attention"):
            return self.approach
        if self.policy not in POLICIES:
            return "network policy" if self.approach == "late fusion" else self.approach
        return (
            "heuristic policy" if POLICIES[self.policy].fitted_on == "nothing" else "fitted policy"
        )

    @property
    def fraction(self) -> float:
        """The share of the ads that it learned from."""
        return float(self.settings.get("fraction", 1))

    @property
    def in_words(self) -> str:
        """How it works."""
        if self.approach == "attention":
            return ATTENDING[self.settings["over"]]
        return EXPLAINED.get(self.policy, "")


def kind_of(model: ModelProbs) -> Availability:
    """Reads what a model is from its artifact."""
    if model.is_baseline:
        return Availability("baseline", model.name, {})
    settings = model.artifact.manifest().settings
    if model.artifact.name.startswith("attend/"):
        return Availability(
            "attention", f"attend-{settings['insert_at']}-{settings['over']}", settings
        )
    fused = read_definition(model.artifact.path)
    is_early = any(name.endswith("_vectors") for name in fused.reads)
    return Availability("early fusion" if is_early else "late fusion", fused.policy, settings)
