"""Which model to take, and which are not worth it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def no_better_than(correct: NDArray[np.bool_], parts: Mapping[str, NDArray[np.bool_]]) -> str:
    """The best of the classifiers that a model combines, where the model is not more often right.

    Args:
      correct: whether the model is right: [n].
      parts: the same of each classifier, by name.

    Returns:
      Its name; empty where the model is better, or the ads to tell by are missing.
    """
    if not len(correct) or not parts:
        return ""
    best = max(sorted(parts), key=lambda name: parts[name].mean())
    return best if correct.mean() <= parts[best].mean() else ""
