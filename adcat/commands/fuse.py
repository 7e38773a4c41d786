"""Combines both baselines: closed-form policies, networks, and the search for their settings."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from adcat.data.splitting import folds
from adcat.errors import BadInputError
from adcat.evaluation.metrics import check_distributions
from adcat.files import create_array
from adcat.fusion.closed_forms import Parameters
from adcat.fusion.fitting import Material, PartArrays, Rows, fit
from adcat.fusion.fused_model import FusedModel
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy import NetworkPolicy, Policy
from adcat.fusion.policy_settings import PolicySettings
from adcat.learning.hyperparameter_search import search
from adcat.progress import Progress, Silent
from adcat.settings import option
from adcat.tables import Report, write_records
from adcat.types import IN_WORDS, Part, Probs, have
from adcat.workspace.ads import (
    read_availabilities,
    read_categories,
    read_groups,
    read_labels,
    read_modalities,
)
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, TUNED_ON, VALIDATION_PROBS
from adcat.workspace.resumable_arrays import check_finite

BLOCK = 8192  # ads at a time
FOLDS = 5

if TYPE_CHECKING:
    PolicyName: TypeAlias = str
else:
    PolicyName = Literal[*POLICIES]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which policy, and what its result is called."""

    panel: ClassVar = "What to combine"

    policy: PolicyName = option("product-max", "How to combine text and image.")
    name: str = option("", "Name of the model; by default that of the policy.", completes="fuse")


@dataclasses.dataclass(frozen=True)
class Settings(PolicySettings, Choice):
    """The choice of a policy and every setting of any."""

    published: ClassVar = {name: policy.published for name, policy in POLICIES.items()}
    is_preset: ClassVar = True  # else a network would have settings that nobody published
    selector: ClassVar = "policy"
    panels: ClassVar = (
        "What to combine",
        "Closed forms",
        "Late networks",
        "Early networks",
        "Training",
        "Search",
    )

    @staticmethod
    def reads(policy: str, field: str) -> bool:
        """Whether a policy reads an option."""
        return field in ("policy", "name", *POLICIES[policy].options)


def fuse(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Combine text and image into one model.

    Late fusion combines the probabilities of both classifiers, early fusion their vectors. A
    network uses its policy's published settings unless options override them. A model fitted on
    validation ads gets out-of-fold validation probabilities, so comparisons there stay fair. An ad
    without text or without a photo is classified from the other.
    """
    policy = POLICIES[settings.policy]
    target = workspace.fused(settings.name or policy.name)
    inputs = [workspace.split, workspace.features]
    recorded = {"policy": policy.name, **policy.values(settings)}
    with target.write(recorded, inputs, resume=recorded.get("tune", 0) > 0) as staging:
        material = _material(workspace)
        if isinstance(policy, NetworkPolicy) and settings.tune:
            settings = _tuned(policy, material, settings, staging.folder, progress)
        ads = np.arange(len(material.validation.labels))
        model, history = fit(policy, material, ads, settings, progress)
        if history:
            records = [dataclasses.asdict(point) for point in history]
            write_records(staging.folder / "history.csv", records)
        model.save(staging.folder)
        _write(staging.folder, "test", model, _read(workspace, "test"), material)
        if policy.learns_from(settings) == "validation":
            _write_out_of_fold(staging.folder, policy, material, settings, progress)
        else:
            _write(staging.folder, "validation", model, material.validation, material)
        staging.notes.update(_fitted_on(policy, settings))
    return Report(_lines(target.path.name, settings, model))


def _material(workspace: Workspace) -> Material:
    train, validation = (_read(workspace, part) for part in ("train", "validation"))
    return Material(train, validation, len(read_categories(workspace.split)))


def _read(workspace: Workspace, part: Part) -> PartArrays:
    split, features = workspace.split, Features(workspace.features)
    availabilities, arrays = read_availabilities(split, part), {}
    for modality in read_modalities(split):
        probs = features.probs(part, modality)
        path = workspace.features / f"{part}/{modality}_probs.npy"
        check_distributions(probs, path, have(availabilities, [modality]))
        arrays[f"{modality}_probs"] = probs
        arrays[f"{modality}_vectors"] = features.vectors(part, modality)
    return PartArrays(arrays, read_labels(split, part), availabilities, read_groups(split, part))


def _tuned(
    policy: NetworkPolicy,
    material: Material,
    settings: Settings,
    folder: Path,
    progress: Progress,
) -> Settings:
    """The settings with the best ones that a search over the policy's space finds."""
    rows = np.arange(len(material.validation.labels))

    def score(point: Mapping[str, Any], seed: int) -> float:
        of_trial = {**point, "fraction": settings.tune_fraction, "seed": seed}
        tried = dataclasses.replace(settings, **of_trial)
        model, _ = fit(policy, material, rows, tried, Silent())
        return model.parameters["validation_top1"]

    log = folder / "trials.jsonl"
    best = search(policy.space(), score, settings, settings.seed, log, progress)
    return dataclasses.replace(settings, **best.settings)


def _write(
    folder: Path, part: Part, model: FusedModel, ads: PartArrays, material: Material
) -> None:
    probs = create_array(folder / part / "probs.npy", len(ads.labels), material.categories)
    for start in range(0, len(probs), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(probs)))
        probs[rows] = _predictions(model, ads, rows, material)


def _write_out_of_fold(
    folder: Path,
    policy: Policy,
    material: Material,
    settings: Settings,
    progress: Progress,
) -> None:
    """Writes validation probabilities, each ad's from a model fitted without its duplicates."""
    ads = material.validation
    n, different = len(ads.labels), len(np.unique(ads.groups))
    if different < FOLDS:
        raise BadInputError(
            f"{n} validation ads, {different} without their duplicates, are too few to fit on; "
            f"{FOLDS} are needed"
        )
    probs = create_array(folder / "validation" / "probs.npy", n, material.categories)
    for seen, left_out in folds(ads.groups, FOLDS, settings.seed):
        model, _ = fit(policy, material, seen, settings, progress)
        probs[left_out] = _predictions(model, ads, left_out, material)


def _predictions(model: FusedModel, ads: PartArrays, rows: Rows, material: Material) -> Probs:
    found = model.predictions(ads.arrays, ads.availabilities, rows, material.prior)
    check_finite(found, rows, model.policy.name)
    return found


def _fitted_on(policy: Policy, settings: Settings) -> dict[str, str]:
    """What the manifest says of where the model's parameters come from."""
    fitted = policy.learns_from(settings)
    if fitted != "validation":
        probs = "of the one model"
    elif policy.values(settings).get("tune"):
        probs = f"{OUT_OF_FOLD}, with settings that were chosen on all of them"
    else:
        probs = OUT_OF_FOLD
    return {"fitted_on": fitted, TUNED_ON: policy.tuned_on, VALIDATION_PROBS: probs}


def _lines(name: str, settings: Settings, model: FusedModel) -> list[str]:
    notes = _fitted_on(model.policy, settings)
    fitted, probs = notes["fitted_on"], notes[VALIDATION_PROBS]
    lines = [f"{name}: fitted on {fitted}; validation probabilities {probs}"]
    found = model.parameters
    if model.network is None:
        of = {
            "weights": found,
            **{f"weights of ads with {IN_WORDS[m]}": v for m, v in model.single.items()},
        }
        in_words = {whose: _weights(values) for whose, values in of.items()}
        return lines + [f"{whose}: {weights}" for whose, weights in in_words.items() if weights]
    lines.append(
        f"best epoch {found['best_epoch']} of {found['last_epoch']}: validation top-1 "
        f"{found['validation_top1']:.2%}, training top-1 {found['train_top1']:.2%}"
    )
    if fitted == "train":
        lines.append(
            "learned from the baselines' predictions of their own training ads, as in the "
            "thesis; --fit-on validation avoids that"
        )
    return lines


def _weights(parameters: Parameters) -> str:
    """Those of a closed form's parameters that are numbers, in words."""
    numbers = {name: value for name, value in parameters.items() if isinstance(value, float)}
    return ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
