"""Fits any fusion policy on the arrays of the baselines."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.fusion.closed_forms import Evidence, Parameters
from adcat.fusion.fused_model import FusedModel, closed_form, network
from adcat.fusion.policy import ClosedForm, NetworkPolicy, Policy
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import Sample
from adcat.fusion.training import Point, train
from adcat.probabilities import prior
from adcat.progress import Progress
from adcat.types import (
    MODALITIES,
    Availabilities,
    Availability,
    Labels,
    Modality,
    Probs,
    have,
    read_by,
)

Rows: TypeAlias = NDArray[np.int64]

POLICY_TRAINING_SHARE = 0.7  # of the validation ads (thesis, section 4.5.2)


@dataclasses.dataclass(frozen=True)
class PartArrays:
    """What the baselines say of the ads of a part, and their categories."""

    arrays: Mapping[str, NDArray[np.float32]]  # by name, such as `image_probs`: [n, columns]
    labels: Labels  # [n]
    availabilities: Availabilities  # what each ad has: [n]
    groups: Rows  # the number of each ad's group, which duplicates share: [n]

    def of(self, availability: Availability, rows: Rows) -> Rows:
        """Those of the ads that are of this kind."""
        return rows[self.availabilities[rows] == availability]

    def probs(self, modality: Modality, rows: Rows, categories: int) -> Probs:
        """What a baseline says of some ads; of none where it does not exist."""
        name = f"{modality}_probs"
        return self.arrays[name][rows] if len(rows) else np.zeros((0, categories), np.float32)


@dataclasses.dataclass(frozen=True)
class Material:
    """What policies are fitted on."""

    train: PartArrays
    validation: PartArrays
    categories: int

    @property
    def prior(self) -> NDArray[np.float64]:
        """The categories' shares of the training ads: [categories]."""
        return prior(self.train.labels, self.categories)


def fit(
    policy: Policy,
    material: Material,
    rows: Rows,
    settings: PolicySettings,
    progress: Progress,
) -> tuple[FusedModel, Sequence[Point]]:
    """Fits a policy; of the validation ads it sees the given ones only.

    Returns:
      The model, and the history of its training, which is empty for a closed form.
    """
    if isinstance(policy, ClosedForm):
        return fit_closed_form(policy, material, rows, settings.regularisation), ()
    return fit_network(policy, material, rows, settings, progress)


def fit_closed_form(
    policy: ClosedForm, material: Material, rows: Rows, regularisation: float
) -> FusedModel:
    """Finds the parameters of a closed form, on the given validation ads where it needs any.

    What it says of ads that lack a modality is fitted on such ads, where there are any.
    """

    def evidence(availability: Availability, *modalities: Modality) -> Evidence:
        seen, here = material.validation, material.validation.of(availability, rows)
        predictions = [seen.probs(modality, here, material.categories) for modality in modalities]
        return Evidence(predictions, seen.labels[here], material.prior, regularisation)

    single: dict[Modality, Parameters] = {}
    for modality in MODALITIES:
        found = evidence(modality, modality)
        if policy.single_modality and len(found.labels):
            single[modality] = policy.single_modality.fit(found)
    return closed_form(policy, policy.fit(evidence("both", "text", "image")), single)


def fit_network(
    policy: NetworkPolicy,
    material: Material,
    rows: Rows,
    settings: PolicySettings,
    progress: Progress,
) -> tuple[FusedModel, Sequence[Point]]:
    """Trains a network; of the validation ads it sees the given ones only.

    Returns:
      The model, and the history of its training.
    """
    sample, validation = samples(policy, material, rows, settings)
    with progress.task(f"train {policy.name}", settings.max_epochs, "epochs") as task:
        trained = train(policy, sample, validation, material.categories, settings, task)
    parameters = {
        "settings": policy.values(settings),
        "ads": len(sample),
        "best_epoch": trained.best_epoch,
        "last_epoch": trained.last_epoch,
        "train_top1": trained.train_top1,
        "validation_top1": trained.validation_top1,
    }
    return network(policy, trained.model, parameters), trained.history


def samples(
    policy: NetworkPolicy, material: Material, rows: Rows, settings: PolicySettings
) -> tuple[Sample, Sample]:
    """The ads that a network learns from, and the validation set of its training.

    Raises:
      BadInputError: one of them is empty.
    """
    validation = _sample(policy, material.validation, rows, settings)
    if settings.fit_on == "train":
        everything = np.arange(len(material.train.labels))
        sample = _sample(policy, material.train, everything, settings)
    else:
        sample, validation = validation.split(POLICY_TRAINING_SHARE, settings.seed)
    sample, _ = sample.split(settings.fraction, settings.seed)
    if not len(sample) or not len(validation):
        needed = " and ".join(sorted(read_by(policy.reads)))
        raise BadInputError(
            f"{policy.name} has {len(sample)} ads to learn from and {len(validation)} to validate "
            f"on; it needs both, with {needed}: use more ads, or a larger --fraction"
        )
    return sample, validation


def _sample(
    policy: NetworkPolicy, part: PartArrays, rows: Rows, settings: PolicySettings
) -> Sample:
    """Those of the ads that have all that the network reads."""
    rows = rows[have(part.availabilities[rows], read_by(policy.reads))]
    if not len(rows):  # then there may be no such array either
        return Sample([], part.labels, np.ones(len(part.labels), np.float32), rows, part.groups)
    inputs = [part.arrays[name] for name in policy.reads]
    factors = policy.factors(part.arrays, part.labels, settings)
    return Sample(inputs, part.labels, factors, rows, part.groups)
