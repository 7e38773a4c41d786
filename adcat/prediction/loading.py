"""Makes a predictor of a workspace's models."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention import attention_model as attention
from adcat.data.table import parse_headers
from adcat.errors import StaleArtifactError
from adcat.evaluation.metrics import check_distributions
from adcat.fusion import fused_model as fusion
from adcat.fusion.stacking import model_name
from adcat.image.inference import TENSORFLOW
from adcat.prediction.classifiers import EngineOf, classifiers, forwards
from adcat.prediction.given_vectors import Given, classifiers_of_vectors, read_given
from adcat.prediction.predictor import PIXELS, ModelFacts, Predictor
from adcat.prediction.rules import Promise, Rule, baselines, fused_rules
from adcat.types import (
    AVAILABILITIES,
    MODALITIES,
    Availabilities,
    Availability,
    Labels,
    Modality,
    Probs,
    have,
)
from adcat.workspace.ads import (
    read_availabilities,
    read_categories,
    read_groups,
    read_labels,
    read_prior,
)
from adcat.workspace.artifact import Artifact, Finding
from adcat.workspace.command_lines import OF_NAME
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import VALIDATION_PROBS
from adcat.workspace.models import ModelProbs, all_models


def load_rules(model: ModelProbs) -> tuple[Rule, dict[Availability, Rule]]:
    """Reads how a model combines what the classifiers say, and what predicts where it cannot.

    Returns:
      Its own rule, and the rules by availability, its own among them.
    """
    if model.modality:
        rules = baselines()
        if model.is_baseline:
            return rules[model.modality], rules
        own = Rule((f"{model.modality}_probs{OF_NAME}{model.name}",), lambda arrays: arrays[0])
        return own, {**rules, model.modality: own}
    columns = Features(Workspace(model.artifact.root).features).columns()
    return stored_rules(model.artifact.path, columns)


def stored_rules(
    folder: Path, columns: Mapping[str, int] | None = None
) -> tuple[Rule, dict[Availability, Rule]]:
    """The same of a fused or an attention model, from the folder that it was saved in.

    Args:
      folder: holds it.
      columns: of the arrays that it may read, by name, such as `image_probs`, if they are known.

    Raises:
      BadInputError: the folder holds neither.
    """
    if (folder / fusion.PARAMETERS).exists():
        fused = fusion.load(folder, columns)
        rules = fused_rules(fused)
        return rules[AVAILABILITIES[fused.modalities]], rules
    sizes = (columns["image_probs"], columns[attention.TEXT]) if columns else ()
    loaded = attention.load(folder, *sizes)
    forward = attention.compiled(loaded)
    main = Rule((PIXELS, attention.TEXT), lambda arrays: forward(*arrays)[0])
    return main, {**baselines(), AVAILABILITIES[main.modalities]: main}


def facts_of(workspace: Workspace, model: ModelProbs) -> ModelFacts:
    """What predicting needs to know of a model beside its files.

    Raises:
      MissingArtifactError: something that the model was made from is missing.
      StaleArtifactError: something was edited, or was made from something older.
    """
    split = workspace.split
    known: dict[str, Finding] = {}
    for artifact in (split, workspace.text_model, workspace.image_model, model.artifact):
        if artifact in (split, model.artifact) or artifact.path.exists():
            artifact.check(known)
    made_from = {
        name: finding.manifest.digest
        for name, finding in known.items()
        if finding.manifest
        and (name == model.artifact.name or name.startswith(("split", "train-")))
    }
    of_split = split.manifest().settings
    return ModelFacts(
        model=model.name,
        categories=read_categories(split),
        prior=read_prior(split).tolist(),
        headers=parse_headers(of_split.get("column", [])),
        image_separator=of_split.get("image_separator", ""),
        image_pattern=of_split.get("image_pattern", ""),
        made_from=made_from,
        layers={m: Features(workspace.features).layer(m) for m in MODALITIES},
    )


def load_predictor(
    workspace: Workspace,
    model: ModelProbs,
    promise: Promise,
    vectors: Given = MappingProxyType({}),
    engine_of: EngineOf = lambda _: TENSORFLOW,
) -> Predictor:
    """Reads a model and what stands in for it; the classifiers only when they are first needed.

    Args:
      workspace: holds them.
      model: which one.
      promise: what to calibrate.
      vectors: files of new ads' vectors, for classifiers that read vectors made elsewhere.
      engine_of: chooses what runs an image classifier.

    Raises:
      BadInputError: vectors of new ads are missing, or fit no classifier.
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

    main, rules = load_rules(model)
    needed = classifiers_of_vectors(workspace, [main, *(rules[m] for m in main.modalities)])
    of_vectors = classifiers_of_vectors(workspace, [main, *rules.values()])
    given = read_given(workspace, needed, of_vectors, vectors)
    unable = {c.modality for c in of_vectors} - {found.modality for found in given}
    seen = _Validation.read(workspace, model)
    own, nothing = AVAILABILITIES[main.modalities], Rule((), lambda _: seen.prior)
    kept: dict[Availability, Rule] = {
        "none": promise.keep(nothing, *seen.nothing()),
        own: promise.keep(main, *seen.whole(main)),
    }
    for modality in MODALITIES:
        if modality in seen.classifiers and modality != own and modality not in unable:
            rule = rules[modality]
            kept[modality] = promise.keep(rule, *seen.single(modality, rule, main, promise.fewest))

    images = classifiers(workspace, "image", check)
    return Predictor(
        facts=facts_of(workspace, model),
        model=kept[own],
        rules=kept,
        text=classifiers(workspace, "text", check),
        image=images,
        forward=forwards(images, engine_of),
        given=given,
        calibrated_on="nothing" if kept[own] == main else _calibrated_on(model),
    )


def _calibrated_on(model: ModelProbs) -> str:
    """The probabilities that temperature and threshold are fitted on."""
    notes = model.artifact.manifest().notes
    found = f"validation ads, probabilities {notes.get(VALIDATION_PROBS, 'of the one model')}"
    if model.is_tuned_on_validation:
        found += "; its training was tuned on them"
    return found


# Probabilities [n, categories], labels [n] and numbers of groups [n] of the same ads.
Predicted: TypeAlias = tuple[Probs, Labels, NDArray[np.int64]]


@dataclasses.dataclass(frozen=True)
class _Validation:
    """The validation ads, by what they have, and what is said of them."""

    model: ModelProbs
    classifiers: Mapping[str, ModelProbs]
    labels: Labels  # [n]
    availabilities: Availabilities  # [n]
    groups: NDArray[np.int64]  # [n]
    prior: Probs  # [categories]

    @classmethod
    def read(cls, workspace: Workspace, model: ModelProbs) -> "_Validation":
        """Reads all but the probabilities."""
        split = workspace.split
        classifiers = {m.name: m for m in all_models(workspace) if m.modality}
        return cls(
            model,
            classifiers,
            read_labels(split, "validation"),
            read_availabilities(split, "validation"),
            read_groups(split, "validation"),
            read_prior(split),
        )

    def nothing(self) -> Predicted:
        """What is said of an ad of which nothing is known."""
        probs = np.broadcast_to(self.prior, (len(self.labels), len(self.prior)))
        return probs, self.labels, self.groups

    def whole(self, main: Rule) -> Predicted:
        """The model's predictions of ads that have all that it reads."""
        return self._of(self.model, have(self.availabilities, main.modalities))

    def single(self, availability: Modality, rule: Rule, main: Rule, fewest: int) -> Predicted:
        """The predictions of ads that have one modality only and that the model cannot read.

        Where there are fewer: the rule's of all ads that have the modality.
        """
        classifier = self.classifiers[availability]
        rows = self.availabilities == availability
        if np.count_nonzero(rows) >= fewest:
            return self._of(self.model if availability in main.modalities else classifier, rows)
        rows = have(self.availabilities, [availability])
        read = [self._of(self.classifiers[model_name(array)], rows)[0] for array in rule.reads]
        return rule.combine(read), self.labels[rows], self.groups[rows]

    def _of(self, model: ModelProbs, rows: NDArray[np.bool_]) -> Predicted:
        probs = model.probs("validation")
        check_distributions(probs, model.path("validation"))
        return probs[rows], self.labels[rows], self.groups[rows]
