"""The options of TF-IDF with logistic regression."""

import dataclasses
from typing import ClassVar, Literal

from adcat.settings import option
from adcat.text.noise import NoiseSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class TfidfSettings(NoiseSettings):
    """What the terms are, how many, and how strongly their weights are regularised."""

    panel: ClassVar = "TF-IDF with logistic regression"

    analyzer: Literal["word", "char"] = option(
        "word",
        "Terms: words and word pairs (word), or the runs of 2 to 5 characters within words (char), "
        "which share more between misspelt, inflected and compound words and cost some five times "
        "as much.",
    )
    tfidf_c: float = option(
        100.0, "Inverse strength of the regularisation (C).", low=1e-6, high=1e6
    )
    tfidf_min_df: int = option(
        2, "Leave out terms that fewer training ads contain.", low=1, high=2**31 - 1, dry_run=2
    )
    tfidf_max_features: int | None = option(
        None,
        "Maximum number of terms, the most frequent first; by default as many as make 10 million "
        "weights.",
        low=1,
        high=2**31 - 1,
    )
    tfidf_components: int = option(
        100, "Length of the text vector (truncated SVD).", low=1, high=10_000
    )
