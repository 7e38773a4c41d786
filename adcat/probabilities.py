"""What several methods do with probabilities."""

import numpy as np
from numpy.typing import NDArray

from adcat.types import Labels


def prior(labels: Labels, categories: int) -> NDArray[np.float64]:
    """The categories' smoothed shares of the training ads: (n_c + 1) / (N + categories)."""
    counts = np.bincount(labels, minlength=categories)
    return (counts + 1) / (len(labels) + categories)
