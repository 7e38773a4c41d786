"""The options of fastText."""

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal

from adcat.settings import option
from adcat.text.noise import NoiseSettings

MAX_INT = 2**31 - 1  # fastText's integers have 32 bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastTextSettings(NoiseSettings):
    """fastText's own options; a default that does not follow from the data is that of A.3.1."""

    panel: ClassVar = "fastText"

    learning_rate: float = option(
        0.9683111567577267, "Initial learning rate; it falls linearly to 0.", low=0
    )
    epochs: int | None = option(
        None,
        "Passes over the training text; by default 2,500 / √texts, from 3 to 100.",
        low=1,
        high=MAX_INT,
        dry_run=1,
    )
    dim: int = option(100, "Length of the text vector.", low=1, high=10_000)
    minn: int = option(
        5,  # measured on real ads: 3 and 4 characters are shared by words of every category
        "Shortest character n-gram; 3 in the thesis.",
        low=0,
        high=100,
    )
    maxn: int = option(6, "Longest character n-gram; 0 for none.", low=0, high=100)
    word_ngrams: int = option(1, "Longest word n-gram.", low=1, high=100)
    bucket: int | None = option(
        None,
        "Number of vectors that the n-grams are hashed to; by default it follows from the number "
        "of words.",
        low=1,
        high=2_000_000_000,
    )
    min_count: int | None = option(
        None,
        "Words with fewer occurrences get no vector; by default 1, with noise 2.",
        low=0,
        high=MAX_INT,
        dry_run=1,
    )
    min_count_label: int = option(
        0, "Categories with fewer ads are never predicted.", low=0, high=MAX_INT, dry_run=1
    )
    loss: Literal["softmax", "ova"] = option(
        "softmax", "Softmax, or one logistic regression per category against all others (ova)."
    )
    threads: int = option(
        1, "Threads, 0 for all cores; only 1 gives reproducible results.", low=0, high=1024
    )
    lr_update_rate: int = option(
        100, "Words between updates of the learning rate.", low=1, high=MAX_INT
    )
    pretrained_vectors: Path | None = option(
        None, "A .vec file of word vectors of length --dim to start from."
    )
    ws: int = option(5, "Context window; no effect on a classifier.", low=1, high=MAX_INT)
    neg: int = option(5, "Negative samples; no effect with these losses.", low=1, high=MAX_INT)
    t: float = option(0.0001, "Sampling threshold; no effect on a classifier.", low=0)
