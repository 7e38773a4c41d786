"""The options of TF-IDF with logistic regression."""

import dataclasses

from adcat.settings import option
from adcat.text.noise import NoiseSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class TfidfSettings(NoiseSettings):
    """How many terms there are, and how strongly their weights are regularised."""

    tfidf_c: float = option(
        100.0, "tfidf: how little the regression is regularised (C).", low=1e-6, high=1e6
    )
    tfidf_min_df: int = option(
        2,
        "tfidf: terms that fewer training ads have are left out.",
        low=1,
        high=2**31 - 1,
        dry_run=2,
    )
    tfidf_max_features: int | None = option(
        None,
        "tfidf: at most so many terms, those that most ads have; by default 10 million weights.",
        low=1,
        high=2**31 - 1,
    )
    tfidf_components: int = option(
        100, "tfidf: length of the text vector, a truncated SVD.", low=1, high=10_000
    )
