"""Algorithm 1: when the learning rate falls and when training ends (thesis, section 4.5.2)."""

import dataclasses
import math
from collections.abc import Generator
from typing import NamedTuple

from adcat.fusion.policy_settings import PolicySettings

MOST = 200  # evaluations
EPSILON = 0.00001


@dataclasses.dataclass
class Algorithm1:
    """The state of Algorithm 1, as printed.

    `clock` counts failures in total: it is not set back when the accuracy rises. A decay needs
    four failures, the last decay leaves no patience, and the thirteenth failure ends training, so
    the shortest run is 14 evaluations.
    """

    learning_rate: float
    best_val_acc: float = 0.0
    clock: int = 3
    decay_step: int = 3

    def goes_on(self, val_acc: float) -> bool:
        """Takes the score of an evaluation; says whether training goes on."""
        if val_acc >= self.best_val_acc + EPSILON:
            self.best_val_acc = val_acc
        elif self.decay_step == 0:
            return False
        elif self.clock == 0:
            self.learning_rate *= 0.5
            self.decay_step -= 1
            self.clock = 3
        else:
            self.clock -= 1
        return True


@dataclasses.dataclass
class Prose:
    """The schedule that the thesis' text describes beside Algorithm 1.

    Three evaluations in a row without a rise halve the rate, three times; then they end training,
    so the shortest run is 13 evaluations.
    """

    learning_rate: float
    best_val_acc: float = 0.0
    failures: int = 0
    decays: int = 0

    def goes_on(self, val_acc: float) -> bool:
        """Takes the score of an evaluation; says whether training goes on."""
        if val_acc >= self.best_val_acc + EPSILON:
            self.best_val_acc, self.failures = val_acc, 0
            return True
        self.failures += 1
        if self.failures == 3:
            self.learning_rate *= 0.5
            self.decays, self.failures = self.decays + 1, 0
        return self.decays <= 3


SCHEDULES = {"printed": Algorithm1, "prose": Prose}


class Stage(NamedTuple):
    """What is learned before an evaluation."""

    epoch: int  # at its end
    passes: int  # over the ads: the epochs since the last evaluation
    learning_rate: float


def course(settings: PolicySettings, ads: int) -> Generator[Stage | None, float, None]:
    """Yields what is learned before each evaluation, is sent its score, and yields None in the end.

    An evaluation follows at the end of an epoch, but not before `evaluate_every` steps: the epochs
    of the thesis have thousands, those of a few hundred ads too few to learn anything.
    """
    schedule = SCHEDULES[settings.schedule](settings.learning_rate)
    most, epoch, goes_on = epochs(settings, ads), 0, True
    while goes_on and epoch < most:
        passes = min(_passes(settings, ads), most - epoch)
        epoch += passes
        goes_on = schedule.goes_on((yield Stage(epoch, passes, schedule.learning_rate)))
    yield None


def epochs(settings: PolicySettings, ads: int) -> int:
    """How many epochs a training has at most."""
    return settings.max_epochs or MOST * _passes(settings, ads)


def _passes(settings: PolicySettings, ads: int) -> int:
    return math.ceil(settings.evaluate_every / math.ceil(ads / settings.batch_size))
