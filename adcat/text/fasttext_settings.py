"""The options of fastText and their published values (thesis, A.3.1)."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from adcat.settings import option
from adcat.text.noise import NoiseSettings

MAX_INT = 2**31 - 1  # fastText's whole numbers have 32 bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastTextSettings(NoiseSettings):
    """fastText's own options; a default that does not follow from the data is that of A.3.1."""

    learning_rate: float = option(
        0.9683111567577267, "fastText: first learning rate; it falls linearly to 0.", low=0
    )
    epochs: int | None = option(
        None,
        "fastText: passes over the training text; by default 2 million texts are seen.",
        low=1,
        high=MAX_INT,
        dry_run=1,
    )
    dim: int = option(100, "fastText: length of the text vector.", low=1, high=10_000)
    minn: int = option(
        5,  # measured on real ads: 3 and 4 characters are shared by words of every category
        "fastText: shortest character n-gram; the thesis has 3.",
        low=0,
        high=100,
    )
    maxn: int = option(6, "fastText: longest character n-gram; 0 for none.", low=0, high=100)
    word_ngrams: int = option(
        1, "fastText: longest sequence of words with a vector.", low=1, high=100
    )
    bucket: int | None = option(
        None,
        "fastText: vectors that all n-grams share; by default by the number of words.",
        low=1,
        high=2_000_000_000,
    )
    min_count: int | None = option(
        None,
        "fastText: rarer words have no vector of their own; by default 1, with noise 2.",
        low=0,
        high=MAX_INT,
        dry_run=1,
    )
    min_count_label: int = option(
        0,
        "fastText: categories with fewer ads are never predicted.",
        low=0,
        high=MAX_INT,
        dry_run=1,
    )
    loss: Literal["softmax", "ova"] = option(
        "softmax",
        "fastText: softmax, or one logistic regression per category against all others (ova).",
    )
    threads: int = option(
        1,
        "fastText: threads, 0 for all cores; several do not repeat bit for bit.",
        low=0,
        high=1024,
    )
    lr_update_rate: int = option(
        100, "fastText: words between changes of the learning rate.", low=1, high=MAX_INT
    )
    pretrained_vectors: Path | None = option(
        None, "fastText: a .vec file of word vectors of length --dim to start from."
    )
    ws: int = option(
        5, "fastText: context window; without effect on a classifier.", low=1, high=MAX_INT
    )
    neg: int = option(
        5, "fastText: negatives sampled; without effect with these losses.", low=1, high=MAX_INT
    )
    t: float = option(
        0.0001, "fastText: sampling threshold; without effect on a classifier.", low=0
    )

    @classmethod
    def thesis(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of A.3.1, and the noise of section 4.3.1."""
        del given
        defaults = {field.name: field.default for field in dataclasses.fields(FastTextSettings)}
        own = {"epochs": 3, "bucket": 2_000_000, "min_count": 1, "minn": 3}
        return {**defaults, **own, "threads": 12, "augment_noise": 0.2}
