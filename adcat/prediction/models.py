"""Makes a predictor of a workspace's models."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adcat.artifacts import (
    ModelProbs,
    Probs,
    all_models,
    prior,
    read_categories,
    read_labels,
)
from adcat.attention import model as attention
from adcat.errors import AdcatError, StaleArtifactError
from adcat.fusion import model as fusion
from adcat.metrics import outcomes
from adcat.prediction.predictor import PIXELS, Predictor, once
from adcat.prediction.rules import KINDS, Kind, Promise, Rule, baseline
from adcat.progress import Progress
from adcat.workspace import Artifact, Workspace

if TYPE_CHECKING:
    from adcat.image.classifier import ImageModel
    from adcat.image.inference import Forward
    from adcat.text.models import TextModel


def best_model(workspace: Workspace, progress: Progress) -> ModelProbs:
    """The sound model with the highest top-1 on the validation ads; of equal ones the first.

    Raises:
      MissingArtifactError: there is none yet.
      StaleArtifactError: every model is stale.
    """
    models = all_models(workspace)
    if not models:
        workspace.features.check()  # raises
    labels = read_labels(workspace.split, "validation")
    top1: dict[str, float] = {}
    for model in models:
        try:
            model.artifact.check()
        except AdcatError as error:
            progress.say(f"warning: left out {model.name}: {error}")
            continue
        found = outcomes(model.probs("validation"), labels, model.path("validation"))
        top1[model.name] = float(found.correct.mean())
    if not top1:
        models[0].artifact.check()  # raises
    best = max((model for model in models if model.name in top1), key=lambda m: top1[m.name])
    progress.say(f"model {best.name}: the best on the validation ads, top-1 {top1[best.name]:.2%}")
    return best


def load_rule(model: ModelProbs) -> Rule:
    """Reads how a model combines what the classifiers say."""
    if model.is_baseline:
        return baseline("text" if model.name == "text" else "image")
    return stored_rule(model.artifact.path)


def stored_rule(folder: Path) -> Rule:
    """Reads the rule of a fused or an attention model from the folder that it was saved in.

    Raises:
      BadInputError: the folder holds neither.
    """
    if (folder / fusion.PARAMETERS).exists():
        fused = fusion.load(folder)
        return Rule(fused.reads, fused.combine)
    forward = attention.compiled(attention.load(folder))
    return Rule((PIXELS, attention.TEXT), lambda arrays: forward(*arrays)[0])


def load_predictor(workspace: Workspace, model: ModelProbs, promise: Promise) -> Predictor:
    """Reads a model and what stands in for it; the classifiers only when they are first needed.

    Raises:
      MissingArtifactError: something that the model was made from is missing.
      StaleArtifactError: something was edited, or was made from something older.
    """
    digest = model.artifact.check().digest

    def check(classifier: Artifact) -> Path:
        """Where a classifier lies, if it still is what the model was made from."""
        classifier.check()
        if model.artifact.check().digest != digest:
            raise StaleArtifactError(f"{model.artifact.path} was made again meanwhile; start again")
        return classifier.path

    labels = read_labels(workspace.split, "validation")
    shares = read_prior(workspace)
    rules: dict[Kind, Rule] = {}

    def add(rule: Rule, probs: Probs) -> Rule:
        kept = promise.keep(rule, probs, labels)
        rules[KINDS[rule.modalities]] = kept
        return kept

    add(Rule((), lambda _: shares), np.broadcast_to(shares, (len(labels), len(shares))))
    for classifier in all_models(workspace):
        if classifier.is_baseline and classifier != model:
            add(load_rule(classifier), classifier.probs("validation"))
    main = add(load_rule(model), model.probs("validation"))
    image = once(lambda: _image_model(check(workspace.image_model)))
    return Predictor(
        model=main,
        rules=rules,
        prior=shares,
        text=once(lambda: _text_model(check(workspace.text_model))),
        image=image,
        forward=once(lambda: _forward(image())),
    )


def read_prior(workspace: Workspace) -> Probs:
    """The prior of the categories: what an ad that has nothing is answered with: [categories]."""
    labels = read_labels(workspace.split, "train")
    return prior(labels, len(read_categories(workspace.split))).astype(np.float32)


def _text_model(folder: Path) -> "TextModel":
    from adcat.text.models import load

    return load(folder)


def _image_model(folder: Path) -> "ImageModel":
    from adcat.image.classifier import load

    return load(folder)


def _forward(model: "ImageModel") -> "Forward":
    from adcat.image.extraction import extractor

    return extractor(model).forward
