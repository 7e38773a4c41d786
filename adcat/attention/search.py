"""A search over the insertion point, what is attended to, and the learning rate.

Each trial is a line of a JSON-lines log with its history; settings that are in the log are not
tried again.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np

from adcat.attention.config import AttentionConfig
from adcat.attention.fine_tuning import Ads
from adcat.attention.insertion import Point
from adcat.attention.step import Over
from adcat.errors import AGAIN, BadInputError, DivergedError, expecting
from adcat.files import append_json_line, read_json_lines
from adcat.image.labelled_images import LabelledImages
from adcat.learning.schedule import Evaluation, Schedule
from adcat.progress import Progress
from adcat.tables import Column, Table, percent

LOG = "trials.jsonl"
SEARCHED = ("insert_at", "over", "learning_rate")
Setting: TypeAlias = Mapping[str, Any]  # the options of `SEARCHED`


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One line of the log."""

    setting: Setting
    history: Sequence[Evaluation]  # empty if it failed
    error: str = ""

    @property
    def variant(self) -> str:
        """Where attention is inserted and over what, such as `c-wh`."""
        point, over = self.setting["insert_at"], self.setting["over"]
        return AttentionConfig(insert_at=point, over=over).variant

    @property
    def score(self) -> float:
        """The highest validation top-1 after the start, which is the image classifier's."""
        return max((evaluation.validation_top1 for evaluation in self.history[1:]), default=-1.0)


def grid(learning_rates: Sequence[float]) -> list[Setting]:
    """The thesis' ten settings, each at every learning rate; those of one point side by side."""
    product = itertools.product(get_args(Point), get_args(Over), learning_rates)
    return [dict(zip(SEARCHED, values, strict=True)) for values in product]


def share(ads: Ads, fraction: float, seed: int) -> Ads:
    """A share of the ads, drawn at random, that every setting is trained on."""
    images, text_vectors = ads
    count = max(1, round(fraction * len(images)))
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    paths = [str(images.paths[row]) for row in rows]
    return LabelledImages(paths, images.labels[rows]), text_vectors[rows]


def first_round(schedule: Schedule, steps: int) -> Schedule:
    """How a setting is tried: at one rate to the end, at most so many steps (section 5.3)."""
    steps = min(steps, schedule.steps)
    return dataclasses.replace(schedule, steps=steps, patience=steps, decays=0, decay="plateau")


def search(
    settings: Sequence[Setting],
    train: Callable[[Setting], Sequence[Evaluation]],
    log: Path,
    progress: Progress,
) -> list[Trial]:
    """Tries the settings that the log lacks.

    Args:
      settings: what to try.
      train: returns the history of a setting; one that diverges is a failed trial.
      log: JSON lines, one per trial.
      progress: shows the best so far.

    Raises:
      BadInputError: every trial failed.
    """
    done = _read(log)
    with progress.task("settings", len(settings), "settings", len(done)) as task:
        for setting in settings[len(done) :]:
            done.append(_try(setting, train))
            append_json_line(log, dataclasses.asdict(done[-1]))
            task.advance(1, f"best {best_of(done).score:.4f} ({best_of(done).variant})")
    if best_of(done).error:
        raise BadInputError(f"all {len(done)} settings failed, the last with: {done[-1].error}")
    return done


def _try(setting: Setting, train: Callable[[Setting], Sequence[Evaluation]]) -> Trial:
    try:
        return Trial(setting, train(setting))
    except DivergedError as error:
        return Trial(setting, [], str(error))


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest score; the first of equals."""
    return max(trials, key=lambda trial: trial.score)


def best_of_each(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Each variant's trial at its best learning rate."""
    found: dict[str, Trial] = {}
    for trial in trials:
        found[trial.variant] = best_of([found.get(trial.variant, trial), trial])
    return found


def settings_table(trials: Sequence[Trial]) -> Table:
    """Table 5.7: what the search found; no numbers for a setting that failed at every rate."""
    return Table(
        "Table 5.7: settings of attention, best validation top-1",
        [Column("setting"), Column("learning rate", "{:g}"), percent("validation top-1")],
        [
            [name, *([None] * 2 if trial.error else [trial.setting["learning_rate"], trial.score])]
            for name, trial in best_of_each(trials).items()
        ],
    )


def read_trials(log: Path) -> list[Trial]:
    """Reads the trials of a search that is done.

    Raises:
      BadInputError: the log holds something else, or none.
    """
    trials = _read(log)
    if not trials:
        raise BadInputError(f"{log} holds no trial; {AGAIN}")
    return trials


def _read(log: Path) -> list[Trial]:
    with expecting(log, "log of a search"):
        return [_trial(**line) for line in read_json_lines(log)]


def _trial(setting: dict, history: list[dict], error: str) -> Trial:
    evaluations = [Evaluation(**values) for values in history]
    return Trial({name: setting[name] for name in SEARCHED}, evaluations, error)
