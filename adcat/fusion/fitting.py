"""Fits any fusion policy on the arrays of the baselines."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Labels, prior
from adcat.errors import BadInputError
from adcat.fusion.model import FusedModel, closed_form, network
from adcat.fusion.networks import NETWORKS, NetworkSettings
from adcat.fusion.policies import POLICIES, Evidence
from adcat.fusion.samples import Sample, boost, boost_proportionally
from adcat.fusion.training import Point, train
from adcat.progress import Progress

Rows: TypeAlias = NDArray[np.int64]

POLICY_TRAINING_SHARE = 0.7  # of the validation ads (thesis, section 4.5.2)


@dataclasses.dataclass(frozen=True)
class PartArrays:
    """What the baselines say of the ads of a part, and their categories."""

    arrays: Mapping[str, NDArray[np.float32]]  # by name, such as `image_probs`: [n, columns]
    labels: Labels  # [n]


@dataclasses.dataclass(frozen=True)
class Material:
    """What policies are fitted on."""

    train: PartArrays
    validation: PartArrays
    categories: int


@dataclasses.dataclass(frozen=True)
class Regime:
    """Which ads a network learns from."""

    fit_on: Literal["train", "validation"]
    fraction: float
    seed: int


def fit_closed_form(
    policy: str, material: Material, rows: Rows, regularisation: float
) -> FusedModel:
    """Fits a policy of `adcat.fusion.policies`, on the given validation ads where it needs any."""
    seen = material.validation
    evidence = Evidence(
        o_img=seen.arrays["image_probs"][rows],
        o_txt=seen.arrays["text_probs"][rows],
        labels=seen.labels[rows],
        prior=prior(material.train.labels, material.categories),
        regularisation=regularisation,
    )
    return closed_form(policy, POLICIES[policy].fit(evidence))


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
        raise BadInputError(
            f"{policy} has {len(sample)} ads to learn from and {len(judge)} to steer by; "
            "it needs both: take more ads, or a larger --fraction"
        )
    return sample, judge


def _sample(policy: str, part: PartArrays, rows: Rows, settings: NetworkSettings) -> Sample:
    inputs = [part.arrays[name] for name in NETWORKS[policy].reads]
    return Sample(inputs, part.labels, _weights(policy, part, settings), rows)


def _weights(policy: str, part: PartArrays, settings: NetworkSettings) -> NDArray[np.float32]:
    """The factors B_n of the policy's loss: [n]."""
    o_img, o_txt, factor = (
        part.arrays["image_probs"],
        part.arrays["text_probs"],
        settings.image_boost,
    )
    if policy == "image-boost":
        return boost(o_img, part.labels, factor + (settings.boost_form == "one-plus-c"))
    if policy == "image-boost-prop":
        return boost_proportionally(o_img, o_txt, part.labels, factor)
    return np.ones(len(part.labels), np.float32)
