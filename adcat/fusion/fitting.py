"""Fits any fusion policy on the arrays of the baselines."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.fusion.fused_model import FusedModel, closed_form, network
from adcat.fusion.networks import NETWORKS, NetworkSettings
from adcat.fusion.policies import POLICIES, Evidence, LoneEvidence, Parameters
from adcat.fusion.samples import Sample, boost, boost_proportionally
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


@dataclasses.dataclass(frozen=True)
class Regime:
    """Which ads a network learns from."""

    fit_on: Literal["train", "validation"]
    fraction: float
    seed: int


def fit_closed_form(
    policy: str, material: Material, rows: Rows, regularisation: float
) -> FusedModel:
    """Fits a policy of `adcat.fusion.policies`, on the given validation ads where it needs any.

    What it says of ads that lack a modality is fitted on such ads, where there are any.
    """
    seen, made = material.validation, POLICIES[policy]
    whole = seen.of("both", rows)
    evidence = Evidence(
        o_img=seen.probs("image", whole, material.categories),
        o_txt=seen.probs("text", whole, material.categories),
        labels=seen.labels[whole],
        prior=material.prior,
        regularisation=regularisation,
    )
    lone: dict[Modality, Parameters] = {}
    for modality in MODALITIES:
        here = seen.of(modality, rows)
        if made.alone and len(here):
            o = seen.probs(modality, here, material.categories)
            lone_evidence = LoneEvidence(o, seen.labels[here], material.prior, regularisation)
            lone[modality] = made.alone.fit(lone_evidence)
    return closed_form(policy, made.fit(evidence), lone)


def fit_network(
    policy: str,
    material: Material,
    rows: Rows,
    regime: Regime,
    settings: NetworkSettings,
    progress: Progress,
) -> tuple[FusedModel, Sequence[Point]]:
    """Trains a network; of the validation ads it sees the given ones only.

    Returns:
      The model, and the history of its training.
    """
    sample, judge = samples(policy, material, rows, regime, settings)
    with progress.task(f"train {policy}", settings.max_epochs, "epochs") as task:
        trained = train(policy, sample, judge, material.categories, settings, regime.seed, task)
    parameters = {
        "settings": dataclasses.asdict(settings),
        "fit_on": regime.fit_on,
        "ads": len(sample),
        "best_epoch": trained.best_epoch,
        "last_epoch": trained.last_epoch,
        "train_top1": trained.train_top1,
        "validation_top1": trained.validation_top1,
    }
    return network(policy, trained.model, parameters), trained.history


def samples(
    policy: str, material: Material, rows: Rows, regime: Regime, settings: NetworkSettings
) -> tuple[Sample, Sample]:
    """The ads that a network learns from, and those that steer its training.

    Raises:
      BadInputError: one of them is empty.
    """
    judge = _sample(policy, material.validation, rows, settings)
    if regime.fit_on == "train":
        everything = np.arange(len(material.train.labels))
        sample = _sample(policy, material.train, everything, settings)
    else:
        sample, judge = judge.split(POLICY_TRAINING_SHARE, regime.seed)
    sample, _ = sample.split(regime.fraction, regime.seed)
    if not len(sample) or not len(judge):
        needed = " and ".join(sorted(read_by(NETWORKS[policy].reads)))
        raise BadInputError(
            f"{policy} has {len(sample)} ads to learn from and {len(judge)} to steer by; "
            f"it needs both, and ads with {needed}: take more, or a larger --fraction"
        )
    return sample, judge


def _sample(policy: str, part: PartArrays, rows: Rows, settings: NetworkSettings) -> Sample:
    """Those of the ads that have all that the network reads."""
    reads = NETWORKS[policy].reads
    rows = rows[have(part.availabilities[rows], read_by(reads))]
    if not len(rows):  # then there may be no such array either
        return Sample([], part.labels, np.ones(len(part.labels), np.float32), rows)
    inputs = [part.arrays[name] for name in reads]
    return Sample(inputs, part.labels, _weights(policy, part, settings), rows)


def _weights(policy: str, part: PartArrays, settings: NetworkSettings) -> NDArray[np.float32]:
    """The factors B_n of the policy's loss: [n]."""
    if policy not in ("image-boost", "image-boost-prop"):
        return np.ones(len(part.labels), np.float32)
    o_img, o_txt = part.arrays["image_probs"], part.arrays["text_probs"]
    factor = settings.image_boost
    if policy == "image-boost":
        return boost(o_img, part.labels, factor + (settings.boost_form == "one-plus-c"))
    return boost_proportionally(o_img, o_txt, part.labels, factor)
