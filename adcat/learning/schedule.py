"""When training evaluates, lowers the learning rate and ends (thesis, sections 4.3.2 and 4.7).

The learning rate and the end follow from the history alone, and the batches from the seed, so that
interrupted training resumes as if nothing had happened.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np

from adcat.errors import BadInputError
from adcat.learning.examples import Rows
from adcat.settings import option, seed_option

OptimizerName: TypeAlias = Literal["rmsprop", "adam", "sgd", "adagrad"]
Watched: TypeAlias = Literal["validation_loss", "validation_top1"]
Decay: TypeAlias = Literal["plateau", "cosine"]
BatchNorm: TypeAlias = Literal["trained", "frozen"]

LONGEST = 5000  # steps between evaluations (thesis, section 4.7)
CROP_AREA = 0.1  # the share of a photo that a random crop covers at least (section 4.3.2)
WARM_UP = 0.1  # share of the steps of a cosine schedule in which the rate rises


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """How to train, and for how long."""

    optimizer: OptimizerName
    learning_rate: float
    batch_size: int  # at most; the batches of an epoch are equally large, give or take one
    steps: int  # at most
    evaluate_every: int  # steps, wherever epochs end
    patience: int  # steps that bring nothing until the rate is lowered
    decays: int = 1  # how often it is lowered before the end
    factor: float = 0.1  # by which it is lowered
    decay: Decay = "plateau"
    batch_norm: BatchNorm = "trained"
    crop_area: float = CROP_AREA  # of training photos, at least
    watched: Watched = "validation_loss"
    seed: int = 0  # of the order of the ads


PUBLISHED: Mapping[str, Any] = {
    "optimizer": "rmsprop",
    "learning_rate": 0.001,
    "decay": "plateau",
    "epochs": 100,
    "batch_norm": "trained",
    "crop_area": CROP_AREA,
}
FOLLOWS = "; by default as suits the network."
Options = TypeVar("Options", bound="TrainingOptions")


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The options that the commands that train image networks share.

    None stands for what the network's recipe says, or the thesis.
    """

    panel: ClassVar = "Training"

    batch_size: int = option(32, "Photos per step, at most.", low=1, high=1024)
    optimizer: OptimizerName = option(None, "Optimizer for training" + FOLLOWS)
    learning_rate: float = option(
        None, "Initial learning rate, with cosine the highest" + FOLLOWS, low=0
    )
    decay: Decay = option(
        None,
        "Lower the learning rate to a tenth when validation stalls (plateau), as in the thesis, or "
        "raise it over a tenth of the steps and then lower it to 0 (cosine)" + FOLLOWS,
    )
    epochs: int = option(None, "Epochs, with plateau at most so many" + FOLLOWS, low=1, dry_run=1)
    batch_norm: BatchNorm = option(
        None,
        "Normalise with the moments of each batch, and learn scale and offset (trained), as in the "
        "thesis, or leave all as it is (frozen)" + FOLLOWS,
    )
    crop_area: float = option(
        None,
        "Share of a training photo that a random crop covers at least; 1 for whole photos"
        + FOLLOWS,
        low=0.01,
        high=1,
    )
    patience: int | None = option(
        None,
        "Steps without improvement before the learning rate drops to a tenth, and after that "
        "before training stops; by default two evaluations.",
        low=1,
    )
    evaluate_every: int | None = option(
        None, "Steps between evaluations; by default an epoch, 5,000 at most.", low=1
    )
    views: int = option(
        1,
        "Crops of each training photo that the frozen layers see: the central one, then random "
        "ones.",
        low=1,
    )
    seed: int = seed_option()

    def following(self: Options, recipe: Mapping[str, Any]) -> Options:
        """The options, where none was given those of a recipe, else the published ones."""
        found = {**PUBLISHED, **recipe}
        given = {name: getattr(self, name) for name in found}
        return dataclasses.replace(
            self, **{name: value for name, value in found.items() if given[name] is None}
        )

    def schedule(self, ads: int) -> Schedule:
        """The schedule that follows from the options and the number of ads to learn from.

        Raises:
          BadInputError: the patience is shorter than the time between evaluations.
        """
        epoch = steps_per_epoch(ads, self.batch_size)
        every = self.evaluate_every or min(epoch, LONGEST)
        if self.patience and self.patience < every:
            raise BadInputError(
                f"--patience {self.patience} counts steps, and evaluations are {every} steps "
                f"apart; type: --patience {every}, or more"
            )
        return Schedule(
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            steps=self.epochs * epoch,
            evaluate_every=every,
            patience=self.patience or 2 * every,
            decay=self.decay,
            batch_norm=self.batch_norm,
            crop_area=self.crop_area,
            seed=self.seed,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """One line of a training's history."""

    epoch: float  # passes over the training ads so far; 0 before the first step
    learning_rate: float
    train_loss: float | None  # of the first output, mean since the last evaluation
    train_top1: float | None
    validation_loss: float
    validation_top1: float


def is_over(history: Sequence[Evaluation], schedule: Schedule) -> bool:
    """Whether the steps are used up, or validation stalls once more after the last decay."""
    if steps_taken(history, schedule) >= schedule.steps:
        return True
    return schedule.decay == "plateau" and decays(history, schedule) > schedule.decays


def steps_taken(history: Sequence[Evaluation], schedule: Schedule) -> int:
    """How many steps a training has taken."""
    return min(schedule.steps, (len(history) - 1) * schedule.evaluate_every)


def steps_per_epoch(ads: int, batch_size: int) -> int:
    """How many batches of at most so many ads it takes to read all of them."""
    return math.ceil(ads / batch_size)


def learning_rate(history: Sequence[Evaluation], schedule: Schedule) -> float:
    """The learning rate until the next evaluation, of a schedule that lowers it at a plateau."""
    return schedule.learning_rate * schedule.factor ** decays(history, schedule)


def decays(history: Sequence[Evaluation], schedule: Schedule) -> int:
    """How often validation has stalled: `patience` steps without a better evaluation.

    The start does not count: a network all of whose layers begin to move first becomes worse.
    """
    best, waited, stalls = (-math.inf,), 0, 0
    for evaluation in history[1:]:
        if selection_score(evaluation, schedule.watched) > best:
            best, waited = selection_score(evaluation, schedule.watched), 0
        else:
            waited += schedule.evaluate_every
        if waited >= schedule.patience:
            stalls, waited = stalls + 1, 0
    return stalls


def best(history: Sequence[Evaluation], watched: Watched) -> Evaluation:
    """The evaluation whose weights are kept; the first of equals."""
    return max(history, key=lambda evaluation: selection_score(evaluation, watched))


def selection_score(evaluation: Evaluation, watched: Watched) -> tuple[float, ...]:
    """What is watched, such that more is better; of equal top-1 the lower loss is better."""
    if watched == "validation_loss":
        return (-evaluation.validation_loss,)
    return evaluation.validation_top1, -evaluation.validation_loss


def next_batches(
    evaluations: int, ads: int, schedule: Schedule
) -> tuple[list[tuple[int, list[Rows]]], float]:
    """What is learned from between an evaluation and the next.

    Args:
      evaluations: how many there were since the start.
      ads: how many there are to learn from.
      schedule: says how many batches.

    Returns:
      Epochs, counted from 0, each with the rows of its ads, batch by batch; the epochs that are
      then passed.
    """
    per_epoch = steps_per_epoch(ads, schedule.batch_size)
    first = evaluations * schedule.evaluate_every
    end = min(first + schedule.evaluate_every, schedule.steps)
    parts = []
    for epoch in range(first // per_epoch, math.ceil(end / per_epoch)):
        order = np.random.default_rng((schedule.seed, epoch)).permutation(ads)
        before = epoch * per_epoch
        batches = np.array_split(order, per_epoch)[max(0, first - before) : end - before]
        parts.append((epoch, batches))
    return parts, end / per_epoch
