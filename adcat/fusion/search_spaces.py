"""What `fuse --tune` searches (thesis, sections 4.5.2 and 4.6).

Where published values lie outside the stated space, the space is widened to hold them: L2 down to
1e-6, 400 hidden units, a transformer size of 80, batch sizes of 16, 32 and 128. Rates and L2
weights are drawn on a logarithmic scale. The range of img-boost is not stated.
"""

from typing import Any

from adcat.fusion.networks import NETWORKS

_EARLY = ("image-only", "text-only", "concat", "pool", "pool-aux")


def space(policy: str) -> dict[str, Any]:
    """The hyperopt expressions of a network policy, by setting."""
    from hyperopt import hp

    return {
        "hidden_units": hp.choice("hidden_units", [10, 20, 50, 100, 200, 400]),
        "learning_rate": _logarithmic("learning_rate", 1e-6, 0.1),
        "optimizer": hp.choice("optimizer", ["sgd", "rmsprop", "adam"]),
        "batch_size": hp.choice("batch_size", [16, 32, 128]),
        "keep_probability": hp.choice("dropout", [1.0, hp.uniform("keep_probability", 0.5, 0.95)]),
        "l2_weight": hp.choice("l2", [0.0, _logarithmic("l2_weight", 1e-6, 1.0)]),
        **(_early(policy) if policy in _EARLY else _late(policy)),
    }


def _late(policy: str) -> dict[str, Any]:
    from hyperopt import hp

    found: dict[str, Any] = {
        "hidden_activation": hp.choice("hidden_activation", ["sigmoid", "relu", "tanh"])
    }
    if policy == "temperature":
        found["image_power"] = hp.uniform("image_power", 0.1, 4.0)
        found["text_power"] = hp.uniform("text_power", 0.1, 4.0)
    if policy in ("image-boost", "image-boost-prop"):
        found["image_boost"] = hp.uniform("image_boost", 0.1, 5.0)
    return found


def _early(policy: str) -> dict[str, Any]:
    from hyperopt import hp

    activations = ["none", "sigmoid", "relu", "tanh"]
    found: dict[str, Any] = {
        "hidden_activation": hp.choice("hidden_activation", activations),
        "transformer_activation": hp.choice("transformer_activation", activations),
        "transformer_size": hp.choice("transformer_size", [10, 50, 80, 100, 200, 400, 800]),
    }
    if len(NETWORKS[policy].reads) == 2 and policy != "concat":
        found["pooling"] = hp.choice("pooling", ["average", "max"])
    if policy == "pool-aux":
        found["similarity"] = hp.choice("similarity", ["cosine", "dot"])
        found["aux_weight"] = _logarithmic("aux_weight", 1e-4, 1.0)
    return found


def _logarithmic(name: str, low: float, high: float) -> Any:
    import numpy as np
    from hyperopt import hp

    return hp.loguniform(name, np.log(low), np.log(high))
