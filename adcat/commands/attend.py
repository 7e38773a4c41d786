"""Trains an attention model, and shows where it looks."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from adcat import thesis
from adcat.attention import attention_model as attention
from adcat.attention import search
from adcat.attention.attention_model import AttentionModel
from adcat.attention.config import WATCHED, AttentionTraining
from adcat.attention.fine_tuning import Ads, EngineOf, train
from adcat.attention.map_figures import AttendedAds, show
from adcat.attention.maps import stream_predictions
from adcat.data.images import Images
from adcat.errors import AdcatError, BadInputError
from adcat.evaluation.error_groups import assign
from adcat.evaluation.metrics import ad_results
from adcat.files import open_array
from adcat.image.classifier import read_definition
from adcat.image.engines import choose
from adcat.image.inference import Engine
from adcat.image.labelled_images import LabelledImages
from adcat.learning.schedule import Evaluation, best
from adcat.progress import Progress
from adcat.settings import option
from adcat.tables import Column, Report, Table, percent, write_records
from adcat.types import MODALITIES, PARTS, Part, have
from adcat.workspace.ads import (
    image_paths,
    read_availabilities,
    read_categories,
    read_labels,
)
from adcat.workspace.artifact import Artifact
from adcat.workspace.features import Features
from adcat.workspace.layout import ATTENTION, Workspace
from adcat.workspace.manifest import ENGINE, TUNED_ON
from adcat.workspace.models import VECTORS
from adcat.workspace.photos import reading_photos
from adcat.workspace.resumable_arrays import fill
from adcat.workspace.shown_ads import reading_shown
from adcat.workspace.staging import Staging

if TYPE_CHECKING:
    import keras

PROBS, MAPS = "probs.npy", "maps.npy"
ALL_ONLY = ("batch_norm", "crop_area")
MAPS_ONLY = ("views", "cache_limit", "engine", "precision")
PREDICTED: Sequence[Part] = ("validation", "test")
UNSEARCHED = ("search", "patience", "blur", "name")  # what a search does not read


@dataclasses.dataclass(frozen=True)
class Settings(AttentionTraining):
    """The model and its training, the search for both, and how the model is shown."""

    panel: ClassVar = "Search"
    panels: ClassVar = ("Attention", "Training", "Search")
    selector: ClassVar = "stage"
    published: ClassVar = thesis.settings("attend")
    needs: ClassVar = {
        **dict.fromkeys(("search_rate", "search_fraction", "search_steps"), "search"),
        **dict.fromkeys(search.SEARCHED, "!search"),
    }

    search: bool = option(
        False, "First try all insertion points over wh and c at every --search-rate; use the best."
    )
    search_fraction: float = option(
        0.1, "Share of the training ads that --search learns from.", low=0.001, high=1, dry_run=1
    )
    search_rate: list[float] = option(
        [0.01, 0.001, 0.0001],
        "Learning rate to try with --search; may be repeated.",
        dry_run=[0.001],
    )
    search_steps: int = option(
        100_000,
        "Steps of each training of --search, within --epochs; its learning rate is never lowered.",
        low=1,
    )
    blur: float = option(
        0.5, "Gaussian blur of the attention drawn over a photo, in positions of the map.", low=0
    )
    name: str = option(
        "",
        "Name of the model, after attend-; by default the setting, as in attend-c-wh and "
        "attend-c-wh-late.",
        completes="attend",
    )

    @staticmethod
    def reads(stage: str, field: str) -> bool:
        """Whether a stage reads an option; where all layers are trained nothing is frozen."""
        return field not in (ALL_ONLY if stage == "attention" else MAPS_ONLY)


def attend(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Train Inception v3 with text-guided attention.

    Starts from the trained image classifier. Writes the model, its probabilities, attention maps
    and vectors of every validation and test ad, and pictures of where it looks. With --search it
    first tries the thesis' ten settings on a share of the ads, at rates that are never lowered; the
    best evaluation of a training is its score. An interrupted run resumes where it stopped. An ad
    without text or photo gets the prediction of the one classifier that can read it.
    """
    settings = settings.resolved()
    inputs = [workspace.split, workspace.features, workspace.image_model]
    for artifact in inputs:
        artifact.check()
    if workspace.classifier("image").reads_vectors:
        raise BadInputError(
            f"attention is inserted into a network, and {workspace.image_model.path} is a last "
            "layer on vectors made elsewhere; type: adcat train-image"
        )
    settings = settings.following(_recipe(workspace, settings))
    ads: dict[Part, Ads] = {part: _ads(workspace, part) for part in PARTS}
    learned, scored = ads["train"], ads["validation"]
    settings.schedule(len(learned[0]))  # fails before anything is tried
    tables = []
    if settings.search:
        trials = _trials(workspace, inputs, ads, settings, progress)
        tables.append(search.settings_table(trials))
        settings = dataclasses.replace(settings, **search.best_of(trials).setting)
    target = workspace.attention(settings.name or settings.default_name)
    with target.write(settings, inputs, resume=True) as staging:
        start = _start(workspace, staging, settings, progress)
        with reading_photos(workspace.split, staging):
            schedule = settings.schedule(len(learned[0]))
            model, history = train(settings, schedule, learned, scored, *start)
            _predict(workspace, model, ads, settings.batch_size, staging, progress)
        attention.save(model, staging.folder)
        write_records(staging.folder / "history.csv", [dataclasses.asdict(e) for e in history])
        tables += _show(workspace, model, staging.folder, settings, progress)
        staging.notes.update({"fitted_on": "train", TUNED_ON: "validation"})
    return Report(tables=[_summary(ATTENTION + target.path.name, history), *tables])


def _recipe(workspace: Workspace, settings: Settings) -> Mapping[str, Any]:
    """How all layers of the image classifier's network are best trained; else the thesis' way."""
    backbone, *_ = read_definition(workspace.image_model.path)
    return backbone.recipe if settings.stage == "all" else {}


def _start(
    workspace: Workspace, staging: Staging, settings: Settings, progress: Progress
) -> tuple[int, Path, Path, Progress, EngineOf]:
    """How many categories there are, the folders that a training starts from, and its engine."""

    def engine_of(network: "keras.Model", photos: Callable[[], Images]) -> Engine:
        """What runs the frozen network."""
        engine = choose(settings, network, (), photos, workspace.root, progress)
        staging.notes[ENGINE] = str(engine)
        return engine

    categories = len(read_categories(workspace.split))
    return categories, workspace.image_model.path, staging.checkpoints, progress, engine_of


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
    return LabelledImages(paths, labels), _rows(text_vectors, whole)


def _rows(array: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The wanted rows [n] of an array, which stays memory-mapped if that is all of them."""
    return array if wanted.all() else array[wanted]


def _trials(
    workspace: Workspace,
    inputs: Sequence[Artifact],
    ads: Mapping[Part, Ads],
    settings: Settings,
    progress: Progress,
) -> list[search.Trial]:
    """The trials of a search; one that is in the workspace already is not made again."""
    target, unread = workspace.attention_search, (*search.SEARCHED, *UNSEARCHED)
    recorded = {k: v for k, v in dataclasses.asdict(settings).items() if k not in unread}
    if not _is_current(target, recorded):
        some = search.share(ads["train"], settings.search_fraction, settings.seed)
        with target.write(recorded, inputs, resume=True) as staging:
            start = _start(workspace, staging, settings, progress)

            def history(setting: search.Setting) -> Sequence[Evaluation]:
                """The evaluations of a training with this setting."""
                tried = dataclasses.replace(settings, **setting)
                schedule = search.first_round(tried.schedule(len(some[0])), tried.search_steps)
                _, evaluations = train(tried, schedule, some, ads["validation"], *start)
                for state in staging.checkpoints.glob("*.npz"):  # of past trials: 0.4 GB each
                    state.unlink()
                return evaluations

            grid = search.grid(settings.search_rate)
            with reading_photos(workspace.split, staging):
                search.search(grid, history, staging.folder / search.LOG, progress)
    return search.read_trials(target / search.LOG)


def _is_current(artifact: Artifact, recorded: Mapping[str, Any]) -> bool:
    try:
        return artifact.check().settings == recorded
    except AdcatError:
        return False


def _predict(
    workspace: Workspace,
    model: AttentionModel,
    ads: Mapping[Part, Ads],
    batch_size: int,
    staging: Staging,
    progress: Progress,
) -> None:
    """Writes the probabilities of validation and test ads; attention and vectors of whole ones."""
    forward, (probs, alpha) = attention.compiled(model), model.network.outputs
    vectors = model.parts.above.output
    for part in PREDICTED:
        batches = functools.partial(stream_predictions, model, forward, *ads[part], batch_size)
        availabilities, folder = read_availabilities(workspace.split, part), staging.folder / part
        files = {
            folder / PROBS: probs.shape[1],
            folder / MAPS: alpha.shape[1],
            folder / VECTORS: vectors.shape[1],
        }
        whole, count = have(availabilities, MODALITIES), staging.checkpoints / f"{part}.rows"
        fill(files, whole, count, batches, progress, f"attention, {part}", "images")
        _predict_incomplete(workspace, part, folder / PROBS)


def _predict_incomplete(workspace: Workspace, part: Part, path: Path) -> None:
    """Writes the probabilities of the other ads, which are those of the one classifier."""
    availabilities = read_availabilities(workspace.split, part)
    probs = np.load(path, mmap_mode="r+", allow_pickle=False)
    for modality in MODALITIES:
        rows = np.flatnonzero(availabilities == modality)
        if len(rows):
            probs[rows] = Features(workspace.features).probs(part, modality)[rows]


def _show(
    workspace: Workspace,
    model: AttentionModel,
    folder: Path,
    settings: Settings,
    progress: Progress,
) -> list[Table]:
    """Shows where the model in the folder looks at the test ads with text and photo."""
    split, features = workspace.split, Features(workspace.features)
    labels, categories = read_labels(split, "test", MODALITIES), read_categories(split)
    whole = have(read_availabilities(split, "test"), MODALITIES)
    baselines = {m: _rows(features.probs("test", m), whole) for m in MODALITIES}
    source = features.artifact.path
    correct = {m: ad_results(o, labels, source).correct for m, o in baselines.items()}
    with reading_shown(split, "test", progress, MODALITIES) as read:
        ads = AttendedAds(
            maps=_rows(open_array(folder / "test" / MAPS, len(whole)), whole),
            probs=_rows(open_array(folder / "test" / PROBS, len(whole), len(categories)), whole),
            labels=labels,
            groups=assign(correct, np.full(len(labels), "both")),
            categories=categories,
            read=read,
        )
        return show(ads, model, folder, settings.over, settings.blur, settings.seed)


def _summary(name: str, history: Sequence[Evaluation]) -> Table:
    kept = best(history, WATCHED)
    return Table(
        f"Attention model {name}",
        [
            *(Column("epochs", "{:.4g}"), Column("best epoch", "{:.4g}")),
            *(percent("train top-1"), percent("validation top-1")),
        ],
        [[history[-1].epoch, kept.epoch, kept.train_top1, kept.validation_top1]],
    )
