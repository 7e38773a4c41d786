"""Vectors of ads: the models of a workspace that make any, and those of a new ad."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from adcat.attention import attention_model as attention
from adcat.choosing import kind_of
from adcat.data.fetching import Store
from adcat.errors import BadInputError
from adcat.fusion import fused_model as fusion
from adcat.image.inference import TENSORFLOW
from adcat.prediction.classifiers import classifiers, forwards
from adcat.prediction.loading import facts_of
from adcat.prediction.new_ads import Ad
from adcat.prediction.predictor import PIXELS, Predictor
from adcat.prediction.rules import Rule
from adcat.progress import Progress
from adcat.types import AVAILABILITIES, MODALITIES, Availability, Modality, Part, Vectors, read_by
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.models import ModelProbs, models_to_report

ALL = "all"
MAKE_VECTORS = ("early fusion", "attention")  # forms of models, beside classifiers


def find_representations(
    workspace: Workspace, names: Sequence[str], parts: Sequence[Part], progress: Progress
) -> list[ModelProbs]:
    """The models of these names, or all that make vectors; by default text and image.

    Args:
      workspace: holds them.
      names: theirs.
      parts: of whose ads there must be vectors.
      progress: is told which of all are left out.

    Raises:
      BadInputError: a model does not exist or makes no vectors of these ads.
      MissingArtifactError: no model exists.
      StaleArtifactError: a model is stale.
    """
    named = [] if ALL in names else names
    found = models_to_report(workspace, named, "test", progress)
    if not names:
        found = [model for model in found if model.is_baseline]
    able = [m for m in found if all(m.vectors_path(part).exists() for part in parts)]
    unable = [m for m in found if m not in able]
    told = [m.name for m in unable if named or not able or kind_of(m).form in MAKE_VECTORS]
    if told:
        lack = (
            f"{', '.join(told)}: no vectors of the {', '.join(parts)} ads; late fusion makes none, "
            "attend none of training ads (choose --among test), and what an older adcat made has "
            "to be made again"
        )
        if named or not able:
            raise BadInputError(lack)
        progress.say(f"left out {lack}")
    return able


def modalities_of(models: Sequence[ModelProbs]) -> list[Modality]:
    """What an ad must have for a vector of each of these models."""
    parts = [part for m in models for part in ([m.modality] if m.modality else kind_of(m).parts)]
    return [modality for modality in MODALITIES if modality in read_by(parts)]


def new_vectors(
    workspace: Workspace,
    models: Sequence[ModelProbs],
    ad: Ad,
    images: Path | Store,
    progress: Progress,
) -> dict[str, Vectors]:
    """Vectors of a new ad by the models that can read it, by their names: [1, dimension] each.

    Args:
      workspace: holds the models.
      models: which ones.
      ad: the ad.
      images: the folder that its photo's name is relative to, resolved.
      progress: is told which models cannot read the ad.

    Raises:
      BadInputError: none can, or one reads vectors made elsewhere.
    """
    rules = {model.name: _rule(workspace, model) for model in models}
    every = Rule([name for rule in rules.values() for name in rule.reads], lambda arrays: arrays[0])
    kinds: list[Availability] = [*every.modalities, AVAILABILITIES[every.modalities]]
    of_images = classifiers(workspace, "image", _checked_path)
    predictor = Predictor(
        facts=facts_of(workspace, models[0]),
        model=every,
        rules=dict.fromkeys(kinds, every),
        text=classifiers(workspace, "text", _checked_path),
        image=of_images,
        forward=forwards(of_images, lambda _: TENSORFLOW),
    )
    arrays, used, problems = predictor.arrays(ad, images, predictor.facts.image_separator)
    able = {name: rule for name, rule in rules.items() if rule.modalities <= used}
    unable = ", ".join(name for name in rules if name not in able)
    reason = f"{unable}: cannot read the ad ({', '.join(problems)})"
    if not able:
        raise BadInputError(reason)
    if unable:
        progress.say(f"left out {reason}")
    return {
        name: rule.combine([arrays[array] for array in rule.reads]) for name, rule in able.items()
    }


def _checked_path(artifact: Artifact) -> Path:
    artifact.check()
    return artifact.path


def _rule(workspace: Workspace, model: ModelProbs) -> Rule:
    """What a model reads, and how that becomes vectors."""
    if model.modality:
        classifier = workspace.classifier(model.modality, model.name)
        if classifier.reads_vectors:
            raise BadInputError(
                f"{model.name} reads vectors made elsewhere, which a new ad does not have; leave "
                "it out of --by"
            )
        return Rule((classifier.array("vectors"),), lambda arrays: arrays[0])
    columns: Mapping[str, int] = Features(workspace.features).columns()
    if (model.folder / fusion.PARAMETERS).exists():
        fused = fusion.load(model.folder, columns)
        return Rule(fused.reads, fused.vectors)
    loaded = attention.load(model.folder, columns["image_probs"], columns[attention.TEXT])
    forward = attention.compiled(loaded)
    return Rule((PIXELS, attention.TEXT), lambda arrays: forward(*arrays)[-1])
