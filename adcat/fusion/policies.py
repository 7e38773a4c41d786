"""Every fusion policy.

To add one, write a function in `closed_forms` or `networks`, its entry in `POLICIES`, and any
setting of its own in `policy_settings`. Published settings are those of the thesis' appendices
A.3.3 and A.3.4; what it leaves out of a row keeps its default, what adcat fills in itself says so.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from adcat.fusion import closed_forms, networks
from adcat.fusion.closed_forms import SingleModality
from adcat.fusion.policy import VECTORS, Build, ClosedForm, Factors, NetworkPolicy, Policy
from adcat.fusion.policy_settings import TrainingSettings
from adcat.fusion.samples import boost, boost_proportionally, evenly

_TRAINING = tuple(field.name for field in dataclasses.fields(TrainingSettings))
_TRANSFORMATION = ("transformer_size", "transformer_activation", "transformer_dropout")
_BOTH = (*_TRANSFORMATION, "l2_normalise_text", "transform_image", "transform_text")


def _late(
    name: str,
    in_words: str,
    published: Mapping[str, Any],
    options: tuple[str, ...] = (),
    build: Build = networks.late,
    factors: Factors = evenly,
) -> NetworkPolicy:
    """A late network, whose published settings have this in common."""
    return NetworkPolicy(
        name=name,
        in_words=in_words,
        options=(*_TRAINING, *options),
        published={"hidden_activation": "tanh", "optimizer": "adam", **published},
        build=build,
        factors=factors,
    )


def _early(
    name: str,
    in_words: str,
    published: Mapping[str, Any],
    options: tuple[str, ...],
    build: Build,
    reads: tuple[str, ...] = VECTORS,
    threads: int = 1,
) -> NetworkPolicy:
    """An early network, whose published settings have this in common."""
    return NetworkPolicy(
        name=name,
        in_words=in_words,
        options=(*_TRAINING, *options),
        published={"optimizer": "adam", "batch_size": 32, "standardise": True, **published},
        build=build,
        reads=reads,
        threads=threads,
    )


_ALL: Sequence[Policy] = (
    ClosedForm(
        name="max",
        in_words="believes whichever of text and image is more confident",
        combine=closed_forms.max_policy,
    ),
    ClosedForm(
        name="sum-max",
        in_words="adds the confidences of text and image",
        combine=closed_forms.sum_max,
    ),
    ClosedForm(
        name="product-max",
        in_words="multiplies the confidences of text and image",
        combine=closed_forms.product_max,
    ),
    ClosedForm(
        name="product-prior",
        in_words="multiplies the confidences, allowing for how frequent each category is",
        combine=closed_forms.product_prior,
        fit=closed_forms.take_prior,
        fitted_on="train",
    ),
    ClosedForm(
        name="log-linear",
        in_words="multiplies the confidences, with weights that are fitted on validation ads",
        options=("regularisation", "seed"),  # the seed cuts the folds
        combine=closed_forms.log_linear,
        fit=closed_forms.fit_log_linear,
        fitted_on="validation",
        single_modality=SingleModality(
            closed_forms.log_linear_single, closed_forms.fit_log_linear_single
        ),
    ),
    _late(
        "nn",
        "a small network on both probability vectors, trained on the training ads",
        {
            "learning_rate": 0.003413452607698474,
            "hidden_units": 100,
            "keep_probability": 0.6378211204455684,
            "batch_size": 128,
        },
    ),
    _late(
        "nn-validation",
        "a small network on both probability vectors, trained on validation ads, which text "
        "and image never saw",
        {
            "fit_on": "validation",
            "learning_rate": 0.00037065703854188836,
            "hidden_units": 200,
            "keep_probability": 0.5850254211605285,
            "batch_size": 32,
        },
    ),
    _late(
        "image-boost",
        "as nn, with another weight on ads whose photo was understood",
        {
            "learning_rate": 0.003706276930748464,
            "hidden_units": 200,
            "keep_probability": 0.5124589169586977,
            "batch_size": 16,
            "image_boost": 0.6549512366263183,
        },
        ("image_boost", "boost_form"),
        factors=boost,
    ),
    _late(
        "image-boost-prop",
        "as image-boost, the more so the less sure the text was",
        {
            "learning_rate": 0.00044887839091606666,
            "hidden_units": 100,
            "keep_probability": 0.5815908296486995,
            "l2_weight": 1.440422410723275e-06,
            "batch_size": 128,
            "image_boost": 2.63906532934488,
        },
        ("image_boost",),
        factors=boost_proportionally,
    ),
    _late(
        "temperature",
        "a small network on both probability vectors, each sharpened or smoothed first",
        {
            "learning_rate": 0.0036476039763680915,
            "hidden_units": 100,
            "keep_probability": 0.6997199383488821,
            "batch_size": 32,
            "image_power": 1.0158697586980416,
            "text_power": 0.27075064356950307,
        },
        ("image_power", "text_power", "renormalise"),
        networks.temperature,
    ),
    _late(
        "top3",
        "a network that weighs the text classifier against the image classifier",
        {  # Zahavy et al.'s policy learns from validation data; its settings are adcat's
            "fit_on": "validation",
            "hidden_layers": 2,
            "hidden_units": 20,
            "learning_rate": 0.003,
            "batch_size": 16,
        },
        build=networks.top3,
    ),
    _early(
        "image-only",
        "a network on the image vectors: early fusion without the text",
        {
            "learning_rate": 0.00031216820530251304,
            "hidden_units": 100,
            "hidden_activation": "relu",
            "transformer_size": 80,
            "transformer_activation": "tanh",
            "keep_probability": 0.9215377159225024,
        },
        _TRANSFORMATION,
        networks.single,
        ("image_vectors",),
    ),
    _early(
        "text-only",
        "a network on the text vectors: early fusion without the image",
        {
            "learning_rate": 0.00021746815335412414,
            "hidden_units": 200,
            "hidden_activation": "tanh",
            "transformer_size": 100,
            "transformer_activation": "tanh",
            "l2_weight": 6.556347943567364e-05,
        },
        (*_TRANSFORMATION, "l2_normalise_text"),
        networks.single,
        ("text_vectors",),
    ),
    _early(
        "concat",
        "a network on the features of text and photo side by side",
        {
            "learning_rate": 2.3390485193761773e-05,
            "hidden_units": 200,
            "hidden_activation": "tanh",
            "transformer_size": 100,
            "transformer_activation": "relu",
            "l2_weight": 3.403118029769643e-05,
        },
        _BOTH,
        networks.concat,
    ),
    _early(
        "pool",
        "a network on the average of both kinds of features in one common space",
        {
            "pooling": "average",
            "learning_rate": 0.0001522395804913662,
            "hidden_units": 400,
            "hidden_activation": "relu",
            "transformer_size": 400,
            "transformer_activation": "relu",
            "l2_weight": 1.0058524123597216e-05,
        },
        (*_BOTH, "pooling"),
        networks.pool,
        threads=0,
    ),
    _early(
        "pool-aux",
        "as pool, trained to bring text and photo of an ad together in that space",
        {  # pooling type, similarity and negatives are not printed: the defaults
            "learning_rate": 0.0001423139845891791,
            "hidden_units": 400,
            "hidden_activation": "tanh",
            "transformer_size": 400,
            "transformer_activation": "relu",
            "keep_probability": 0.7346120055398736,
            "l2_weight": 0.0002487751406569797,
            "aux_weight": 0.002339001593882164,
        },
        (*_BOTH, "pooling", "similarity", "negatives", "aux_weight"),
        networks.pool_aux,
        threads=0,
    ),
)

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in _ALL}
