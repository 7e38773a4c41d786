"""Combines both baselines: closed-form policies, networks, and the search for their settings."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from adcat.choosing import without_gain
from adcat.errors import BadInputError
from adcat.files import create_array, link_or_copy
from adcat.fusion.closed_forms import Parameters
from adcat.fusion.fitting import (
    cuts,
    everything,
    fit,
    learned_from,
    reads_learned_vectors,
    resolved,
)
from adcat.fusion.fused_model import MEMBERS, FusedModel, files
from adcat.fusion.material import Material, PartArrays, Rows
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy import NetworkPolicy, Policy
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.stacking import model_name
from adcat.fusion.training import watched_score
from adcat.learning.hyperparameter_search import drawn_from, search
from adcat.parallel.once import once_per_process
from adcat.parallel.tasks import ALONE, Workers
from adcat.parallel.workers import workers
from adcat.prediction.fusion_inputs import read_material, read_part, read_sources
from adcat.progress import Progress, Silent
from adcat.settings import option
from adcat.tables import Report, write_records
from adcat.types import IN_WORDS, Part, Probs, Vectors
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import OUT_OF_FOLD, TRAIN_PROBS, TUNED_ON, VALIDATION_PROBS
from adcat.workspace.models import VECTORS
from adcat.workspace.resumable_arrays import check_finite, fill
from adcat.workspace.staging import Staging

BLOCK = 8192  # ads at a time
TUNED_ON_SHARE = 0.1  # of the training ads (thesis, section 4.2)

if TYPE_CHECKING:
    PolicyName: TypeAlias = str
else:
    PolicyName = Literal[*POLICIES]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which policy, and what its result is called."""

    panel: ClassVar = "What to combine"

    policy: PolicyName = option("stack", "How to combine text and image.")
    name: str = option("", "Name of the model; by default that of the policy.", completes="fuse")


@dataclasses.dataclass(frozen=True)
class Settings(PolicySettings, Choice):
    """The choice of a policy and every setting of any."""

    published: ClassVar = {name: policy.published for name, policy in POLICIES.items()}
    defaults: ClassVar = {name: policy.defaults for name, policy in POLICIES.items()}
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
    network's learning rate, sizes, dropout and L2 weight follow from the numbers of ads and
    categories, unless options give them. A model fitted on validation ads gets out-of-fold
    validation probabilities, so comparisons there stay fair. An ad without text or without a photo
    is classified from the other.
    """
    policy = POLICIES[settings.policy]
    if settings.fit_on == "train" and settings.policy_share != PolicySettings.policy_share:
        raise BadInputError("--policy-share is read with --fit-on validation only; add that")
    target = workspace.fused(settings.name or policy.name)
    workspace.split.check()
    sources = read_sources(workspace, policy, settings.models, target)
    recorded = {"policy": policy.name, **policy.values(settings)}
    with contextlib.ExitStack() as stack:
        trials = ALONE
        if settings.tune:
            trials = stack.enter_context(workers(settings.jobs, settings.spark))
        recorded |= drawn_from(settings, trials.at_once)
        resume = recorded.get("tune", 0) > 0
        staging = stack.enter_context(target.write(recorded, sources.inputs, resume=resume))
        if isinstance(policy, NetworkPolicy) and settings.tune:
            settings = _tuned(policy, workspace, settings, staging, trials, progress)
        material = read_material(workspace, sources)
        settings = resolved(policy, material, settings)
        model, history = fit(policy, material, everything(material), settings, progress)
        if history:
            records = [dataclasses.asdict(point) for point in history]
            write_records(staging.folder / "history.csv", records)
        model.save(staging.folder)
        for artifact in sources.fused:
            for file in files(artifact.path):
                copied = staging.folder / MEMBERS / artifact.path.name / file
                copied.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(artifact / file, copied)
        parts: dict[Part, PartArrays] = {
            **material.parts, "test": read_part(workspace, sources, "test"),
        }  # fmt: skip
        _write(staging.folder, "test", model, parts["test"], material)
        if reads_learned_vectors(policy):
            _write_vectors(staging, model, parts, progress)
        notes = _write_others(staging.folder, policy, model, material, settings, progress)
        staging.notes.update(notes)
    name = target.path.name
    said = _lines(name, notes, model, material.is_out_of_fold)
    return Report([*said, *without_gain(workspace, name)])


def _tuned(
    policy: NetworkPolicy,
    workspace: Workspace,
    settings: Settings,
    staging: Staging,
    trials: Workers,
    progress: Progress,
) -> Settings:
    """The settings with the best ones that a search over the policy's space finds.

    Every trial has the seed of the final fit, and so its cut into ads to learn from and to judge.
    """
    by_default = TUNED_ON_SHARE if settings.fit_on == "train" else settings.fraction
    tried = dataclasses.replace(
        settings, fraction=settings.tune_fraction or by_default, curve_every=1
    )
    score = functools.partial(_score, workspace.root.resolve(), tried, staging.folder.name)
    log = staging.folder / "trials.jsonl"
    best = search(policy.space(), score, settings, settings.seed, log, progress, trials)
    return dataclasses.replace(settings, **best.settings)


def _score(
    root: Path, settings: Settings, inputs: str, point: Mapping[str, Any], seed: int
) -> float:
    """The validation top-1 of a trial, in any process; `inputs` names what it reads."""
    del seed
    policy, workspace = POLICIES[settings.policy], Workspace(root)

    def read() -> Material:
        target = workspace.fused(settings.name or policy.name)
        return read_material(workspace, read_sources(workspace, policy, settings.models, target))

    material = once_per_process(inputs, read)
    tried = dataclasses.replace(settings, **point)
    _, history = fit(policy, material, everything(material), tried, Silent())
    learned = [point for point in history if point.step]  # the start is every trial's
    return max(learned, key=lambda point: watched_score(point, tried)).validation_top1


def _write(
    folder: Path, part: Part, model: FusedModel, ads: PartArrays, material: Material
) -> None:
    probs = create_array(folder / part / "probs.npy", len(ads.labels), material.categories)
    for start in range(0, len(probs), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(probs)))
        probs[rows] = _predictions(model, ads, rows, material)


def _write_vectors(
    staging: Staging, model: FusedModel, parts: Mapping[Part, PartArrays], progress: Progress
) -> None:
    """Writes the fused feature vectors; an ad that the network cannot read has NaN."""
    for part, ads in parts.items():
        there, count = ads.having(model.modalities), staging.checkpoints / f"{part}.rows"
        files = {staging.folder / part / VECTORS: model.dimension}
        batches = functools.partial(_vectors, model, ads, np.flatnonzero(there))
        fill(files, there, count, batches, progress, f"{model.policy.name} vectors, {part}", "ads")


def _vectors(model: FusedModel, ads: PartArrays, rows: Rows, done: int) -> Iterator[list[Vectors]]:
    for start in range(done, len(rows), BLOCK):
        here = rows[start : start + BLOCK]
        yield [model.vectors([ads.arrays[name][here] for name in model.reads])]


def _write_others(
    folder: Path,
    policy: Policy,
    model: FusedModel,
    material: Material,
    settings: Settings,
    progress: Progress,
) -> dict[str, str]:
    """Writes the probabilities of validation ads, and of training ads where they are out-of-fold.

    Those of a part that the model was fitted on are each from one that was fitted without the ad
    and its duplicates.

    Returns:
      What the manifest says of it.
    """
    learned = learned_from(policy, material, settings)
    parts: dict[Part, PartArrays] = {**material.parts}
    is_fitted_per_fold = "folds" in policy.options and settings.folds != 0
    if (
        not material.is_out_of_fold
        or reads_learned_vectors(policy)
        or ("train" in learned and not is_fitted_per_fold)
    ):
        del parts["train"]
    for part in parts.keys() - set(learned):
        _write(folder, part, model, parts[part], material)
    probs: dict[Part, Probs] = {
        part: create_array(folder / part / "probs.npy", len(ads.labels), material.categories)
        for part, ads in parts.items()
        if part in learned
    }
    settings = dataclasses.replace(settings, curve_every=1)  # a fold's curve is not kept
    for seen, left_out in cuts(material, list(probs), settings) if probs else ():
        of_fold, _ = fit(policy, material, seen, settings, progress, model)
        for part in probs:
            rows = left_out[part]
            probs[part][rows] = _predictions(of_fold, parts[part], rows, material)
    return _notes(policy, learned, list(parts), settings)


def _predictions(model: FusedModel, ads: PartArrays, rows: Rows, material: Material) -> Probs:
    found = model.predictions(ads.arrays, ads.availabilities, rows, material.prior)
    check_finite(found, rows, model.policy.name)
    return found


def _notes(
    policy: Policy, learned: Sequence[Part], written: Sequence[Part], settings: Settings
) -> dict[str, str]:
    """What the manifest says of where the model's parameters come from."""
    if "validation" not in learned:
        probs = "of the one model"
    elif policy.values(settings).get("tune"):
        probs = f"{OUT_OF_FOLD}, with settings that were chosen on all of them"
    else:
        probs = OUT_OF_FOLD
    fitted = " and ".join(learned) or policy.learns_from(settings)
    notes = {"fitted_on": fitted, TUNED_ON: policy.tuned_on, VALIDATION_PROBS: probs}
    return notes | ({TRAIN_PROBS: OUT_OF_FOLD} if "train" in written else {})


def _lines(
    name: str, notes: Mapping[str, str], model: FusedModel, is_out_of_fold: bool
) -> list[str]:
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
    if fitted == "train" and not (is_out_of_fold or model.policy.is_early):
        lines.append(
            "learned from the classifiers' predictions of their own training ads, as in the "
            "thesis; --folds of train-text and train-image avoids that"
        )
    return lines


def _weights(parameters: Parameters) -> str:
    """The weights of a closed form, in words."""
    names = map(model_name, parameters.get("reads", []))
    weights = dict(zip(names, parameters.get("weights", []), strict=True))
    found = {**weights, **parameters}.items()
    shown = {n: np.ravel(v) for n, v in found if isinstance(v, float) or n in ("w_img", "w_txt")}
    return ", ".join(f"{n} {' '.join(f'{v:.3f}' for v in values)}" for n, values in shown.items())
