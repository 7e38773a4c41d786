"""The published settings of every network policy (thesis, appendix A.3.3 and A.3.4).

What the thesis leaves out of a row keeps the default of `NetworkSettings`; what adcat fills in
itself says so.
"""

from collections.abc import Mapping
from typing import Any

_LATE = {"hidden_activation": "tanh", "optimizer": "adam"}
_EARLY = {"optimizer": "adam", "batch_size": 32, "standardise": True}

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "nn": {
        **_LATE,
        "learning_rate": 0.003413452607698474,
        "hidden_units": 100,
        "keep_probability": 0.6378211204455684,
        "batch_size": 128,
    },
    "nn-validation": {
        **_LATE,
        "fit_on": "validation",
        "learning_rate": 0.00037065703854188836,
        "hidden_units": 200,
        "keep_probability": 0.5850254211605285,
        "batch_size": 32,
    },
    "image-boost": {
        **_LATE,
        "learning_rate": 0.003706276930748464,
        "hidden_units": 200,
        "keep_probability": 0.5124589169586977,
        "batch_size": 16,
        "image_boost": 0.6549512366263183,
    },
    "image-boost-prop": {
        **_LATE,
        "learning_rate": 0.00044887839091606666,
        "hidden_units": 100,
        "keep_probability": 0.5815908296486995,
        "l2_weight": 1.440422410723275e-06,
        "batch_size": 128,
        "image_boost": 2.63906532934488,
    },
    "temperature": {
        **_LATE,
        "learning_rate": 0.0036476039763680915,
        "hidden_units": 100,
        "keep_probability": 0.6997199383488821,
        "batch_size": 32,
        "image_power": 1.0158697586980416,
        "text_power": 0.27075064356950307,
    },
    "top3": {  # Zahavy et al.'s policy learns from validation data; its settings are adcat's
        "fit_on": "validation",
        "hidden_layers": 2,
        "hidden_units": 20,
        "hidden_activation": "tanh",
        "learning_rate": 0.003,
        "batch_size": 16,
    },
    "image-only": {
        **_EARLY,
        "learning_rate": 0.00031216820530251304,
        "hidden_units": 100,
        "hidden_activation": "relu",
        "transformer_size": 80,
        "transformer_activation": "tanh",
        "keep_probability": 0.9215377159225024,
    },
    "text-only": {
        **_EARLY,
        "learning_rate": 0.00021746815335412414,
        "hidden_units": 200,
        "hidden_activation": "tanh",
        "transformer_size": 100,
        "transformer_activation": "tanh",
        "l2_weight": 6.556347943567364e-05,
    },
    "concat": {
        **_EARLY,
        "learning_rate": 2.3390485193761773e-05,
        "hidden_units": 200,
        "hidden_activation": "tanh",
        "transformer_size": 100,
        "transformer_activation": "relu",
        "l2_weight": 3.403118029769643e-05,
    },
    "pool": {
        **_EARLY,
        "pooling": "average",
        "learning_rate": 0.0001522395804913662,
        "hidden_units": 400,
        "hidden_activation": "relu",
        "transformer_size": 400,
        "transformer_activation": "relu",
        "l2_weight": 1.0058524123597216e-05,
    },
    "pool-aux": {  # pooling type, similarity and negatives are not printed: the defaults
        **_EARLY,
        "learning_rate": 0.0001423139845891791,
        "hidden_units": 400,
        "hidden_activation": "tanh",
        "transformer_size": 400,
        "transformer_activation": "relu",
        "keep_probability": 0.7346120055398736,
        "l2_weight": 0.0002487751406569797,
        "aux_weight": 0.002339001593882164,
    },
}
