"""The options of the text CNN; what the thesis does not state is as Kim (2014) has it."""

import dataclasses

from adcat.settings import option
from adcat.text.noise import NoiseSettings

MAX_WIDTH = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class CnnSettings(NoiseSettings):
    """The network's shape and its training."""

    cnn_learning_rate: float = option(0.001, "cnn: learning rate of Adam.", low=0)
    cnn_epochs: int | None = option(
        None,
        "cnn: passes over the training ads; by default 1 million texts are seen.",
        low=1,
        dry_run=1,
    )
    cnn_batch_size: int = option(50, "cnn: ads per step.", low=1, high=65_536)
    cnn_filters: int = option(100, "cnn: convolutions of each width.", low=1, high=10_000)
    cnn_widths: str = option("3,4,5", "cnn: how many words the convolutions span.")
    cnn_dim: int = option(100, "cnn: length of a word's embedding.", low=1, high=10_000)
    cnn_embedding_epochs: int | None = option(
        None,
        "cnn: passes of the skip-gram training; by default 20 million words are seen.",
        low=1,
        dry_run=1,
    )
    cnn_min_count: int = option(
        2, "cnn: rarer words are left out.", low=1, high=2**31 - 1, dry_run=2
    )
    cnn_length: int | None = option(
        None,
        "cnn: words of a text that are read; by default as many as 95 % of the texts have.",
        low=1,
        high=100_000,
    )
    cnn_tune_embeddings: bool = option(True, "cnn: train the embeddings further.")
