"""Trains an attention model, and shows where it looks."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adcat.attention import attention_model as attention
from adcat.attention.attention_model import AttentionModel
from adcat.attention.config import WATCHED, Recipe, Run, Setting, train
from adcat.attention.fine_tuning import Ads
from adcat.attention.insertion import Point
from adcat.attention.map_galleries import show
from adcat.attention.maps import stream_predictions
from adcat.attention.search import (
    LOG,
    Trial,
    best_of,
    grid,
    read_trials,
    search,
    settings_table,
)
from adcat.attention.step import Over
from adcat.errors import AdcatError, BadInputError
from adcat.image.labelled_images import LabelledImages
from adcat.learning.schedule import Evaluation, best
from adcat.progress import Progress
from adcat.settings import option
from adcat.tables import Column, Report, Table, percent, write_records
from adcat.types import MODALITIES, PARTS, Availabilities, Part, have
from adcat.workspace.ads import image_paths, read_availabilities, read_labels
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import TUNED_ON
from adcat.workspace.resumable_arrays import fill
from adcat.workspace.staging import Staging

PROBS = "probs.npy"
PREDICTED: Sequence[Part] = ("validation", "test")


@dataclasses.dataclass(frozen=True)
class Searched(Recipe):
    """What a search over all settings depends on."""

    search_fraction: float = option(
        0.1, "Share of the training ads that a search learns from.", low=0.001, high=1, dry_run=1
    )
    search_rate: list[float] = option(
        [0.01, 0.001, 0.0001],
        "A learning rate that a search tries; may be given several times.",
        dry_run=[0.001],
    )


@dataclasses.dataclass(frozen=True)
class Place:
    """Where attention is inserted, over what, and how fast it learns."""

    insert_at: Point = option(
        "c", "Before which module of Inception v3: the 1st (a), 4th, 6th, 9th or 11th (e)."
    )
    over: Over = option("wh", "Attend to places (wh: width and height) or to channels (c).")
    learning_rate: float = option(0.001, "Learning rate at the start.", low=0)


@dataclasses.dataclass(frozen=True)
class Settings(Searched, Place):
    """Every choice."""

    search: bool = option(
        False, "First try all insertion points, both kinds and --search-rate; take the best."
    )
    blur: float = option(
        0.5, "Gaussian blur of the attention over a photo, in places of the map.", low=0
    )
    name: str = option("", "The model's name, by default attend- and the setting, as c-wh.")

    @classmethod
    def thesis(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Section 4.7 and Appendix A.3.2; the setting that Table 5.7 found best."""
        del given
        return {
            "insert_at": "c",
            "over": "wh",
            "stage": "all",
            "scale": "none",
            "batch_size": 32,
            "optimizer": "rmsprop",
            "learning_rate": 0.001,
            "patience": 2,
            "evaluate_every": 5000,
        }


def attend(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train Inception v3 with a step inside where the text steers attention.

    Starts from the trained image classifier. Writes the model, its probabilities, the attention of
    every validation and test ad, and pictures of where it looked. With --search it first tries the
    thesis' ten settings on a share of the ads. An interrupted run goes on where it was. An ad that
    lacks its text or its photo is answered by the one classifier that can read it.
    """
    inputs = [workspace.split, workspace.features, workspace.image_model]
    for artifact in inputs:
        artifact.check()
    ads: dict[Part, Ads] = {part: _ads(workspace, part) for part in PARTS}
    setting = Setting(settings.insert_at, settings.over, settings.learning_rate)
    tables = []
    if settings.search:
        trials = _trials(workspace, inputs, ads, settings, progress)
        setting, tables = best_of(trials).setting, [settings_table(trials)]
        settings = dataclasses.replace(settings, **dataclasses.asdict(setting))
    target = workspace.attention(settings.name or setting.name)
    with target.write(settings, inputs, resume=True) as staging:
        run = Run(workspace.image_model.path, staging.checkpoints, progress)
        model, history = train(setting, settings, ads["train"], ads["validation"], run)
        attention.save(model, staging.folder)
        write_records(staging.folder / "history.csv", [dataclasses.asdict(e) for e in history])
        for part in PREDICTED:
            availabilities = read_availabilities(workspace.split, part)
            _predict(model, part, ads[part], availabilities, settings.batch_size, staging, progress)
            _predict_incomplete(workspace, part, availabilities, staging)
        tables += show(
            workspace, model, staging.folder, settings.over, settings.blur, settings.seed
        )
        staging.notes.update({"fitted_on": "train", TUNED_ON: "validation"})
    return Report(tables=[_summary(target.path.name, history), *tables])


def _ads(workspace: Workspace, part: Part) -> Ads:
    """Photos and text vectors of the ads of a part that have both.

    Raises:
      BadInputError: no ad has.
    """
    split = workspace.split
    whole = have(read_availabilities(split, part), MODALITIES)
    if not whole.any():
        raise BadInputError(f"attention needs ads with text and photo; the {part} part has none")
    paths, labels = image_paths(split, part, MODALITIES), read_labels(split, part, MODALITIES)
    text_vectors = Features(workspace.features).vectors(part, "text")
    if not whole.all():
        text_vectors = text_vectors[whole]
    return LabelledImages(paths, labels), text_vectors


def _trials(
    workspace: Workspace,
    inputs: Sequence[Artifact],
    ads: Mapping[Part, Ads],
    settings: Settings,
    progress: Progress,
) -> list[Trial]:
    """What a search tries; one that stands in the workspace already is not made again."""
    names = [field.name for field in dataclasses.fields(Searched)]
    recipe = Searched(**{name: getattr(settings, name) for name in names})
    target = workspace.attention_search
    if not _is_current(target, recipe):
        share = _share(ads["train"], settings.search_fraction, settings.seed)
        with target.write(recipe, inputs, resume=True) as staging:
            run = Run(workspace.image_model.path, staging.checkpoints, progress)

            def history(setting: Setting) -> Sequence[Evaluation]:
                _, evaluations = train(setting, recipe, share, ads["validation"], run)
                for state in run.checkpoints.glob("*.npz"):  # of what is over: 0.4 GB each
                    state.unlink()
                return evaluations

            search(grid(settings.search_rate), history, staging.folder / LOG, progress)
    return read_trials(target / LOG)


def _is_current(search: Artifact, recipe: Searched) -> bool:
    try:
        return search.check().settings == dataclasses.asdict(recipe)
    except AdcatError:
        return False


def _share(ads: Ads, fraction: float, seed: int) -> Ads:
    """A share of the ads, drawn at random."""
    images, text_vectors = ads
    count = max(1, round(fraction * len(images)))
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    paths = [str(images.paths[row]) for row in rows]
    return LabelledImages(paths, images.labels[rows]), text_vectors[rows]


def _predict(
    model: AttentionModel,
    part: Part,
    ads: Ads,
    availabilities: Availabilities,
    batch_size: int,
    staging: Staging,
    progress: Progress,
) -> None:
    """Writes the probabilities and the attention of the ads of a part that have text and photo."""
    images, text_vectors = ads
    forward = attention.compiled(model)

    def predictions(done: int) -> Iterator[Sequence[np.ndarray]]:
        return stream_predictions(model, forward, images.paths, text_vectors, batch_size, done)

    probs, alpha = model.network.outputs
    folder, count = staging.folder / part, staging.checkpoints / f"{part}.rows"
    files = {folder / PROBS: probs.shape[1], folder / "maps.npy": alpha.shape[1]}
    whole = have(availabilities, MODALITIES)
    fill(files, whole, count, predictions, progress, f"attention, {part}", "images")


def _predict_incomplete(
    workspace: Workspace, part: Part, availabilities: Availabilities, staging: Staging
) -> None:
    """Writes the probabilities of the other ads, which are those of the one classifier."""
    probs = np.load(staging.folder / part / PROBS, mmap_mode="r+", allow_pickle=False)
    for modality in MODALITIES:
        rows = np.flatnonzero(availabilities == modality)
        if len(rows):
            probs[rows] = Features(workspace.features).probs(part, modality)[rows]


def _summary(name: str, history: Sequence[Evaluation]) -> Table:
    kept = best(history, WATCHED)
    return Table(
        f"Attention model {name}",
        [
            Column("epochs", "{:.4g}"),
            Column("best epoch", "{:.4g}"),
            percent("train top-1"),
            percent("validation top-1"),
        ],
        [[history[-1].epoch, kept.epoch, kept.train_top1, kept.validation_top1]],
    )
