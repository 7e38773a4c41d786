"""Checks a file of pretrained word vectors, which fastText itself reads unchecked."""

from pathlib import Path

import numpy as np

from adcat.errors import BadInputError
from adcat.text.training_file import LABEL


def check_word_vectors(path: Path, dim: int) -> None:
    """Reads a `.vec` file: a line `<words> <dim>`, then per word a line of it and its vector.

    Raises:
      BadInputError: it is not such a file, or its vectors are not of length dim.
    """
    with path.open("rb") as file:
        header = file.readline().split()
        if len(header) != 2 or not all(number.isdigit() for number in header):
            expected = "the number of words and the vectors' length"
            raise BadInputError(f"{path}, line 1: expected {expected}")
        words, length = map(int, header)
        if length != dim:
            raise BadInputError(f"{path} has vectors of length {length}; type: --dim {length}")
        for number in range(2, words + 2):
            if not _is_word_with_vector(file.readline(), dim):
                raise BadInputError(f"{path}, line {number}: expected a word and {dim} numbers")


def _is_word_with_vector(line: bytes, dim: int) -> bool:
    word, *numbers = line.split() or [b""]
    if len(numbers) != dim or word.startswith(LABEL.encode()):
        return False
    try:
        return bool(np.isfinite(np.array(numbers, dtype=np.float32)).all())
    except ValueError:
        return False
