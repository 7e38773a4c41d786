"""The text CNN of Kim (2014) on skip-gram embeddings of the ads' own words (thesis, 3.3.3, 4.3.1).

A text is cut or zero-padded to a fixed length; convolutions of several widths over its words'
embeddings, ReLU and the maximum over the text give the text vector t; the probabilities are
softmax(W t + b), with dropout on t while training.
"""

import dataclasses
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError, DivergedError
from adcat.files import create_array, write_json
from adcat.learning.keras_files import load_network, save_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.text.cnn_settings import MAX_WIDTH, CnnSettings
from adcat.text.corpus import Corpus, TextFacts, check_categories, passes
from adcat.text.skip_gram import train_embeddings
from adcat.types import Labels, Probs, TextLayer, Vectors

AnySettings = TypeVar("AnySettings", bound=CnnSettings)

NETWORK, VOCABULARY = "model.keras", "vocabulary.json"
FILES = (NETWORK, VOCABULARY)
EMBEDDING = "embedding"  # the layer of the words' vectors
PADDING = 0  # the index of no word
DROPOUT = 0.5
WORDS_AT_ONCE = 65_536  # per prediction
MAX_LENGTH = 1000  # words; what one text of a million of them must not decide for all
TEXTS_SEEN, WORDS_SEEN = 1_000_000, 20_000_000
MIN_EPOCHS, MAX_EPOCHS = 3, 30


def resolve(settings: AnySettings, facts: TextFacts) -> AnySettings:
    """Fills in the settings that follow from the data: its size and the lengths of its texts.

    Raises:
      BadInputError: the widths are not whole numbers.
    """
    longest = max(parse_widths(settings.cnn_widths))
    texts, words = facts.ads * settings.copies, facts.words * settings.copies
    epochs = passes(TEXTS_SEEN, texts, MIN_EPOCHS, MAX_EPOCHS)
    over_words = passes(WORDS_SEEN, words, MIN_EPOCHS, MAX_EPOCHS)
    return dataclasses.replace(
        settings,
        cnn_epochs=settings.cnn_epochs or epochs,
        cnn_embedding_epochs=settings.cnn_embedding_epochs or over_words,
        cnn_length=max(longest, settings.cnn_length or min(facts.length, MAX_LENGTH)),
    )


def parse_widths(text: str) -> list[int]:
    """Reads widths such as `3,4,5`.

    Raises:
      BadInputError: it has another form.
    """
    widths = [int(word) for word in text.split(",") if word.isascii() and word.isdigit()]
    if len(widths) != len(text.split(",")) or not all(0 < w <= MAX_WIDTH for w in widths):
        expected = f"numbers from 1 to {MAX_WIDTH} such as 3,4,5"
        raise BadInputError(f"--cnn-widths {text!r}: expected {expected}")
    return widths


class CnnModel:
    """A trained network and its words."""

    def __init__(
        self,
        network: Any,
        words: Sequence[str],
        columns: Sequence[int],
        categories: int,
        layer: TextLayer = "vectors",
    ) -> None:
        """Wraps a network from word indices [n, length] to t and the columns' probabilities."""
        self._network, self._words, self._layer = network, words, layer
        self._columns, self._categories = list(columns), categories
        self._length = network.inputs[0].shape[1]
        self._indices = {word: i for i, word in enumerate(words, PADDING + 1)}

    @property
    def dimension(self) -> int:
        """The length of a text vector."""
        return self._categories if self._layer == "logits" else self._network.outputs[0].shape[1]

    def features(self, texts: Sequence[str]) -> tuple[Vectors, Probs]:
        """Text vectors [n, dimension] and probabilities [n, categories] of cleaned texts.

        Words that the model does not know are left out. A category without training ads has
        probability 0 and logit 0.
        """
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        probs = np.zeros((len(texts), self._categories), np.float32)
        block = max(1, WORDS_AT_ONCE // self._length)
        for start in range(0, len(texts), block):
            rows = slice(start, start + block)
            t, probs[rows, self._columns] = self._network(self.indices(texts[rows]))
            if self._layer == "logits":
                W, b = self._network.layers[-1].get_weights()  # noqa: N806
                vectors[rows, self._columns] = t @ W + b
            else:
                vectors[rows] = t
        return vectors, probs

    def indices(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """The first known words of each text, padded: [n, length]."""
        rows = np.full((len(texts), self._length), PADDING, np.int32)
        for row, text in zip(rows, texts, strict=True):
            known = (self._indices[word] for word in text.split() if word in self._indices)
            first = list(islice(known, self._length))
            row[: len(first)] = first
        return rows

    def save(self, folder: Path) -> None:
        """Writes the network and its words."""
        save_network(self._network, folder / NETWORK)
        write_json(folder / VOCABULARY, {"words": self._words, "columns": self._columns})


def load(folder: Path, categories: int, layer: TextLayer = "vectors") -> CnnModel:
    """Reads what `CnnModel.save` wrote.

    Raises:
      ValueError: the network knows more or fewer words.
    """
    known = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    network, words = load_network(folder / NETWORK), known["words"]
    vectors = network.get_layer(EMBEDDING).embeddings.shape[0]
    if len(words) + 1 != vectors:
        raise ValueError(f"{len(words)} words and {vectors} vectors, one of them for no word")
    return CnnModel(network, words, known["columns"], categories, layer)


def train(corpus: Corpus, settings: CnnSettings, seed: int, scratch: Path) -> CnnModel:
    """Trains on a corpus with resolved settings.

    The number of epochs is fixed: nothing is held out, so that the validation ads stay unseen.

    Raises:
      BadInputError: the ads are of fewer than two categories, or no word is frequent enough.
      DivergedError: the learning rate is too high.
    """
    check_categories(corpus)
    words, embeddings = train_embeddings(corpus, settings, seed, scratch)
    columns = np.flatnonzero(corpus.counts)
    seeded_tensorflow(seed)
    network = _network(embeddings, len(columns), settings)
    model = CnnModel(network, words, columns.tolist(), corpus.categories)
    path = scratch / "indices.npy"
    try:
        indices = _write_indices(path, model, corpus, settings.cnn_length or 0)
        _fit(network, indices, np.searchsorted(columns, corpus.labels), settings, seed)
    finally:
        path.unlink(missing_ok=True)
    return model


def _network(embeddings: Vectors, categories: int, settings: CnnSettings) -> Any:
    import keras
    from keras import layers, ops

    words, dim = embeddings.shape
    inputs = keras.Input((settings.cnn_length,), dtype="int32")
    embed = layers.Embedding(words, dim, trainable=settings.cnn_tune_embeddings, name=EMBEDDING)
    x = embed(inputs) * ops.cast(inputs != PADDING, "float32")[..., None]
    maxima = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(settings.cnn_filters, w, activation="relu")(x))
        for w in parse_widths(settings.cnn_widths)
    ]
    t = layers.Concatenate()(maxima) if len(maxima) > 1 else maxima[0]
    probs = layers.Dense(categories, activation="softmax")(layers.Dropout(DROPOUT)(t))
    embed.set_weights([embeddings])
    return keras.Model(inputs, [t, probs])


def _write_indices(path: Path, model: CnnModel, corpus: Corpus, length: int) -> NDArray[np.int32]:
    """Writes the texts' words as indices, memory-mapped: [n, length]."""
    indices = create_array(path, len(corpus.labels), length, np.int32)
    start = 0
    for texts in corpus.texts():
        indices[start : start + len(texts)] = model.indices(texts)
        start += len(texts)
    return indices


def _fit(
    network: Any, indices: NDArray[np.int32], labels: Labels, settings: CnnSettings, seed: int
) -> None:
    import keras

    trained = keras.Model(network.input, network.outputs[1])
    optimizer = keras.optimizers.get(settings.cnn_optimizer)
    optimizer.learning_rate = settings.cnn_learning_rate
    trained.compile(optimizer, "sparse_categorical_crossentropy")
    random, size = np.random.default_rng(seed), settings.cnn_batch_size
    for epoch in range(settings.cnn_epochs or 0):
        order = random.permutation(len(labels))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            loss = trained.train_on_batch(indices[rows], labels[rows])
            if not np.isfinite(loss):
                raise DivergedError(
                    f"training diverged in epoch {epoch + 1}; try a lower --cnn-learning-rate "
                    f"than {settings.cnn_learning_rate:g}"
                )
