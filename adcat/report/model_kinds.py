"""What a model is: its approach, its policy, and how it works in plain words."""

from collections.abc import Mapping

from adcat.evaluation.measuring import Model, ModelKind
from adcat.fusion.fused_model import read_definition
from adcat.types import MODALITIES, Modality, classifiers_of

BASELINES: Mapping[Modality, str] = {
    "text": "reads title and description only",
    "image": "looks at the photo only",
}
ATTENDING: Mapping[str, str] = {
    "wh": "looks at the photo, with more weight on the positions that the text points to",
    "c": "looks at the photo, with more weight on the features that the text points to",
}


def kind_of(model: Model) -> ModelKind:
    """Reads what a model is from its folder."""
    if model.modality:
        return ModelKind("baseline", model.name, {}, "baseline", BASELINES[model.modality])
    settings = model.settings
    if model.folder.parent.name == "attend":
        name = f"attend-{settings['insert_at']}-{settings['over']}"
        in_words = ATTENDING[settings["over"]]
        return ModelKind("attention", name, settings, "attention", in_words, MODALITIES)
    definition = read_definition(model.folder)
    policy, parts = definition.policy, classifiers_of(definition.reads)
    approach = "early fusion" if policy.is_early else "late fusion"
    read = {name: value for name, value in settings.items() if name in policy.options}
    return ModelKind(approach, policy.name, read, policy.form, policy.in_words, parts)
