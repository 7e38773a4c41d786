"""Vectors of new ads that were made elsewhere, for the classifiers that read such."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from adcat import heads
from adcat.data.vector_files import check_finite, vector_batches
from adcat.errors import BadInputError
from adcat.image.last_layer import LastLayer
from adcat.prediction.rules import Rule
from adcat.settings import flag
from adcat.types import Modality, Probs, Vectors
from adcat.workspace.ads import read_categories
from adcat.workspace.layout import TRAINED_BY, Classifier, Workspace

NO_VECTOR = "no vector given"  # a problem of an ad

Given: TypeAlias = Mapping[Modality, Sequence[str]]  # what is typed: FILE or NAME=FILE


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class GivenVectors:
    """A classifier that reads vectors made elsewhere, and those of new ads."""

    modality: Modality
    of: str  # what the names of its arrays end in: nothing, or as `@clip`
    path: Path
    layer: LastLayer
    vectors: Mapping[str, Vectors]  # by the ad's id: [dimension]

    def features(self, ids: Sequence[str]) -> tuple[Vectors, Probs]:
        """Vectors [n, dimension] and probabilities [n, categories] of ads."""
        vectors = np.stack([self.vectors[id] for id in ids])
        return vectors, self.layer.probs(vectors)


def classifiers_of_vectors(workspace: Workspace, rules: Iterable[Rule]) -> list[Classifier]:
    """The classifiers on vectors made elsewhere whose arrays some rules read."""
    arrays = {name for rule in rules for name in rule.reads}
    every = [*map(workspace.classifier, TRAINED_BY), *workspace.named_classifiers()]
    found = [c for c in every if c.reads_vectors]
    return [c for c in found if {c.array("probs"), c.array("vectors")} & arrays]


def read_given(
    workspace: Workspace, needed: Sequence[Classifier], read: Sequence[Classifier], given: Given
) -> list[GivenVectors]:
    """Reads the vectors of new ads.

    Args:
      workspace: holds the classifiers.
      needed: those that must have vectors.
      read: those that may have some, too.
      given: the files.

    Raises:
      BadInputError: some are missing, no classifier is to read them, or they do not fit it.
    """
    files = {
        name: Path(file) for m, files in given.items() for name, file in _named(files, m, read)
    }
    for classifier in needed:
        if classifier.name not in files:
            option = flag(f"{classifier.modality}_vectors")
            raise BadInputError(
                f"the {classifier.modality} classifier {classifier.model.path} reads vectors made "
                f"elsewhere; give those of the new ads, by id: {option} FILE"
            )
    return [_read(workspace, c, files[c.name]) for c in read if c.name in files]


def _named(
    files: Sequence[str], modality: Modality, read: Sequence[Classifier]
) -> list[tuple[str, str]]:
    """The names of the classifiers, and the files that are for them."""
    names, found = [c.name for c in read if c.modality == modality], list[tuple[str, str]]()
    for file in files:
        name, _, path = file.partition("=")
        if name not in names and len(names) != 1:
            several = f"{' and '.join(names)} do; type NAME={file}"
            whose = several if names else "the model reads none; leave the option out"
            raise BadInputError(f"{flag(f'{modality}_vectors')} {file}: which reads them? {whose}")
        found.append((name, path) if name in names else (names[0], file))
    return found


def _read(workspace: Workspace, classifier: Classifier, path: Path) -> GivenVectors:
    classifier.model.check()
    head = heads.load(classifier, len(read_categories(workspace.split)))
    found: dict[str, Vectors] = {}
    for ids, vectors in vector_batches(path):
        check_finite(path, ids, vectors)
        if vectors.shape[1] != head.dimension:
            raise BadInputError(
                f"{path} has vectors of length {vectors.shape[1]}, {classifier.model.path} reads "
                f"those of length {head.dimension}"
            )
        for id, vector in zip(ids, vectors, strict=True):
            if id in found:
                raise BadInputError(f"{path} has several vectors for {id}; expected one")
            found[id] = vector
    of = classifier.array("probs").removeprefix(f"{classifier.modality}_probs")
    return GivenVectors(classifier.modality, of, path, head.layer, found)
