"""The options of `train-text`: which model, what it reads, and each model's own."""

import dataclasses
from typing import ClassVar, Literal

from adcat import thesis
from adcat.data.text_cleaning import Cleaning, Fields, Reading
from adcat.learning.hyperparameter_search import SearchOptions
from adcat.settings import classifier_name, folds_option, option, seed_option
from adcat.text.cnn_settings import CnnSettings
from adcat.text.fasttext_settings import FastTextSettings
from adcat.text.tfidf_settings import TfidfSettings

OPTIONS = {"fasttext": FastTextSettings, "tfidf": TfidfSettings, "cnn": CnnSettings}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(SearchOptions, CnnSettings, TfidfSettings, FastTextSettings):
    """Which text model, and its options."""

    panel: ClassVar = "Text model"
    panels: ClassVar = (
        panel,
        FastTextSettings.panel,
        TfidfSettings.panel,
        CnnSettings.panel,
    )
    selector: ClassVar = "model"
    published: ClassVar = thesis.settings("train-text")

    tune_fraction: float = option(
        None,
        "Share of the training ads that each trial learns from; by default all, 100,000 at most.",
        low=0.001,
        high=1,
        panel=SearchOptions.panel,
    )
    model: Literal["fasttext", "tfidf", "cnn"] = option("fasttext", "The text model.")
    name: str = classifier_name()
    folds: int | None = folds_option()
    fields: Fields = option("both", "What the model reads of an ad.")
    text_cleaning: Cleaning = option(
        "words",
        "Let markup and punctuation separate words and cut scripts without blanks between words "
        "into characters (words), or remove punctuation (thesis).",
    )
    seed: int = seed_option()

    @property
    def reading(self) -> Reading:
        """What the model reads of an ad."""
        return Reading(self.text_cleaning, self.fields)

    @staticmethod
    def reads(model: str, field: str) -> bool:
        """Whether a model reads an option: all do but for the other models' own."""
        readers = [name for name, of in OPTIONS.items() if field in of.__dataclass_fields__]
        return model in readers or not readers
