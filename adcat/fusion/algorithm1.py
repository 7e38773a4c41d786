"""Algorithm 1: when the learning rate falls and when training ends (thesis, section 4.5.2)."""

import dataclasses

EPSILON = 0.00001


@dataclasses.dataclass
class Algorithm1:
    """The state of Algorithm 1, as printed.

    `clock` counts failures in total: it is not set back when the accuracy rises. A decay needs
    four failures, the last decay leaves no patience, and the thirteenth failure ends training, so
    the shortest run is 14 epochs.
    """

    learning_rate: float
    best_val_acc: float = 0.0
    clock: int = 3
    decay_step: int = 3

    def goes_on(self, val_acc: float) -> bool:
        """Takes an epoch's validation accuracy; says whether another epoch follows."""
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

    Three epochs in a row without a rise halve the rate; the third time ends training, so the
    shortest run is 10 epochs.
    """

    learning_rate: float
    best_val_acc: float = 0.0
    failures: int = 0
    decays: int = 0

    def goes_on(self, val_acc: float) -> bool:
        """Takes an epoch's validation accuracy; says whether another epoch follows."""
        if val_acc >= self.best_val_acc + EPSILON:
            self.best_val_acc, self.failures = val_acc, 0
            return True
        self.failures += 1
        if self.failures == 3:
            self.learning_rate *= 0.5
            self.decays, self.failures = self.decays + 1, 0
        return self.decays < 3


SCHEDULES = {"printed": Algorithm1, "prose": Prose}
