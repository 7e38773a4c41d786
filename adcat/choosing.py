"""What the models of a workspace are, and which of them to take."""

from collections.abc import Mapping, Sequence

from adcat.evaluation.measuring import read_candidate
from adcat.evaluation.models import Model, ModelKind
from adcat.evaluation.selection import Candidate, choose, common_parts, in_words, no_better_than
from adcat.fusion.fused_model import read_definition
from adcat.progress import Progress
from adcat.types import MODALITIES, PARTS, Labels, Modality, Part, classifiers_of
from adcat.workspace.ads import read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, all_models, find_models, models_to_report

BASELINES: Mapping[Modality, str] = {
    "text": "reads title and description only",
    "image": "looks at the photo only",
}
ATTENDING: Mapping[str, str] = {
    "wh": "looks at the photo, with more weight on the positions that the text points to",
    "c": "looks at the photo, with more weight on the features that the text points to",
}
HELP = (
    "what helps: more ads; classifiers trained with --folds, so that fusion learns from ads that "
    "they have not seen; fuse --policy stack"
)


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


def read_candidates(workspace: Workspace, models: Sequence[ModelProbs]) -> list[Candidate]:
    """Reads what models say of ads that they have not learned from."""
    labels: dict[Part, Labels] = {part: read_labels(workspace.split, part) for part in PARTS}
    return [read_candidate(model, kind_of(model).form, labels) for model in models]


def chosen_model(workspace: Workspace, name: str, progress: Progress) -> ModelProbs:
    """The model of this name; without a name the one to take of those that are sound.

    Raises:
      BadInputError: the workspace lacks a model of this name.
      MissingArtifactError: nothing has been trained yet.
      StaleArtifactError: every model is stale.
    """
    if name:
        return find_models(workspace, [name])[0]
    models = models_to_report(workspace, [], "validation", progress)
    choice = choose(read_candidates(workspace, models))
    progress.say(f"model {choice.model}: chosen on {choice.in_words}, top-1 {choice.top1:.2%}")
    return next(model for model in models if model.name == choice.model)


def without_gain(workspace: Workspace, name: str) -> list[str]:
    """Warns where a model does not beat the best classifier that it combines."""
    (model,) = find_models(workspace, [name])
    parts = [one for one in all_models(workspace) if one.name in kind_of(model).parts]
    candidate, *classifiers = read_candidates(workspace, [model, *parts])
    better = no_better_than(candidate, classifiers)
    on = common_parts([candidate, *classifiers])
    return [f"{name} is no better than {better} on {in_words(on)}", HELP] if better else []
