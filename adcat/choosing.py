"""What the models of a workspace are, and which of them to take."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adcat import thesis
from adcat.errors import expecting
from adcat.evaluation.measuring import read_candidate
from adcat.evaluation.models import Model, ModelKind, Training
from adcat.evaluation.selection import Candidate, choose, common_parts, in_words, no_better_than
from adcat.fusion.fused_model import read_definition
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.progress import Progress
from adcat.types import MODALITIES, PARTS, Labels, Modality, Part, classifiers_of
from adcat.workspace.ads import read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import MANIFEST, TRAIN_PROBS
from adcat.workspace.models import ModelProbs, all_models, find_models, models_to_report

BASELINES: Mapping[Modality, str] = {
    "text": "reads title and description only",
    "image": "looks at the photo only",
}
ATTENDING: Mapping[str, str] = {
    "wh": "looks at the photo, with more weight on the positions that the text points to",
    "c": "looks at the photo, with more weight on the features that the text points to",
}
NOT_OF_THE_MODEL = ("tune_fraction", "curve_every")  # but of a search, and of its curve
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
    # One that an earlier version made lacks the settings that were constants then.
    read = {name: settings.get(name, getattr(PolicySettings, name)) for name in policy.options}
    ads = definition.parameters.get("ads")
    return ModelKind(approach, policy.name, read, policy.form, policy.in_words, parts, ads)


def training_of(model: ModelProbs) -> Training:
    """Reads how a model was trained."""
    manifest, kind = model.trained.manifest(), kind_of(model)
    is_fused = kind.approach in ("late fusion", "early fusion")
    learned = read_definition(model.folder).parameters if is_fused else {}
    with expecting(model.trained / MANIFEST, "manifest"):
        settings = {
            **manifest.settings,
            **manifest.notes.get("tuned", {}),
            **learned.get("settings", {}),  # which has those that followed from the ads
        }
        seconds = float(manifest.record["seconds"])
    settings["folds"] = settings.get("folds") != 0 and TRAIN_PROBS in manifest.notes
    differing = [
        name.replace("_", " ")
        for name, value in _published(kind, model.modality, settings).items()
        if settings.get(name, value) != value and name not in NOT_OF_THE_MODEL
    ]
    top1 = learned.get("train_top1") if is_fused else _train_top1(model.trained / "history.csv")
    return Training(differing, seconds, top1)


def _published(
    kind: ModelKind, modality: Modality | None, settings: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What the thesis states of a model's settings."""
    if kind.approach == "attention":
        return thesis.settings("attend")
    if modality is None:
        return POLICIES[kind.policy].published
    if "vectors" in settings:
        return {"vectors": None}  # there are none that were made elsewhere
    if modality == "image":
        return thesis.settings("train-image")
    of_model = thesis.settings("train-text").get(settings.get("model", ""), {})
    return {"model": "fasttext", **of_model}


def _train_top1(history: Path) -> float | None:
    """The last top-1 on training ads that a classifier's or an attention model's history has."""
    if not history.exists():  # as where the last layer was fitted
        return None
    with expecting(history, "history"), history.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("part", "train") == "train"]
        found = rows[-1]["top1" if "part" in rows[-1] else "train_top1"] if rows else ""
        return float(found) if found else None


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
