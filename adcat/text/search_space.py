"""What `train-text --tune` searches.

For fastText the thesis searched the learning rate, the length of the vectors and the epochs
(section 4.3.1) and does not state the ranges; these hold its results, 0.97, 100 and 3, and its
n-grams of 3 to 6 characters. For the CNN it varied the learning rate, the optimizer and the widths.
Values whose order of magnitude matters are drawn on a logarithmic scale.
"""

import math
from typing import Any


def space(model: str) -> dict[str, Any]:
    """The hyperopt expressions of the settings of a model that a search varies."""
    from hyperopt import hp

    spaces = {
        "fasttext": {
            "learning_rate": hp.loguniform("learning_rate", math.log(0.01), math.log(2)),
            "dim": hp.choice("dim", [10, 20, 50, 100, 200]),
            "epochs": hp.choice("epochs", [1, 2, 3, 5, 10, 20, 50]),
            "minn": hp.choice("minn", [2, 3, 4, 5]),
            "maxn": hp.choice("maxn", [0, 5, 6]),
        },
        "tfidf": {
            "tfidf_c": hp.loguniform("tfidf_c", math.log(0.1), math.log(1000)),
            "tfidf_min_df": hp.choice("tfidf_min_df", [1, 2, 3, 5, 10]),
        },
        "cnn": {
            "cnn_optimizer": hp.choice("cnn_optimizer", ["adam", "rmsprop", "sgd"]),
            "cnn_learning_rate": hp.loguniform("cnn_learning_rate", math.log(1e-4), math.log(0.1)),
            "cnn_widths": hp.choice("cnn_widths", ["1,2,3", "2,3,4", "3,4,5", "2,3,4,5"]),
            "cnn_filters": hp.choice("cnn_filters", [50, 100, 200]),
        },
    }
    return spaces[model]
