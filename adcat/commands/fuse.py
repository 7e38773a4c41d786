"""Combines both baselines: closed-form policies, networks, and the search for their settings."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from adcat.errors import BadInputError
from adcat.evaluation.metrics import check_distributions
from adcat.files import create_array
from adcat.fusion.fitting import (
    Material,
    PartArrays,
    Regime,
    Rows,
    fit_closed_form,
    fit_network,
)
from adcat.fusion.fused_model import FusedModel
from adcat.fusion.networks import NetworkSettings
from adcat.fusion.policies import POLICIES
from adcat.fusion.published import PUBLISHED
from adcat.fusion.search_spaces import space
from adcat.learning.hyperparameter_search import search
from adcat.progress import Progress, Silent
from adcat.settings import option, seed_option
from adcat.tables import Report, write_records
from adcat.types import IN_WORDS, Part, Probs, have
from adcat.workspace.ads import read_availabilities, read_categories, read_labels, read_modalities
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, TUNED_ON, VALIDATION_PROBS
from adcat.workspace.resumable_arrays import check_finite

BLOCK = 8192  # ads at a time
FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which policy, what it is fitted on, and what its result is called."""

    policy: Literal[
        "max", "sum-max", "product-max", "product-prior", "log-linear",
        "nn", "nn-validation", "image-boost", "image-boost-prop", "temperature", "top3",
        "image-only", "text-only", "concat", "pool", "pool-aux",
    ] = option("product-max", "How the two classifiers become one model.")  # fmt: skip
    name: str = option("", "The model's name in `evaluate`; by default the policy's.")
    fit_on: Literal["train", "validation"] = option(
        "train", "Which part a network learns from: train, or 70 % of validation."
    )
    fraction: float = option(
        1.0, "Share of the ads that a network learns from.", low=0.001, high=1, dry_run=1
    )
    regularisation: float = option(
        1.0, "How strongly log-linear's weights are pulled towards the plain product.", low=0
    )
    tune: int = option(
        0, "Trials of a search for a network's settings; 0 is no search.", low=0, dry_run=2
    )
    tune_algorithm: Literal["tpe", "random"] = option("tpe", "How the search draws its trials.")
    tune_fraction: float = option(
        0.1, "Share of the ads that a trial learns from.", low=0.001, high=1, dry_run=1
    )
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True)
class Settings(NetworkSettings, Choice):
    """The choice of a policy and every setting of a network."""

    default_preset = "thesis"  # without it a network would have settings that nobody published

    @classmethod
    def thesis(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The published settings of the policy (thesis, appendix A.3.3 and A.3.4)."""
        return PUBLISHED.get(given.get("policy", ""), {})


def fuse(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Combine text and image into one model.

    Late fusion combines the probabilities of both classifiers, early fusion their vectors. A
    network has its policy's published settings unless options say otherwise. Whatever is fitted on
    validation ads gets out-of-fold validation probabilities, so that comparing there stays honest.
    An ad that lacks its text or its photo is answered from what there is.
    """
    if settings.tune and settings.policy in POLICIES:
        raise BadInputError(f"{settings.policy} is no network: it has nothing to --tune")
    target = workspace.fused(settings.name or settings.policy)
    inputs = [workspace.split, workspace.features]
    with target.write(settings, inputs, resume=settings.tune > 0) as staging:
        material = _material(workspace)
        if settings.tune:
            settings = _tuned(material, settings, staging.folder, progress)
        learn = _learner(material, settings, staging.folder, progress)
        model = learn(np.arange(len(material.validation.labels)))
        model.save(staging.folder)
        _write(staging.folder, "test", model, _read(workspace, "test"), material)
        if _sees_validation(settings):
            _write_out_of_fold(staging.folder, learn, material, settings.seed)
        else:
            _write(staging.folder, "validation", model, material.validation, material)
        staging.notes.update(_fitted_on(settings))
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
    return PartArrays(arrays, read_labels(split, part), availabilities)


def _learner(
    material: Material, settings: Settings, folder: Path, progress: Progress
) -> Callable[[Rows], FusedModel]:
    """What makes a model out of the validation ads that it may see."""
    regime = Regime(settings.fit_on, settings.fraction, settings.seed)

    def closed(rows: Rows) -> FusedModel:
        return fit_closed_form(settings.policy, material, rows, settings.regularisation)

    def trained(rows: Rows) -> FusedModel:
        choices = _network_settings(settings)
        model, history = fit_network(settings.policy, material, rows, regime, choices, progress)
        if len(rows) == len(material.validation.labels):
            write_records(folder / "history.csv", [dataclasses.asdict(point) for point in history])
        return model

    return closed if settings.policy in POLICIES else trained


def _network_settings(settings: Settings) -> NetworkSettings:
    names = [field.name for field in dataclasses.fields(NetworkSettings)]
    return NetworkSettings(**{name: getattr(settings, name) for name in names})


def _tuned(material: Material, settings: Settings, folder: Path, progress: Progress) -> Settings:
    """The settings with the best ones that a search over the policy's space finds."""
    rows = np.arange(len(material.validation.labels))

    def score(point: Mapping[str, Any], seed: int) -> float:
        choices = _network_settings(dataclasses.replace(settings, **point))
        regime = Regime(settings.fit_on, settings.tune_fraction, seed)
        model, _ = fit_network(settings.policy, material, rows, regime, choices, Silent())
        return model.parameters["validation_top1"]

    best = search(
        space(settings.policy), score, settings.tune, settings.tune_algorithm, settings.seed,
        folder / "trials.jsonl", progress,
    )  # fmt: skip
    return dataclasses.replace(settings, **best.settings)


def _sees_validation(settings: Settings) -> bool:
    if settings.policy in POLICIES:
        return POLICIES[settings.policy].fitted_on == "validation"
    return settings.fit_on == "validation"


def _write(
    folder: Path, part: Part, model: FusedModel, ads: PartArrays, material: Material
) -> None:
    probs = create_array(folder / part / "probs.npy", len(ads.labels), material.categories)
    for start in range(0, len(probs), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(probs)))
        probs[rows] = _predictions(model, ads, rows, material)


def _write_out_of_fold(
    folder: Path, learn: Callable[[Rows], FusedModel], material: Material, seed: int
) -> None:
    """Writes validation probabilities, each ad's from a model that was fitted without it."""
    from sklearn.model_selection import KFold

    ads = material.validation
    n = len(ads.labels)
    if n < FOLDS:
        raise BadInputError(f"{n} validation ads are too few to fit on; {FOLDS} are needed")
    probs = create_array(folder / "validation" / "probs.npy", n, material.categories)
    for seen, left_out in KFold(FOLDS, shuffle=True, random_state=seed).split(np.arange(n)):
        probs[left_out] = _predictions(learn(seen), ads, left_out, material)


def _predictions(model: FusedModel, ads: PartArrays, rows: Rows, material: Material) -> Probs:
    found = model.predictions(ads.arrays, ads.availabilities, rows, material.prior)
    check_finite(found, rows, model.policy)
    return found


def _fitted_on(settings: Settings) -> dict[str, str]:
    """What the manifest says of where the model's parameters come from."""
    if settings.policy in POLICIES:
        fitted, steered = POLICIES[settings.policy].fitted_on, "nothing"
    else:
        fitted, steered = settings.fit_on, "validation"
    if not _sees_validation(settings):
        probs = "of the one model"
    elif settings.tune:
        probs = f"{OUT_OF_FOLD}, with settings that were chosen on all of them"
    else:
        probs = OUT_OF_FOLD
    return {"fitted_on": fitted, TUNED_ON: steered, VALIDATION_PROBS: probs}


def _lines(name: str, settings: Settings, model: FusedModel) -> list[str]:
    notes = _fitted_on(settings)
    fitted, probs = notes["fitted_on"], notes[VALIDATION_PROBS]
    lines = [f"{name}: fitted on {fitted}; validation probabilities {probs}"]
    found = model.parameters
    if settings.policy == "log-linear":
        weights = ", ".join(f"{key} {found[key]:.3f}" for key in ("w_txt", "w_img", "gamma"))
        lines.append(f"weights: {weights}")
    for modality, lone in model.lone.items():
        words = f"weights of ads with {IN_WORDS[modality]}"
        lines.append(f"{words}: w {lone['w']:.3f}, gamma {lone['gamma']:.3f}")
    if model.network is not None:
        lines.append(
            f"best epoch {found['best_epoch']} of {found['last_epoch']}: validation top-1 "
            f"{found['validation_top1']:.2%}, training top-1 {found['train_top1']:.2%}"
        )
        if settings.fit_on == "train":
            lines.append(
                "learned from the baselines' answers to ads that they were trained on, as in the "
                "thesis; --fit-on validation avoids that"
            )
    return lines
