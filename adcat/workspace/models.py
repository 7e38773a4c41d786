"""The models of a workspace: the baselines, the fused ones, those with attention."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError, MissingArtifactError, StaleArtifactError
from adcat.files import open_array
from adcat.progress import Progress
from adcat.types import MODALITIES, Modality, Part, Probs, Vectors, have
from adcat.workspace.ads import count_ads, read_availabilities, read_prior
from adcat.workspace.artifact import Artifact, Finding
from adcat.workspace.features import open_probs
from adcat.workspace.layout import ATTENTION, Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, TRAIN_PROBS, TUNED_ON, VALIDATION_PROBS

VECTORS = "vectors.npy"  # of an early network the fused ones, of attention what follows it


@dataclasses.dataclass(frozen=True, slots=True)
class ModelProbs:
    """Where a model's probabilities lie: a baseline's, a fused or an attention model's."""

    name: str
    artifact: Artifact
    file: str = "probs.npy"

    @property
    def is_baseline(self) -> bool:
        """Whether it is the text or the image classifier that has no name of its own."""
        return self.name in MODALITIES

    @property
    def modality(self) -> Modality | None:
        """What it reads where it is a classifier, not a combination of several."""
        return next((m for m in MODALITIES if self.file == f"{m}_probs.npy"), None)

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.artifact.path

    @property
    def trained(self) -> Artifact:
        """What its training made: of a classifier not what it says of the ads."""
        if self.modality is None:
            return self.artifact
        return Workspace(self.artifact.root).classifier(self.modality, self.name).model

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it was made with."""
        return self.artifact.manifest().settings

    @property
    def is_tuned_on_validation(self) -> bool:
        """Whether its training was stopped early, or its settings chosen, on the validation ads."""
        notes = self.artifact.manifest().notes
        tuned_on = notes.get(f"{self.modality}_steered_by" if self.modality else TUNED_ON)
        return tuned_on == "validation" and notes.get(VALIDATION_PROBS) != OUT_OF_FOLD

    @property
    def has_out_of_fold_train_probs(self) -> bool:
        """Whether its probabilities of training ads are from models that have not seen the ad."""
        notes = self.artifact.manifest().notes
        name = f"{self.modality}_{TRAIN_PROBS}" if self.modality else TRAIN_PROBS
        return notes.get(name) == OUT_OF_FOLD

    def path(self, part: Part) -> Path:
        """The file that holds the probabilities of the ads of a part."""
        return self.artifact / f"{part}/{self.file}"

    def probs(self, part: Part) -> Probs:
        """The model's probabilities of the ads of a part, memory-mapped: [n, categories].

        Of an ad that a classifier cannot read they are the prior.
        """
        split = Workspace(self.artifact.root).split
        probs = open_probs(self.artifact, part, self.file)
        if not self.modality:
            return probs
        unread = ~have(read_availabilities(split, part), [self.modality])
        return cast(Probs, OrPrior(probs, unread, read_prior(split))) if unread.any() else probs

    def vectors_path(self, part: Part) -> Path:
        """The file that holds the vectors of the ads of a part, where the model makes any."""
        return self.artifact / f"{part}/{f'{self.modality}_' if self.modality else ''}{VECTORS}"

    def vectors(self, part: Part, dimension: int | None = None) -> Vectors:
        """The model's vectors of the ads of a part, memory-mapped: [n, dimension].

        Of an ad that the model cannot read it is not a number.

        Raises:
          BadInputError: the file holds something else, or vectors of another dimension.
        """
        split = Workspace(self.artifact.root).split
        return open_array(self.vectors_path(part), count_ads(split, part), dimension)


def all_models(workspace: Workspace) -> list[ModelProbs]:
    """Every model whose probabilities exist, classifiers first."""
    classifiers = [
        ModelProbs(classifier.name, classifier.features, f"{classifier.modality}_probs.npy")
        for classifier in workspace.classifiers()
    ]
    fused = [ModelProbs(a.path.name, a) for a in workspace.variants("fuse")]
    attention = [ModelProbs(ATTENTION + a.path.name, a) for a in workspace.variants("attend")]
    return [*classifiers, *fused, *attention]


def find_models(workspace: Workspace, names: Sequence[str]) -> list[ModelProbs]:
    """The models of these names, in this order.

    Raises:
      BadInputError: one of them was never made.
    """
    models = {model.name: model for model in all_models(workspace)}
    for name in names:
        if name not in models:
            available = ", ".join(models) or "none yet"
            where = f"there is no model {name!r} in {workspace.root}"
            raise BadInputError(f"{where}; available: {available}")
    return [models[name] for name in names]


def models_to_report(
    workspace: Workspace, names: Sequence[str], part: Part, progress: Progress
) -> list[ModelProbs]:
    """The models of these names; without names, every one that is sound and knows the part.

    Raises:
      BadInputError: a model does not exist, or lacks probabilities of the training ads.
      MissingArtifactError: no model exists.
      StaleArtifactError: a model that was named is stale, or every model is.
    """
    if names:
        models = find_models(workspace, list(dict.fromkeys(names)))
        known: dict[str, Finding] = {}
        for model in models:
            if part == "train" and not _knows_train(model):
                raise BadInputError(
                    f"{model.name} has no probabilities for the training part; only classifiers "
                    "and models made from out-of-fold ones do; use --part validation or --part test"
                )
            model.artifact.check(known)
        return models
    models = [m for m in all_models(workspace) if part != "train" or _knows_train(m)]
    if not models:
        workspace.features.check()
    return _sound(models, progress)


def with_baselines(workspace: Workspace, models: Sequence[ModelProbs]) -> list[ModelProbs]:
    """The baselines, to compare with, and those of the models that are not among them."""
    baselines = [model for model in all_models(workspace) if model.is_baseline]
    return [*baselines, *(model for model in models if not model.is_baseline)]


def read_for(workspace: Workspace, models: Sequence[ModelProbs]) -> list[Artifact]:
    """The artifacts that are read where models are looked at, each once."""
    artifacts = [workspace.split, workspace.features, *(model.artifact for model in models)]
    return list(dict.fromkeys(artifacts))


def _knows_train(model: ModelProbs) -> bool:
    return bool(model.modality) or model.has_out_of_fold_train_probs


def _sound(models: Sequence[ModelProbs], progress: Progress) -> list[ModelProbs]:
    """The models whose artifacts are sound; says which are left out and what makes them again."""
    sound: list[ModelProbs] = []
    known: dict[str, Finding] = {}
    left_out: dict[str, list[str]] = {}  # reason -> names
    for model in models:
        try:
            model.artifact.check(known)
            sound.append(model)
        except (MissingArtifactError, StaleArtifactError) as error:
            left_out.setdefault(str(error), []).append(model.name)
    if not sound:
        models[0].artifact.check(known)  # raises
    for reason, absent in left_out.items():
        progress.say(f"warning: left out {', '.join(absent)}: {reason}")
    return sound


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class OrPrior:
    """A classifier's probabilities of all ads of a part, to be used as their array is.

    Alone it knows nothing of an ad that it cannot read, and predicts the prior.
    """

    probs: NDArray[np.float32]  # [n, categories], not a number where `unread`
    unread: NDArray[np.bool_]  # [n]
    prior: NDArray[np.float32]  # [categories]

    @property
    def shape(self) -> tuple[int, ...]:
        """Ads and categories."""
        return self.probs.shape

    def __len__(self) -> int:
        return len(self.probs)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        return np.where(self.unread[rows][..., None], self.prior, self.probs[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # it is one always
        return self[:].astype(dtype or np.float32, copy=False)
