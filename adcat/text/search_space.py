"""What `train-text --tune` searches.

For fastText the thesis searched the learning rate, the length of the vectors and the epochs
(section 4.3.1) and does not state the ranges; these hold its results, 0.97, 100 and 3. Values whose
order of magnitude matters are drawn on a logarithmic scale.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any


def _fasttext() -> dict[str, Any]:
    from hyperopt import hp

    return {
        "learning_rate": hp.loguniform("learning_rate", math.log(0.01), math.log(2)),
        "dim": hp.choice("dim", [10, 20, 50, 100, 200]),
        "epochs": hp.choice("epochs", [1, 2, 3, 5, 10, 20, 50]),
    }


def _tfidf() -> dict[str, Any]:
    from hyperopt import hp

    return {
        "tfidf_c": hp.loguniform("tfidf_c", math.log(0.1), math.log(1000)),
        "tfidf_min_df": hp.choice("tfidf_min_df", [1, 2, 3, 5, 10]),
    }


def _cnn() -> dict[str, Any]:
    from hyperopt import hp

    return {
        "cnn_learning_rate": hp.loguniform("cnn_learning_rate", math.log(1e-4), math.log(1e-2)),
        "cnn_widths": hp.choice("cnn_widths", ["1,2,3", "2,3,4", "3,4,5", "2,3,4,5"]),
        "cnn_filters": hp.choice("cnn_filters", [50, 100, 200]),
    }


SPACES: Mapping[str, Callable[[], dict[str, Any]]] = {  # hyperopt expressions by setting
    "fasttext": _fasttext,
    "tfidf": _tfidf,
    "cnn": _cnn,
}
