"""Fits any fusion policy on the arrays of the baselines."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from adcat.data.splitting import FOLDS, folds
from adcat.errors import BadInputError
from adcat.fusion import confusion_driven, linear, log_linear
from adcat.fusion.algorithm1 import epochs
from adcat.fusion.closed_forms import Evidence, Parameters
from adcat.fusion.data_size import AnySettings, resolve
from adcat.fusion.fused_model import FusedModel, closed_form, network, of_pairs, regression, stack
from adcat.fusion.material import Material, PartArrays, Rows, Seen
from adcat.fusion.policy import (
    ClosedForm,
    ConfusionPolicy,
    LinearPolicy,
    NetworkPolicy,
    Policy,
    StackPolicy,
)
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import Sample
from adcat.fusion.training import Point, train
from adcat.progress import Progress
from adcat.types import MODALITIES, Availability, Modality, Part, have, read_by


def everything(material: Material) -> dict[Part, Rows]:
    """All ads that something may be fitted on, by part."""
    return {part: np.arange(len(ads.labels)) for part, ads in material.parts.items()}


def cuts(
    material: Material, parts: Sequence[Part], settings: PolicySettings
) -> Iterator[tuple[dict[Part, Rows], dict[Part, Rows]]]:
    """The ads outside and inside of each fold of these parts; of other parts all are outside.

    Raises:
      BadInputError: there are too few ads.
    """
    groups = np.concatenate([material.parts[part].groups for part in parts])
    different = len(np.unique(groups))
    if different < FOLDS:
        raise BadInputError(
            f"{len(groups)} {' and '.join(parts)} ads, {different} without their duplicates, are "
            f"too few to fit on; {FOLDS} are needed"
        )
    ends = np.cumsum([len(material.parts[part].labels) for part in parts])
    starts = [0, *ends[:-1].tolist()]

    def by_part(rows: Rows) -> dict[Part, Rows]:
        found = np.split(rows, np.searchsorted(rows, ends[:-1]))
        return {p: of - start for p, of, start in zip(parts, found, starts, strict=True)}

    for seen, left_out in folds(groups, settings.folds or FOLDS, settings.seed):
        yield {**everything(material), **by_part(seen)}, by_part(left_out)


def reads_learned_vectors(policy: Policy) -> bool:
    """Whether it reads a classifier's vectors, which may know their training ads by heart."""
    return isinstance(policy, NetworkPolicy) and policy.is_early


def learned_from(policy: Policy, material: Material, settings: PolicySettings) -> Sequence[Part]:
    """The parts that a policy is fitted on, so that what it says of their ads is not out-of-fold.

    What is fitted on validation ads learns from training ads too, where text and image were
    asked about these without having seen them.
    """
    part = policy.learns_from(settings)
    if isinstance(policy, ConfusionPolicy):
        return ("train", "validation")
    if part == "nothing" or (isinstance(policy, ClosedForm) and policy.fitted_on == "train"):
        return ()  # the shares of the categories tell nothing of any one ad
    if part == "validation" and not isinstance(policy, NetworkPolicy) and material.is_out_of_fold:
        return ("train", "validation")
    return (cast(Part, part),)


def fit(
    policy: Policy,
    material: Material,
    rows: Mapping[Part, Rows],
    settings: PolicySettings,
    progress: Progress,
    like: FusedModel | None = None,
) -> tuple[FusedModel, Sequence[Point]]:
    """Fits a policy; of the ads of a part it sees the given ones only.

    Args:
      policy: what is fitted.
      material: the ads.
      rows: those of each part that it may see.
      settings: how.
      progress: counts epochs.
      like: the model of all ads; what was searched for then is not searched for again.

    Returns:
      The model, and the history of its training, which is empty but for a network.
    """
    if isinstance(policy, ClosedForm):
        return fit_closed_form(policy, material, rows, settings), ()
    if isinstance(policy, StackPolicy):
        return fit_stack(policy, material, rows, settings), ()
    if isinstance(policy, LinearPolicy):
        return fit_linear(policy, material, rows["train"], settings, progress, like), ()
    if isinstance(policy, ConfusionPolicy):
        return fit_pairs(policy, material, rows, settings, progress, like), ()
    return fit_network(policy, material, rows, settings, progress)


def fit_closed_form(
    policy: ClosedForm, material: Material, rows: Mapping[Part, Rows], settings: PolicySettings
) -> FusedModel:
    """Finds the parameters of a closed form, where it needs any.

    What it says of ads that lack a modality is fitted on such ads, where there are any.
    """

    parts = learned_from(policy, material, settings) or ("validation",)

    def evidence(availability: Availability, *modalities: Modality) -> Evidence:
        found = Seen.of(material, rows, parts, settings.seed, lambda ads: ads.where(availability))
        names = [f"{modality}_probs" for modality in modalities]
        return Evidence(found.probs(names), found.labels, material.prior, settings.regularisation)

    single: dict[Modality, Parameters] = {}
    for modality in MODALITIES:
        found = evidence(modality, modality)
        if policy.single_modality and len(found.labels):
            single[modality] = policy.single_modality.fit(found)
    return closed_form(policy, policy.fit(evidence("both", "text", "image")), single)


def fit_stack(
    policy: StackPolicy, material: Material, rows: Mapping[Part, Rows], settings: PolicySettings
) -> FusedModel:
    """Fits the weights of a pool of all probabilities that there are.

    What it says of ads that lack a modality is a pool of its own, of the other's classifiers.
    """

    parts = learned_from(policy, material, settings)

    def pool_of(modalities: Collection[Modality]) -> Parameters:
        names = [n for n in material.probs if read_by([n]) <= set(modalities)]
        found = Seen.of(material, rows, parts, settings.seed, lambda ads: ads.having(modalities))
        predictions = found.probs(names)
        fitted = log_linear.fit(
            predictions, found.labels, material.prior, settings.regularisation, least=0
        )
        *weights, gamma = fitted.tolist()
        return {
            "reads": names, "weights": weights, "gamma": gamma, "prior": material.prior.tolist(),
        }  # fmt: skip

    read = [read_by([name]) for name in material.probs]
    single: dict[Modality, Parameters] = {
        modality: pool_of([modality]) for modality in MODALITIES if {modality} in read
    }
    return stack(policy, pool_of(frozenset().union(*read)), single)


def fit_linear(
    policy: LinearPolicy,
    material: Material,
    rows: Rows,
    settings: PolicySettings,
    progress: Progress,
    like: FusedModel | None,
) -> FusedModel:
    """Fits a regression on the training ads that have text and photo.

    Raises:
      BadInputError: there are too few.
    """
    ads = material.train
    names = [name for name in ads.arrays if name.startswith("text_terms")] + ["image_vectors"]
    inputs = [ads.arrays[name] for name in names]
    rows = rows[have(ads.availabilities[rows], MODALITIES)]
    different = len(np.unique(ads.groups[rows]))
    if different < FOLDS:
        raise BadInputError(
            f"linear has {different} different training ads with text and photo to learn from; "
            f"{FOLDS} are needed"
        )
    if like:
        scale, strength = like.parameters["scale"], like.parameters["strength"]
    else:
        scale, strength = linear.search(
            inputs, ads.labels, rows, ads.groups, settings.seed, progress
        )
    fitted = linear.fit(inputs, ads.labels, rows, material.categories, strength, scale)
    return regression(policy, names, fitted, {"scale": scale, "strength": strength})


def fit_pairs(
    policy: ConfusionPolicy,
    material: Material,
    rows: Mapping[Part, Rows],
    settings: PolicySettings,
    progress: Progress,
    like: FusedModel | None,
) -> FusedModel:
    """Finds what the text confuses in ads that it has not seen; fits classifiers of photos."""
    parts = ("train", "validation") if material.is_out_of_fold else ("validation",)
    seen = Seen.of(material, rows, parts, settings.seed, lambda ads: ads.having(["text"]))
    ads, vectors = material.train, material.train.arrays["image_vectors"]
    there = rows["train"][ads.having(["image"])[rows["train"]]]
    (o_txt,), known = seen.probs(["text_probs"]), ads.labels[there]
    pairs = confusion_driven.confused_pairs(o_txt, seen.labels, known, settings.pairs)
    if like:
        scale, strength = like.parameters["scale"], like.parameters["strength"]
    else:
        learned = there[np.isin(known, pairs)]
        scale, strength = linear.search(
            [vectors], ads.labels, learned, ads.groups, settings.seed, progress
        )
    fitted = confusion_driven.fit(vectors, ads.labels, there, pairs, strength, scale)
    return of_pairs(policy, fitted, {"pairs": pairs, "scale": scale, "strength": strength})


def fit_network(
    policy: NetworkPolicy,
    material: Material,
    rows: Mapping[Part, Rows],
    settings: PolicySettings,
    progress: Progress,
) -> tuple[FusedModel, Sequence[Point]]:
    """Trains a network; of the ads of a part it sees the given ones only.

    Returns:
      The model, and the history of its training.
    """
    sample, validation = samples(policy, material, rows, settings)
    settings = resolve(policy, settings, len(sample), material.categories)
    most = epochs(settings, len(sample))
    with progress.task(f"train {policy.name}", most, "epochs") as task:
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


def resolved(policy: Policy, material: Material, settings: AnySettings) -> AnySettings:
    """The settings with those that follow from the ads that a network learns from."""
    if not isinstance(policy, NetworkPolicy):
        return settings
    sample, _ = samples(policy, material, everything(material), settings)
    return resolve(policy, settings, len(sample), material.categories)


def samples(
    policy: NetworkPolicy,
    material: Material,
    rows: Mapping[Part, Rows],
    settings: PolicySettings,
) -> tuple[Sample, Sample]:
    """The ads that a network learns from, and the validation set of its training.

    Raises:
      BadInputError: one of them is empty.
    """
    validation = _sample(policy, material.validation, rows["validation"], settings)
    if settings.fit_on == "train":
        sample = _sample(policy, material.train, rows["train"], settings)
    else:
        sample, validation = validation.split(settings.policy_share, settings.seed)
    sample, _ = sample.split(settings.fraction, settings.seed)
    if not len(sample) or not len(validation):
        needed = " and ".join(sorted(read_by(policy.reads)))
        raise BadInputError(
            f"{policy.name} has {len(sample)} ads to learn from and {len(validation)} to validate "
            f"on; it needs both, with {needed}: use more ads, or a larger --fraction or, with "
            "--fit-on validation, another --policy-share"
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
