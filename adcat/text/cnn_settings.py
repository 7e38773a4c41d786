"""The options of the text CNN; what the thesis does not state is as Kim (2014) has it."""

import dataclasses
from typing import ClassVar, Literal

from adcat.settings import option
from adcat.text.noise import NoiseSettings

MAX_WIDTH = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class CnnSettings(NoiseSettings):
    """The network's shape and its training."""

    panel: ClassVar = "Convolutional network"

    cnn_optimizer: Literal["adam", "rmsprop", "sgd"] = option("adam", "Optimizer for training.")
    cnn_learning_rate: float = option(0.001, "Learning rate.", low=0)
    cnn_epochs: int | None = option(
        None,
        "Passes over the training ads; by default enough to see 1 million texts.",
        low=1,
        dry_run=1,
    )
    cnn_batch_size: int = option(50, "Ads per training step.", low=1, high=65_536)
    cnn_filters: int = option(100, "Filters of each width.", low=1, high=10_000)
    cnn_widths: str = option("3,4,5", "Widths of the filters, in words.")
    cnn_dim: int = option(100, "Length of a word's embedding.", low=1, high=10_000)
    cnn_embedding_epochs: int | None = option(
        None,
        "Passes of the skip-gram training; by default enough to see 20 million words.",
        low=1,
        dry_run=1,
    )
    cnn_min_count: int = option(2, "Leave out rarer words.", low=1, high=2**31 - 1, dry_run=2)
    cnn_length: int | None = option(
        None,
        "Words of a text to read; by default as many as 95 % of the texts have, 1,000 at most.",
        low=1,
        high=100_000,
    )
    cnn_tune_embeddings: bool = option(True, "Fine-tune the embeddings.")
