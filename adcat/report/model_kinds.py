"""What a model is: its approach, its policy, and how it works in plain words."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from adcat.fusion.fused_model import read_definition
from adcat.workspace.models import ModelProbs

Approach: TypeAlias = Literal["baseline", "late fusion", "early fusion", "attention"]
APPROACHES: Sequence[Approach] = ("baseline", "late fusion", "early fusion", "attention")

BASELINES: Mapping[str, str] = {
    "text": "reads title and description only",
    "image": "looks at the photo only",
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
    settings: Mapping[str, Any]  # that it was made with and depends on
    form: str  # what the thesis' tables call the model's type
    in_words: str  # how it works

    @property
    def fraction(self) -> float:
        """The share of the ads that it learned from."""
        return float(self.settings.get("fraction", 1))


def kind_of(model: ModelProbs) -> Availability:
    """Reads what a model is from its artifact."""
    if model.is_baseline:
        return Availability("baseline", model.name, {}, "baseline", BASELINES[model.name])
    settings = model.artifact.manifest().settings
    if model.artifact.name.startswith("attend/"):
        name = f"attend-{settings['insert_at']}-{settings['over']}"
        return Availability("attention", name, settings, "attention", ATTENDING[settings["over"]])
    policy = read_definition(model.artifact.path).policy
    approach = "early fusion" if policy.is_early else "late fusion"
    read = {name: value for name, value in settings.items() if name in policy.options}
    return Availability(approach, policy.name, read, policy.form, policy.in_words)
