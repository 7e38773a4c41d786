"""What a fusion policy may read of a workspace."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from adcat.errors import BadInputError
from adcat.evaluation.metrics import check_distributions
from adcat.fusion.material import Material, PartArrays
from adcat.fusion.policy import ConfusionPolicy, LinearPolicy, Policy, StackPolicy
from adcat.fusion.stacking import array_of
from adcat.text import registry
from adcat.types import MODALITIES, Part, have
from adcat.workspace.ads import (
    iterate_ads,
    read_availabilities,
    read_categories,
    read_groups,
    read_labels,
    read_modalities,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features, open_probs
from adcat.workspace.layout import Classifier, Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, TRAIN_PROBS

STACKED_BY_DEFAULT = "linear"  # beside the classifiers


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """The artifacts, and what is read of each."""

    inputs: Sequence[Artifact]
    classifiers: Sequence[Classifier]  # their probabilities and vectors
    terms: Sequence[Classifier] = ()  # the terms that they read
    fused: Sequence[Artifact] = ()  # their probabilities
    fits_vectors: bool = False  # a regression on the photos' vectors


def read_sources(workspace: Workspace, policy: Policy, models: str, target: Artifact) -> Sources:
    """What a policy reads of a workspace.

    Args:
      workspace: holds it.
      policy: reads it.
      models: for a stack the names of its models, by commas; empty for every classifier and linear.
      target: what is made, which a stack cannot read.

    Raises:
      BadInputError: something that it needs does not exist.
    """
    split, features = workspace.split, workspace.features
    unnamed = [workspace.classifier(modality) for modality in read_modalities(split)]
    is_of_pairs = isinstance(policy, ConfusionPolicy)
    if (is_of_pairs or isinstance(policy, LinearPolicy)) and len(unnamed) < len(MODALITIES):
        raise BadInputError(f"{policy.name} reads text and photo, and no ad of the split has both")
    if isinstance(policy, LinearPolicy):
        terms = [c for c in [*unnamed, *workspace.named_classifiers()] if _has_terms(c)]
        if not terms:
            raise BadInputError(
                "linear reads the terms of a TF-IDF text classifier, and there is none; type: "
                "adcat train-text --model tfidf --name words"
            )
        inputs = [split, features, *(c.model for c in terms)]
        return Sources(inputs, unnamed, terms, fits_vectors=True)
    if not isinstance(policy, StackPolicy):
        return Sources([split, features], unnamed, fits_vectors=is_of_pairs)
    classifiers = {c.name: c for c in workspace.classifiers()}
    fused = {a.path.name: a for a in workspace.variants("fuse") if a != target}
    names = models.split(",") if models else [*classifiers, *fused.keys() & {STACKED_BY_DEFAULT}]
    for name in names:
        if name not in classifiers and name not in fused:
            there = ", ".join([*classifiers, *fused]) or "none yet"
            raise BadInputError(f"there is no model {name!r} to combine; available: {there}")
    read = [classifiers[name] for name in names if name in classifiers]
    members = [fused[name] for name in names if name in fused]
    artifacts = [split, features, *(c.features for c in read), *members]
    return Sources(list(dict.fromkeys(artifacts)), read, (), members)


def _has_terms(classifier: Classifier) -> bool:
    is_there = classifier.modality == "text" and classifier.model.path.exists()
    return is_there and not classifier.reads_vectors and registry.has_terms(classifier.model.path)


def read_material(workspace: Workspace, sources: Sources) -> Material:
    """The training and the validation ads; whether classifiers have not seen the former."""
    train, validation = (read_part(workspace, sources, part) for part in ("train", "validation"))
    notes = [(c.features, f"{c.modality}_{TRAIN_PROBS}") for c in sources.classifiers]
    notes += [(artifact, TRAIN_PROBS) for artifact in sources.fused]
    # Nobody has learned terms, but all layers may have learned the vectors.
    out_of_fold = bool(sources.terms) or all(
        artifact.manifest().notes.get(note) == OUT_OF_FOLD for artifact, note in notes
    )
    if out_of_fold and sources.fits_vectors:
        out_of_fold = workspace.image_model.manifest().settings.get("stage") != "all"
    return Material(train, validation, len(read_categories(workspace.split)), out_of_fold)


def read_part(workspace: Workspace, sources: Sources, part: Part) -> PartArrays:
    """Everything that is read of the ads of a part.

    Raises:
      BadInputError: a model to be stacked has no probabilities of training ads, or an array holds
        something else.
    """
    split, availabilities = workspace.split, read_availabilities(workspace.split, part)
    arrays: dict[str, Any] = {}
    for classifier in sources.classifiers:
        features, modality = Features(classifier.features), classifier.modality
        arrays[classifier.array("probs")] = probs = features.probs(part, modality)
        path = classifier.features / f"{part}/{modality}_probs.npy"
        check_distributions(probs, path, have(availabilities, [modality]))
        arrays[classifier.array("vectors")] = features.vectors(part, modality)
    for classifier in sources.terms:
        arrays[classifier.array("terms")] = _terms(split, part, classifier)
    for artifact in sources.fused:
        if not (artifact / f"{part}/probs.npy").exists():
            raise BadInputError(
                f"{artifact.path} has no out-of-fold probabilities of the training ads; leave it "
                "out of --models, or train the classifiers with --folds 5 and make it again"
            )
        arrays[array_of(artifact.path.name)] = open_probs(artifact, part, "probs.npy")
    return PartArrays(arrays, read_labels(split, part), availabilities, read_groups(split, part))


def _terms(split: Artifact, part: Part, classifier: Classifier) -> Any:
    """The terms of every ad of a part, none where it has no text: [n, terms], sparse."""
    from scipy.sparse import vstack

    folder = classifier.model.path
    model, reading = registry.load(folder), registry.reading_of(folder)
    assert isinstance(model, registry.TermModel)
    blocks = [
        model.terms([reading.text(ad["title"], ad["description"]) for ad in chunk.to_pylist()])
        for chunk in iterate_ads(split, part, ("title", "description"))
    ]
    return vstack([model.terms([]), *blocks], format="csr")
