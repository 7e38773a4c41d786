"""The arrays of features: what a classifier makes of the ads of every part."""

import functools

import numpy as np

from adcat.files import link_or_copy, open_array
from adcat.prediction.streams import Stream
from adcat.progress import Progress
from adcat.types import PARTS, have
from adcat.workspace.ads import read_availabilities, read_categories
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Classifier
from adcat.workspace.manifest import ENGINE, OUT_OF_FOLD_TRAIN_PROBS, TRAIN_PROBS, TUNED_ON
from adcat.workspace.resumable_arrays import fill
from adcat.workspace.staging import Staging

KINDS = ("vectors", "probs")
UNITS = {"text": "ads", "image": "images"}


def files(classifier: Classifier) -> list[str]:
    """The files of a classifier's arrays."""
    return [f"{part}/{classifier.modality}_{kind}.npy" for part in PARTS for kind in KINDS]


def keep(classifier: Classifier, staging: Staging) -> None:
    """Takes the arrays from the features that are there."""
    for file in files(classifier):
        target = staging.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(classifier.features / file, target)
    notes = classifier.features.manifest().notes
    if classifier.modality == "image" and ENGINE in notes:
        staging.notes[ENGINE] = notes[ENGINE]
    _note(classifier, staging)


def write(
    classifier: Classifier, split: Artifact, stream: Stream, staging: Staging, progress: Progress
) -> None:
    """Fills the arrays, from where an earlier run stopped.

    Args:
      classifier: whose arrays they are.
      split: the ads.
      stream: what the classifier makes of them.
      staging: the features that are being made.
      progress: counts the ads.
    """
    modality = classifier.modality
    columns = {"vectors": stream.dimension, "probs": len(read_categories(split))}
    for part in PARTS:
        there = have(read_availabilities(split, part), [modality])
        folder, count = staging.folder / part, staging.checkpoints / f"{part}-{modality}.rows"
        arrays = {folder / f"{modality}_{kind}.npy": columns[kind] for kind in KINDS}
        title = f"{classifier.name} features, {part}"
        batches = functools.partial(stream.batches, part)
        fill(arrays, there, count, batches, progress, title, UNITS[modality])
    out_of_fold = classifier.model / OUT_OF_FOLD_TRAIN_PROBS
    if out_of_fold.exists():
        there = have(read_availabilities(split, "train"), [modality])
        path = staging.folder / f"train/{modality}_probs.npy"
        probs = np.load(path, mmap_mode="r+", allow_pickle=False)
        probs[there] = open_array(out_of_fold, int(there.sum()), columns["probs"])
    _note(classifier, staging)


def _note(classifier: Classifier, staging: Staging) -> None:
    notes, modality = classifier.model.manifest().notes, classifier.modality
    staging.notes.update({"fitted_on": "nothing", f"{modality}_steered_by": notes.get(TUNED_ON)})
    if TRAIN_PROBS in notes:
        staging.notes[f"{modality}_{TRAIN_PROBS}"] = notes[TRAIN_PROBS]
