"""What `fuse --tune` searches (thesis, sections 4.5.2 and 4.6).

Where published values lie outside the stated space, the space is widened to hold them: L2 down to
1e-6, 400 hidden units, a transformer size of 80, batch sizes of 16, 32 and 128. Rates and L2
weights are drawn on a logarithmic scale. The range of img-boost is not stated.
"""

from collections.abc import Container
from typing import Any

import numpy as np


def space(options: Container[str], is_early: bool) -> dict[str, Any]:
    """The hyperopt expressions of those options that a search varies."""
    from hyperopt import hp

    activations = ["none", "sigmoid", "relu", "tanh"]
    expressions = {
        "hidden_units": hp.choice("hidden_units", [10, 20, 50, 100, 200, 400]),
        "learning_rate": _logarithmic("learning_rate", 1e-6, 0.1),
        "optimizer": hp.choice("optimizer", ["sgd", "rmsprop", "adam"]),
        "batch_size": hp.choice("batch_size", [16, 32, 128]),
        "keep_probability": hp.choice("dropout", [1.0, hp.uniform("keep_probability", 0.5, 0.95)]),
        "l2_weight": hp.choice("l2", [0.0, _logarithmic("l2_weight", 1e-6, 1.0)]),
        "hidden_activation": hp.choice("hidden_activation", activations[not is_early :]),
        "image_power": hp.uniform("image_power", 0.1, 4.0),
        "text_power": hp.uniform("text_power", 0.1, 4.0),
        "image_boost": hp.uniform("image_boost", 0.1, 5.0),
        "transformer_activation": hp.choice("transformer_activation", activations),
        "transformer_size": hp.choice("transformer_size", [10, 50, 80, 100, 200, 400, 800]),
        "pooling": hp.choice("pooling", ["average", "max"]),
        "similarity": hp.choice("similarity", ["cosine", "dot"]),
        "aux_weight": _logarithmic("aux_weight", 1e-4, 1.0),
    }
    return {name: expression for name, expression in expressions.items() if name in options}


def _logarithmic(name: str, low: float, high: float) -> Any:
    from hyperopt import hp

    return hp.loguniform(name, np.log(low), np.log(high))
