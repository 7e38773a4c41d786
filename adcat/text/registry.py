"""The text models by name, and their interface.

To add one, write a module with `FILES`, `resolve`, `train` and `load` as in `fasttext_model` and a
line in `TEXT_MODELS`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args, runtime_checkable

from adcat.data.text_cleaning import READINGS, Reading
from adcat.errors import BadInputError, expecting
from adcat.files import write_json
from adcat.text import cnn_model, fasttext_model, tfidf_model
from adcat.text.corpus import Corpus, TextFacts
from adcat.types import Probs, TextLayer, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DESCRIPTION = "model.json"


class TextModel(Protocol):
    """A trained text classifier."""

    @property
    def dimension(self) -> int:
        """The length of a text vector."""
        ...

    def features(self, texts: Sequence[str]) -> tuple[Vectors, Probs]:
        """Text vectors [n, dimension] and probabilities [n, categories] of cleaned texts."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the model's own files."""
        ...


@runtime_checkable
class TermModel(TextModel, Protocol):
    """A text classifier that reads terms, such as words: `isinstance` tells which do."""

    def terms(self, texts: Sequence[str]) -> "csr_matrix":
        """The value of each term in cleaned texts, each text's of length 1: [n, terms]."""
        ...


class TextModelModule(Protocol):
    """The interface of a text model's module."""

    @property
    def FILES(self) -> Sequence[str]:  # noqa: N802
        """The files that the model's `save` writes."""
        ...

    def resolve(self, settings: Any, facts: TextFacts) -> Any:
        """Fills in the settings that follow from the training part."""
        ...

    def train(self, corpus: Corpus, settings: Any, seed: int, scratch: Path) -> TextModel:
        """Trains with resolved settings; `scratch` is a folder for temporary files."""
        ...

    def load(self, folder: Path, categories: int, layer: TextLayer = "vectors") -> TextModel:
        """Reads what the model's `save` wrote."""
        ...


TEXT_MODELS: Mapping[str, TextModelModule] = {
    "fasttext": fasttext_model,
    "tfidf": tfidf_model,
    "cnn": cnn_model,
}


def save(
    folder: Path, name: str, model: TextModel, categories: Sequence[str], reading: Reading
) -> None:
    """Writes a model and the description that `load` needs."""
    model.save(folder)
    prepared = reading.in_words
    description = {"model": name, "preprocessing": prepared, "categories": list(categories)}
    write_json(folder / DESCRIPTION, description)


def has_terms(folder: Path) -> bool:
    """Whether a folder holds a model that reads terms.

    Raises:
      BadInputError: the folder holds something else.
    """
    with expecting(folder / DESCRIPTION, "text model of adcat"):
        return hasattr(TEXT_MODELS[_description(folder)["model"]], "ANALYZERS")


def files(folder: Path) -> list[str]:
    """The names of the files that `load` needs.

    Raises:
      BadInputError: the folder holds something else.
    """
    with expecting(folder / DESCRIPTION, "text model of adcat"):
        return [DESCRIPTION, *TEXT_MODELS[_description(folder)["model"]].FILES]


def _description(folder: Path) -> dict[str, Any]:
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))


def load(
    folder: Path, categories: Sequence[str] | None = None, layer: TextLayer = "vectors"
) -> TextModel:
    """Reads a text model of any kind.

    Args:
      folder: holds what `save` wrote.
      categories: what its own must be, if that is known.
      layer: whose outputs are its vectors.

    Raises:
      BadInputError: it is not a text model, its files do not fit together, its categories are
        others, or its texts were prepared in an unknown way.
    """
    with expecting(folder / DESCRIPTION, "text model of adcat"):
        description = _description(folder)
        module, count = TEXT_MODELS[description["model"]], len(description["categories"])
        if categories is not None and description["categories"] != list(categories):
            raise ValueError("its categories are not those of the split")
        if layer not in get_args(TextLayer):
            raise ValueError(f"it has no layer {layer!r}")
    reading_of(folder)
    with expecting(folder, f"{description['model']} model of {count} categories"):
        model = module.load(folder, count, layer)
        vectors, probs = model.features([""])  # fails where the files do not fit together
        if vectors.shape != (1, model.dimension) or probs.shape != (1, count):
            raise ValueError(f"its predictions are of shape {vectors.shape} and {probs.shape}")
    return model


def reading_of(folder: Path) -> Reading:
    """What a text model reads of an ad.

    Raises:
      BadInputError: it wants its texts prepared in a way that this adcat cannot.
    """
    with expecting(folder / DESCRIPTION, "text model of adcat"):
        prepared = _description(folder)["preprocessing"]
    for reading in READINGS:
        if prepared == reading.in_words:
            return reading
    raise BadInputError(
        f"{folder} was trained on texts prepared as {prepared!r}, this adcat prepares them as "
        f"{' or '.join(repr(reading.in_words) for reading in READINGS)}; train it again: adcat "
        "train-text"
    )
