"""The initial weights of layers that are new (thesis, section 4.2)."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from adcat.learning.runtime import import_tensorflow
from adcat.settings import option

if TYPE_CHECKING:
    import keras

DEVIATION = 0.01  # N(0, 0.01), read as the standard deviation


@dataclasses.dataclass(frozen=True)
class InitialWeights:
    """How they are drawn, for the commands that offer a choice."""

    panel: ClassVar = "Training"

    initial_deviation: float = option(
        DEVIATION,
        "Standard deviation of the normal distribution that initial weights are drawn from, cut "
        "off at two of them; 0.1 reads the thesis' N(0, 0.01) as a variance.",
        low=0.0001,
    )


def truncated_normal(deviation: float = DEVIATION) -> "keras.Initializer":
    """N(0, deviation²), samples beyond 2 standard deviations drawn again."""
    return import_tensorflow().keras.initializers.TruncatedNormal(0.0, deviation)
