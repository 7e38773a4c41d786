"""What an attention model is, and how it is trained."""

import dataclasses
from typing import ClassVar, Literal

from adcat.attention.insertion import Point
from adcat.attention.step import Form, Over, Scale
from adcat.image.engines import EngineOptions
from adcat.learning.initial_weights import InitialWeights
from adcat.learning.schedule import Schedule, TrainingOptions, Watched
from adcat.settings import option

WATCHED: Watched = "validation_top1"


@dataclasses.dataclass(frozen=True)
class AttentionConfig(InitialWeights):
    """Where attention is inserted, over what, and its form."""

    panel: ClassVar = "Attention"

    insert_at: Point = option(
        "c",
        "Insertion point: before the 1st (a), 4th (b), 6th (c), 9th (d) or 11th (e) module of "
        "Inception v3; in EfficientNet-Lite0 before its blocks of 40, 80, 112, 192, 320 channels, "
        "where c to e point well at what the text names (make attention).",
    )
    over: Over = option(
        "wh", "Attend to positions (wh: width and height) or to feature maps (c: channels)."
    )
    scale: Scale = option(
        "count",
        "Multiply the attention by the number of keys (count), so that uniform attention leaves "
        "the network unchanged, or do not (none), as in the thesis.",
    )
    form: Form = option(
        "weighted", "Weight each key (weighted), or replace every key by the weighted sum (summed)."
    )
    standardise: bool = option(True, "Standardise the text vectors with training statistics.")
    late_text: bool = option(
        False,
        "Also feed the text to the last layer, so that attention need not carry it; starts as a "
        "regression on the text vectors.",
    )

    @property
    def variant(self) -> str:
        """The thesis' name of the insertion point and what is attended to, such as `c-wh`."""
        return f"{self.insert_at}-{self.over}"

    @property
    def default_name(self) -> str:
        """The variant, and whether the last layer reads the text, such as `c-wh-late`."""
        return f"{self.variant}-late" if self.late_text else self.variant


@dataclasses.dataclass(frozen=True)
class AttentionTraining(EngineOptions, TrainingOptions, AttentionConfig):
    """An attention model and its training."""

    panel: ClassVar = "Training"

    stage: Literal["attention", "all"] = option(
        "all",
        "Train all layers (all), as in the thesis, or only the attention and the last layer "
        "(attention), on feature maps that the frozen network computes once.",
    )
    cache_limit: float = option(
        8.0, "Gigabytes of feature maps to store rather than compute for every batch.", low=0
    )

    def schedule(self, ads: int) -> Schedule:
        """The schedule that follows from the options and the number of ads to learn from."""
        return dataclasses.replace(super().schedule(ads), watched=WATCHED)
