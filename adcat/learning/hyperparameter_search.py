"""Hyperparameter search with hyperopt (thesis, sections 3.4 and 4.2).

Every trial is one line of a JSON-lines log. The search is a function of its seed and of that log
alone, so an interrupted search that finds its log again ends with the trials of an uninterrupted
one. hyperopt's own way of resuming repeats trials and needs pickle.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from adcat.errors import BadInputError, expecting
from adcat.files import append_json_line, read_json_lines
from adcat.parallel.tasks import ALONE, Workers
from adcat.progress import Progress
from adcat.settings import option, spark_option

RANDOM_TRIALS = 10  # before TPE has enough to estimate densities from
ROUND = 100  # trials of a random search, which need not know of any others
# Errors that settings may cause; by name, so that TensorFlow is not imported for its own.
OF_SETTINGS = {"BadInputError", "DivergedError", "InvalidArgumentError", "ValueError"}


NOT_OF_THE_RESULT = ("jobs", "spark")  # options that say where, not what


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """The options of the commands that search for their settings, beside `tune_fraction`."""

    panel: ClassVar = "Search"
    needs: ClassVar = {
        **dict.fromkeys(("tune_algorithm", "tune_fraction", "spark"), "tune"),
        "jobs": "tune !spark",
    }

    tune: int = option(0, "Trials of a search for the best settings; 0 for none.", low=0, dry_run=2)
    tune_algorithm: Literal["tpe", "random"] = option(
        "tpe",
        "How the search draws its trials. From the 11th on tpe learns from those that have ended, "
        "so from fewer where several run at a time.",
    )
    jobs: int = option(
        1, "Trials at a time, each in a process of its own.", low=1, high=1024, dry_run=1
    )
    spark: str = spark_option(panel)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One line of the log."""

    trial: int
    point: Mapping[str, list[float]]  # what hyperopt drew, choices as indices
    settings: Mapping[str, Any]  # the same, resolved
    seed: int
    score: float | None  # validation top-1
    status: Literal["ok", "failed"]
    error: str = ""


def search(
    space: Mapping[str, Any],
    score: Callable[[Mapping[str, Any], int], float],
    options: SearchOptions,
    seed: int,
    log: Path,
    progress: Progress,
    workers: Workers = ALONE,
) -> Trial:
    """Runs the trials that the log lacks and returns the best one.

    Args:
      space: hyperopt expressions by setting.
      score: makes a validation score out of settings and a seed; the search maximises it. An error
        of `OF_SETTINGS`, or a score that is not finite, fails the trial and not the search; any
        other, such as a full disk, ends the search, which then goes on with the same trial.
      options: how many trials the log holds in the end, and how they are drawn.
      seed: every trial's draw and seed follow from it and the trial's index.
      log: JSON lines, one per trial.
      progress: shows the best score so far.
      workers: run the trials; what they run is pickled.

    Raises:
      BadInputError: every trial failed.
    """
    done, trials = read_trials(log), options.tune
    with progress.task("tuning", trials, "trials", len(done)) as task:
        while len(done) < trials:
            of_round = _round(len(done), options, workers.at_once)
            known, missing = done[: of_round.start], of_round[len(done) - of_round.start :]
            drawn = [_draw(space, known, index, options.tune_algorithm, seed) for index in missing]
            for trial in workers.run(functools.partial(_run, score), drawn):
                done.append(trial)
                append_json_line(log, dataclasses.asdict(trial))
                task.advance(1, _best_so_far(done))
    best = max(done, key=_rank)
    if best.score is None:
        raise BadInputError(f"all {trials} trials failed, the last with: {done[-1].error}")
    return best


def drawn_from(options: SearchOptions, at_once: int) -> dict[str, int]:
    """What the trials of a search depend on beside its options."""
    learns = options.tune > RANDOM_TRIALS and options.tune_algorithm == "tpe"
    return {"tune_at_once": at_once} if learns and at_once > 1 else {}


def _round(index: int, options: SearchOptions, at_once: int) -> range:
    """The trials that are drawn together with the one at `index`: they know the same ones."""
    start, size = RANDOM_TRIALS, at_once
    if options.tune_algorithm == "random":
        start, size = 0, ROUND
    elif index < RANDOM_TRIALS:
        start, size = 0, RANDOM_TRIALS
    start += (index - start) // size * size
    return range(start, min(start + size, options.tune))


def read_trials(log: Path) -> list[Trial]:
    """Reads the finished trials; earlier versions filed their `seconds`, too.

    Raises:
      BadInputError: the log holds something else.
    """
    names = [field.name for field in dataclasses.fields(Trial)]
    with expecting(log, "log of a search"):
        return [Trial(**{name: line[name] for name in names}) for line in read_json_lines(log)]


def _draw(
    space: Mapping[str, Any], known: list[Trial], index: int, algorithm: str, seed: int
) -> Trial:
    """A trial that has not run yet."""
    trial_seed = int(np.random.SeedSequence([seed, index]).generate_state(1)[0]) % 2**31
    point = _suggest(space, known, index, algorithm, trial_seed)
    return Trial(index, point, _resolve(space, point), trial_seed, None, "failed")


def _run(score: Callable[[Mapping[str, Any], int], float], trial: Trial) -> Trial:
    """The trial with its score."""
    try:
        value = float(score(trial.settings, trial.seed))
        error = "" if np.isfinite(value) else f"the score is {value}"
    except Exception as failure:
        kind = type(failure).__name__
        if kind not in OF_SETTINGS:
            raise
        value, error = np.nan, f"{kind}: {failure}"
    status = "failed" if error else "ok"
    return dataclasses.replace(trial, score=None if error else value, status=status, error=error)


def _suggest(
    space: Mapping[str, Any], done: list[Trial], index: int, algorithm: str, seed: int
) -> dict[str, list[float]]:
    import hyperopt

    domain = hyperopt.base.Domain(lambda settings: 0, dict(space))
    history = hyperopt.Trials()
    history.insert_trial_docs([_document(trial) for trial in done])
    history.refresh()
    suggest = {
        "tpe": functools.partial(hyperopt.tpe.suggest, n_startup_jobs=RANDOM_TRIALS, verbose=False),
        "random": hyperopt.rand.suggest,
    }[algorithm]
    drawn = suggest([index], domain, history, seed)[0]["misc"]["vals"]
    return {name: [_plain(value) for value in values] for name, values in drawn.items()}


def _document(trial: Trial) -> dict[str, Any]:
    """A finished trial as hyperopt keeps it; it minimises a loss."""
    result: dict[str, Any] = {"status": "fail"}
    if trial.score is not None:
        result = {"status": "ok", "loss": -trial.score}
    indices = {name: [trial.trial] if drawn else [] for name, drawn in trial.point.items()}
    return {
        "tid": trial.trial,
        "state": 2,  # hyperopt.JOB_STATE_DONE
        "spec": None,
        "result": result,
        "misc": {"tid": trial.trial, "cmd": None, "idxs": indices, "vals": dict(trial.point)},
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def _resolve(space: Mapping[str, Any], point: Mapping[str, list[float]]) -> dict[str, Any]:
    import hyperopt

    chosen = {name: drawn[0] for name, drawn in point.items() if drawn}
    settings = hyperopt.space_eval(dict(space), chosen)
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, which JSON writes without loss."""
    return value.item() if isinstance(value, np.generic) else value


def _rank(trial: Trial) -> float:
    return -np.inf if trial.score is None else trial.score


def _best_so_far(done: list[Trial]) -> str:
    best = max(done, key=_rank)
    return "" if best.score is None else f"best {best.score:.4f} (trial {best.trial})"
