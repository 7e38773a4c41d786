"""fastText as a text classifier (thesis, sections 3.3.5, 4.3.1 and A.3.1).

Every word, every character n-gram and the end of the line has a vector; the mean of a text's is its
text vector t, and the probabilities of the categories are softmax(B t).
"""

import dataclasses
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from adcat.errors import BadInputError, DivergedError, LackOfMemoryError
from adcat.probabilities import softmax
from adcat.text.corpus import Corpus, TextFacts, check_categories
from adcat.text.fasttext_settings import FastTextSettings
from adcat.text.training_file import LABEL, write_training_file
from adcat.text.word_sums import WordSums
from adcat.text.word_vectors import check_word_vectors
from adcat.types import Probs, TextLayer, Vectors

AnySettings = TypeVar("AnySettings", bound=FastTextSettings)

MODEL = "model.bin"
FILES = (MODEL,)
# fastText's file begins with its mark and version, 12 integers of arguments (dim the first, bucket
# the ninth) and t; then how many entries the dictionary has, words, labels, tokens, pruned ones.
HEADER = struct.Struct("<14i d 3i 2q")
LEAST_ENTRY = 10  # bytes: an end of text, a count, a kind
PASSES = 2_500  # over √texts: 50 epochs of 2,500 ads, 3 of the thesis' 646,187
MIN_EPOCHS, MAX_EPOCHS = 3, 100
MIN_BUCKETS, MAX_BUCKETS = 10_000, 2_000_000  # the thesis' number at most


def resolve(settings: AnySettings, facts: TextFacts) -> AnySettings:
    """Fills in the settings that follow from the training ads and their words.

    epochs: few ads need more passes than the thesis' 3 to learn anything, but not so many more that
    all see equally many texts.
    bucket: a short text has about as many distinct n-grams as words; in a long one they repeat,
    and more buckets cost 4 bytes x dim each for nothing.
    min_count: nearly every word changed by noise occurs once and would get a vector of its own;
    the thesis' training text would have more than ten million of them.

    Raises:
      BadInputError: the settings contradict each other.
    """
    if 0 < settings.maxn < settings.minn:
        raise BadInputError(
            f"--minn {settings.minn} is above --maxn {settings.maxn}; for no n-grams: --maxn 0"
        )
    texts, words = facts.ads * settings.copies, facts.words * settings.copies
    epochs = int(np.clip(round(PASSES / max(1, texts) ** 0.5), MIN_EPOCHS, MAX_EPOCHS))
    bucket = int(np.clip(_round_up(words * settings.word_ngrams), MIN_BUCKETS, MAX_BUCKETS))
    has_ngrams = settings.maxn or settings.word_ngrams > 1
    return dataclasses.replace(
        settings,
        epochs=settings.epochs or epochs,
        bucket=(settings.bucket or bucket) if has_ngrams else 0,
        min_count=settings.copies if settings.min_count is None else settings.min_count,
        threads=settings.threads or os.cpu_count() or 1,
    )


def _round_up(count: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    power = 10 ** (len(str(count)) - 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= count)


class FastTextModel:
    """A trained fastText classifier that works on blocks of texts."""

    def __init__(self, trained: Any, categories: int, layer: TextLayer = "vectors") -> None:
        """Wraps fastText's own model; its labels are category indices.

        Raises:
          ValueError: it is cut off, or has other labels.
        """
        self._trained = trained
        self._categories, self._layer = categories, layer
        self._columns = [int(label.removeprefix(LABEL)) for label in trained.get_labels()]
        self._A = np.asarray(trained.f.getInputMatrix())  # [words + buckets, dim], not a copy
        self._B = np.asarray(trained.f.getOutputMatrix())  # [labels, dim], not a copy
        self._args = trained.f.getArgs()
        if self._B.shape != (len(self._columns), self._A.shape[1]) or not self._A.shape[1]:
            raise ValueError(f"{len(self._columns)} labels, an output matrix {self._B.shape}")
        rows = len(trained.get_words()) + self._args.bucket
        if len(self._A) != rows:
            raise ValueError(f"{rows} words and buckets, an input matrix {self._A.shape}")
        if not all(0 <= column < categories for column in self._columns):
            raise ValueError(f"labels outside {categories} categories")
        self._word_sums = WordSums(trained, self._A)

    @property
    def dimension(self) -> int:
        """The length of a text vector."""
        return self._categories if self._layer == "logits" else self._A.shape[1]

    def features(self, texts: Sequence[str]) -> tuple[Vectors, Probs]:
        """Text vectors [n, dimension] and probabilities [n, categories] of cleaned texts.

        fastText prints its probabilities with 1e-5 added; these are exact. A category that it
        never saw has probability 0 and logit 0.
        """
        t = self._vectors(texts)
        logits = t @ self._B.T
        probs = self._of_all(_PROBS[self._args.loss.name](logits))
        return self._of_all(logits) if self._layer == "logits" else t, probs

    def _of_all(self, values: Probs) -> Probs:
        """The values [n, labels] in the columns of their categories; 0 in the others."""
        found = np.zeros((len(values), self._categories), dtype=np.float32)
        found[:, self._columns] = values
        return found

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """fastText's hidden vectors: the mean over words, n-grams and the end of the line."""
        if self._args.wordNgrams > 1:
            vectors = [self._trained.get_sentence_vector(text) for text in texts]
            return np.array(vectors, dtype=np.float32).reshape(len(texts), self._A.shape[1])
        return self._word_sums.means(texts)

    def is_finite(self) -> bool:
        """Whether every number in the model is one."""
        ends = [end(initial=0) for m in (self._A, self._B) for end in (m.min, m.max)]
        return bool(np.isfinite(ends).all())

    def save(self, folder: Path) -> None:
        """Writes fastText's own file.

        Raises:
          OSError: it could not be written whole, which fastText itself does not notice.
        """
        path, end = folder / MODEL, self._B.tobytes()  # the last bytes of the file
        self._trained.save_model(str(path))
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(end)))
            if file.read() != end:
                raise OSError(None, "written only in part; is the disk full?", str(path))


def load(folder: Path, categories: int, layer: TextLayer = "vectors") -> FastTextModel:
    """Reads what `FastTextModel.save` wrote.

    Raises:
      ValueError: the file is shorter than its header says, or not a fastText model.
    """
    import fasttext

    _check_length(folder / MODEL)
    return FastTextModel(fasttext.load_model(str(folder / MODEL)), categories, layer)


def _check_length(path: Path) -> None:
    """Checks the size of the file: fastText would read a truncated one until memory is full."""
    with path.open("rb") as file:
        start = file.read(HEADER.size)
    if len(start) < HEADER.size:
        raise ValueError(f"{len(start)} bytes are too few")
    header = HEADER.unpack(start)
    dim, bucket, entries, words, labels = (header[i] for i in (2, 10, 15, 16, 17))
    least = HEADER.size + LEAST_ENTRY * entries + 4 * dim * (words + bucket + labels)
    if min(dim, bucket, entries, words, labels) < 0 or path.stat().st_size < least:
        raise ValueError(f"expected at least {least:,} bytes, found {path.stat().st_size:,}")


def train(corpus: Corpus, settings: FastTextSettings, seed: int, scratch: Path) -> FastTextModel:
    """Trains on a corpus with resolved settings.

    Args:
      corpus: the training ads; with noise, their copies too.
      settings: what `resolve` returned.
      seed: with one thread, equal seeds give equal models bit for bit.
      scratch: a folder for the file that fastText reads; it is removed again.

    Raises:
      BadInputError: the ads are of fewer than two categories, no word is frequent enough, or the
        pretrained vectors are not such a file.
      DivergedError: the learning rate is too high.
      LackOfMemoryError: the vectors need more than there is.
    """
    check_categories(corpus, max(1, settings.min_count_label))
    if settings.pretrained_vectors:
        check_word_vectors(settings.pretrained_vectors, settings.dim)
    lines = scratch / "training.txt"
    try:
        write_training_file(lines, corpus, seed)
        trained = _fit(lines, settings, seed)
    finally:
        lines.unlink(missing_ok=True)
    if not settings.bucket and not trained.get_words():
        raise BadInputError(
            f"no word of the training ads occurs {settings.min_count} times; type: --min-count 1"
        )
    model = FastTextModel(trained, corpus.categories)
    if not model.is_finite():
        raise _diverged(settings)
    return model


def _fit(lines: Path, settings: FastTextSettings, seed: int) -> Any:
    import fasttext

    try:
        return fasttext.train_supervised(
            input=str(lines),
            label=LABEL,
            seed=seed,
            verbose=0,
            lr=settings.learning_rate,
            epoch=settings.epochs,
            dim=settings.dim,
            minn=settings.minn,
            maxn=settings.maxn,
            wordNgrams=settings.word_ngrams,
            bucket=settings.bucket,
            minCount=settings.min_count,
            minCountLabel=settings.min_count_label,
            loss=settings.loss,
            thread=settings.threads,
            lrUpdateRate=settings.lr_update_rate,
            pretrainedVectors=str(settings.pretrained_vectors or ""),
            ws=settings.ws,
            neg=settings.neg,
            t=settings.t,
        )
    except MemoryError:
        raise LackOfMemoryError(
            f"not enough memory for vectors of length {settings.dim}, {settings.bucket:,} of them "
            "for n-grams; type: --bucket 2000000 --dim 100, or less"
        ) from None
    except RuntimeError as error:
        if "NaN" not in str(error):
            raise
        raise _diverged(settings) from None


def _diverged(settings: FastTextSettings) -> DivergedError:
    return DivergedError(
        f"training diverged at learning rate {settings.learning_rate:g}; "
        f"try a lower one: --learning-rate {settings.learning_rate / 2:.2g}"
    )


def _one_against_all(logits: Probs) -> Probs:
    """σ(z_c) / Σ σ(z_c): each category's own probability, normalised."""
    return softmax(-np.logaddexp(0, -logits))  # log σ(z), which does not underflow


# hs and ns are left out: shortcuts for far more categories; ns gives no probabilities.
_PROBS: Mapping[str, Callable[[Probs], Probs]] = {"softmax": softmax, "ova": _one_against_all}
