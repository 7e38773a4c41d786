"""Heads: last layers that are fitted on vectors, of a frozen network or made elsewhere."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import folds, folds_for
from adcat.data.vector_files import BLOCK, check_finite, files_of, vector_batches
from adcat.errors import BadInputError, expecting
from adcat.files import create_array, open_array, save_array, sha256
from adcat.image import last_layer
from adcat.image.last_layer import LabelledVectors, LastLayer
from adcat.progress import Progress
from adcat.tables import Column, Table, percent, write_table
from adcat.types import PARTS, Labels, Modality, Part, Probs, Vectors, have
from adcat.workspace.ads import (
    count_ads,
    iterate_ads,
    read_availabilities,
    read_categories,
    read_groups,
    read_labels,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import LAST_LAYER, Classifier
from adcat.workspace.manifest import OUT_OF_FOLD, OUT_OF_FOLD_TRAIN_PROBS, TRAIN_PROBS
from adcat.workspace.staging import Staging

VECTORS = "vectors.npy"  # of the ads of a part
EXAMPLES = 3  # ids that a message names
WORDS: Mapping[Modality, str] = {"text": "text", "image": "photo"}


@dataclasses.dataclass(frozen=True)
class Fitting:
    """How a head is fitted, and where what comes of it goes."""

    categories: int
    folds: int | None  # of out-of-fold probabilities
    seed: int
    staging: Staging
    progress: Progress

    def fit(
        self, photos: LabelledVectors, validation: tuple[Vectors, Labels]
    ) -> tuple[LastLayer, Table]:
        """Fits a head with the best strength of its prior; returns it, and what came of it."""
        losses = last_layer.search(photos, self.seed, self.progress)
        strength = min(losses, key=losses.__getitem__)
        rows = np.arange(len(photos.labels))
        fitted = last_layer.fit(photos, rows, self.categories, strength)
        columns = [Column("strength", "{:g}"), Column("out-of-fold loss", "{:.4f}")]
        table = Table("Strength of the last layer's prior", columns, list(losses.items()))
        write_table(self.staging.folder, "strengths", table)
        self.write_out_of_fold(photos, strength)
        vectors, labels = validation
        right = fitted.probs(vectors).argmax(axis=1) == labels
        top1 = float(right.mean()) if len(right) else None
        columns = [*columns, percent("validation top-1")]
        return fitted, Table("Last layer", columns, [[strength, losses[strength], top1]])

    def write_out_of_fold(self, photos: LabelledVectors, strength: float) -> None:
        """Writes the training ads' probabilities by heads that did not see them, if asked."""
        if count := folds_for(self.folds, photos.groups):
            cuts = folds(photos.groups, count, self.seed)
            probs = last_layer.out_of_fold_probs(photos, cuts, self.categories, strength)
            save_array(self.staging.folder / OUT_OF_FOLD_TRAIN_PROBS, probs)
            notes = {TRAIN_PROBS: OUT_OF_FOLD, "trained_per_fold": "the last layer"}
            self.staging.notes.update(notes)


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """A classifier that reads vectors made elsewhere."""

    classifier: Classifier
    layer: LastLayer

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return len(self.layer.kernel)

    def stream(self, split: Artifact, part: Part, done: int) -> Iterator[tuple[Vectors, Probs]]:
        """Streams vectors [b, dimension] and probabilities of a part's ads that have them."""
        array = open_array(
            self.classifier.model / part / VECTORS, count_ads(split, part), self.dimension
        )
        there = have(read_availabilities(split, part), [self.classifier.modality])
        rows = np.flatnonzero(there)
        for start in range(done, len(rows), BLOCK):
            vectors = array[rows[start : start + BLOCK]]
            yield vectors, self.layer.probs(vectors)


def load(classifier: Classifier, categories: int) -> Head:
    """Reads the head of a classifier that `reads_vectors`.

    Raises:
      BadInputError: its file holds something else.
    """
    path = classifier.model / LAST_LAYER
    with expecting(path, "last layer"):
        weights = np.load(path, allow_pickle=False)
        if weights.ndim != 2 or weights.shape[1] != categories or weights.dtype != np.float32:
            raise ValueError(f"{weights.dtype} of shape {weights.shape}")
    return Head(classifier, LastLayer(weights[:-1], weights[-1]))


def fit_on_file(
    classifier: Classifier,
    split: Artifact,
    path: Path,
    count: int | None,
    seed: int,
    progress: Progress,
) -> Table:
    """Makes a classifier of vectors made elsewhere.

    Args:
      classifier: to be made.
      split: the ads.
      path: the vectors of all ads that have the classifier's modality, by id.
      count: folds of the out-of-fold probabilities.
      seed: draws the ads that the prior's strength is chosen on, and cuts the folds.
      progress: counts ads and strengths.

    Raises:
      BadInputError: the file holds something else, or lacks ads.
    """
    digests = {file.name: sha256(file) for file in files_of(path)}
    modality, categories = classifier.modality, len(read_categories(split))
    recorded = {"vectors": path.name, "folds": count, "seed": seed}
    with classifier.model.write(recorded, [split]) as staging:
        _place(split, modality, path, staging.folder, progress)

        def read(part: Part) -> tuple[Vectors, Labels]:
            there = have(read_availabilities(split, part), [modality])
            vectors = open_array(staging.folder / part / VECTORS, len(there))
            return vectors if there.all() else vectors[there], read_labels(split, part, [modality])

        vectors, labels = read("train")
        if not len(labels):
            raise BadInputError(f"no training ad has a {WORDS[modality]}; split again")
        groups = read_groups(split, "train", [modality])
        photos = LabelledVectors(
            vectors, labels, groups, last_layer.scaling(vectors, is_random=False)
        )
        fitting = Fitting(categories, count, seed, staging, progress)
        fitted, table = fitting.fit(photos, read("validation"))
        save_array(staging.folder / LAST_LAYER, np.vstack([fitted.kernel, fitted.bias]))
        staging.notes.update({"fitted_on": "train", "vectors_sha256": digests})
    return table


def _place(
    split: Artifact, modality: Modality, path: Path, folder: Path, progress: Progress
) -> None:
    """Writes the vectors of every part's ads, in their order; NaN where an ad needs none.

    Raises:
      BadInputError: an ad has none that should have, or several.
    """
    there = {part: have(read_availabilities(split, part), [modality]) for part in PARTS}
    chunks = (chunk for part in PARTS for chunk in iterate_ads(split, part, ["id"]))
    ids = [id for chunk in chunks for id in chunk["id"].to_pylist()]  # of all parts, one by one
    wanted = np.flatnonzero(np.concatenate(list(there.values())))
    number = {ids[k]: k for k in wanted}
    times, others, arrays = np.zeros(len(ids), np.int64), list[str](), list[Vectors]()
    with progress.task(f"reading {path.name}", len(wanted), "vectors") as task:
        for found, vectors in vector_batches(path):
            arrays = arrays or [_create(folder / p / VECTORS, there[p], vectors) for p in PARTS]
            rows = np.array([number.get(id, -1) for id in found])
            others += [id for id, row in zip(found, rows, strict=True) if row < 0]
            used = np.flatnonzero(rows >= 0)
            np.add.at(times, rows[used], 1)
            check_finite(path, [found[k] for k in used], vectors[used])
            for array in arrays:
                here = (rows >= 0) & (rows < len(array))
                array[rows[here]] = vectors[here]
                rows -= len(array)
            task.advance(len(used))
    whose = f"ads of the split with a {WORDS[modality]}"
    for wrong, what in ((times == 0, "no vector"), (times > 1, "several vectors")):
        if len(rows := wanted[wrong[wanted]]):
            examples = ", ".join(ids[k] for k in rows[:EXAMPLES])
            besides = f"; ids of no such ad: {', '.join(others[:EXAMPLES])}" if others else ""
            many = f"{len(rows):,} of {len(wanted):,}"
            raise BadInputError(f"{path} has {what} for {many} {whose}: {examples}{besides}")
    if others:
        progress.say(f"{len(others):,} vectors in {path} are of no {whose}; they are not used")


def _create(path: Path, there: NDArray[np.bool_], vectors: Vectors) -> Vectors:
    """An array file of a row for each ad, as long as these vectors."""
    array = create_array(path, len(there), vectors.shape[1])
    array[~there] = np.nan
    return array
