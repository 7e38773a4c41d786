"""Skip-gram embeddings of words, trained on the ads' own texts (thesis, section 4.3.1).

fastText's unsupervised skip-gram without character n-grams is word2vec's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adcat.errors import BadInputError
from adcat.text.cnn_settings import CnnSettings
from adcat.text.corpus import Corpus
from adcat.text.word_sums import END_OF_LINE
from adcat.types import Vectors


def train_embeddings(
    corpus: Corpus, settings: CnnSettings, seed: int, scratch: Path
) -> tuple[Sequence[str], Vectors]:
    """Trains embeddings: the words, and [1 + words, dim] with zeros first, for padding.

    Raises:
      BadInputError: no word is frequent enough.
    """
    lines = scratch / "texts.txt"
    try:
        with lines.open("w", encoding="utf-8") as file:
            for texts in corpus.texts():
                file.writelines(f"{text}\n" for text in texts)
        trained = _fit(lines, settings, seed)
    finally:
        lines.unlink(missing_ok=True)
    found, _ = trained.getVocab(None)
    words = [word for word in found if word != END_OF_LINE]
    if not words:
        raise _no_words(settings)
    rows = [row for row, word in enumerate(found) if word != END_OF_LINE]
    vectors = np.asarray(trained.getInputMatrix())[rows]
    return words, np.vstack([np.zeros((1, settings.cnn_dim)), vectors]).astype(np.float32)


def _fit(lines: Path, settings: CnnSettings, seed: int) -> Any:
    """fastText's own object: its Python function for skip-grams takes no seed."""
    import fasttext_pybind

    values = {
        "input": str(lines),
        "model": fasttext_pybind.model_name.skipgram,
        "verbose": 0,
        "thread": 1,
        "minn": 0,
        "maxn": 0,
        "bucket": 0,
        "dim": settings.cnn_dim,
        "epoch": settings.cnn_embedding_epochs,
        "minCount": settings.cnn_min_count,
        "seed": seed,
    }
    trained, arguments = fasttext_pybind.fasttext(), fasttext_pybind.args()
    for name, value in values.items():
        setattr(arguments, name, value)
    try:
        fasttext_pybind.train(trained, arguments)
    except ValueError as error:
        if "Empty vocabulary" not in str(error):
            raise
        raise _no_words(settings) from None
    return trained


def _no_words(settings: CnnSettings) -> BadInputError:
    found = f"no word of the training ads occurs {settings.cnn_min_count} times"
    return BadInputError(f"{found}; type: --cnn-min-count 1")
