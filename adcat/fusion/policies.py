"""Every fusion policy.

To add one, write a function in `closed_forms` or `networks`, its entry in `POLICIES`, and any
setting of its own in `policy_settings`. Published settings stand in `thesis/settings.toml`.
"""

import dataclasses
from collections.abc import Mapping

from adcat.fusion import closed_forms, networks
from adcat.fusion.closed_forms import SingleModality
from adcat.fusion.policy import (
    VECTORS,
    ClosedForm,
    ConfusionPolicy,
    LinearPolicy,
    NetworkPolicy,
    Policy,
    StackPolicy,
)
from adcat.fusion.policy_settings import TrainingSettings
from adcat.fusion.samples import boost, boost_proportionally

_TRAINING = tuple(field.name for field in dataclasses.fields(TrainingSettings))
_LATE = (*_TRAINING, "residual", "folds")
_TRANSFORMATION = (
    *_TRAINING,
    "input_keep_probability",
    *("transformer_size", "transformer_activation", "transformer_dropout"),
)
_BOTH = (*_TRANSFORMATION, "l2_normalise_text", "transform_image", "transform_text")
_POOL = (*_BOTH, "pooling")

_ALL: tuple[Policy, ...] = (
    ClosedForm(
        name="max",
        in_words="believes whichever of text and image is more confident",
        combine=closed_forms.max_policy,
        formula="maximum(o_img, o_txt)",
    ),
    ClosedForm(
        name="sum-max",
        in_words="adds the confidences of text and image",
        combine=closed_forms.sum_max,
        formula="o_img + o_txt",
    ),
    ClosedForm(
        name="product-max",
        in_words="multiplies the confidences of text and image",
        combine=closed_forms.product_max,
        formula="o_img * o_txt",
    ),
    ClosedForm(
        name="product-prior",
        in_words="multiplies the confidences, allowing for how frequent each category is",
        combine=closed_forms.product_prior,
        formula="o_img * o_txt / prior",
        fit=closed_forms.take_prior,
        fitted_on="train",
    ),
    ClosedForm(
        name="log-linear",
        in_words="multiplies the confidences, with weights that are fitted on ads which text and "
        "image did not see",
        options=("regularisation", "seed", "folds"),  # the seed cuts the folds
        combine=closed_forms.log_linear,
        formula="o_img**w_img * o_txt**w_txt * prior**gamma",
        fit=closed_forms.fit_log_linear,
        fitted_on="validation",
        single_modality=SingleModality(
            closed_forms.log_linear_single,
            closed_forms.fit_log_linear,
            formula="o**w * prior**gamma",
        ),
    ),
    ClosedForm(
        name="weighted-sum",
        in_words="adds the confidences, with weights that are fitted on ads which text and image "
        "did not see",
        options=("regularisation", "seed", "folds"),
        combine=closed_forms.weighted_sum,
        formula="w_img * o_img + (1 - w_img) * o_txt",
        fit=closed_forms.fit_weighted_sum,
        fitted_on="validation",
    ),
    ClosedForm(
        name="choice",
        in_words="believes text or image, whichever is likelier to be right by the three highest "
        "confidences of each, as fitted on ads which these did not see",
        options=("regularisation", "seed", "folds"),
        combine=closed_forms.choice,
        formula="o_img if sorted(o_img)[:-4:-1] @ w_img + sorted(o_txt)[:-4:-1] @ w_txt + bias > 0 "
        "else o_txt",
        fit=closed_forms.fit_choice,
        fitted_on="validation",
    ),
    StackPolicy(
        name="stack",
        in_words="multiplies the confidences of every classifier and of linear, with weights that "
        "are fitted on ads which these did not see",
        options=("models", "regularisation", "seed", "folds"),
        reads=(),
    ),
    LinearPolicy(
        name="linear",
        in_words="one regression on the words of the text and the features of the photo",
        options=("seed", "folds"),
        reads=("text_terms", "image_vectors"),
    ),
    ConfusionPolicy(
        name="cdpf",
        in_words="believes the text, but asks the photo where the text's two best categories are "
        "ones that it often confuses",
        options=("pairs", "seed", "folds"),
        reads=("image_vectors", "text_probs"),
    ),
    NetworkPolicy(
        name="nn",
        in_words="a small network on both probability vectors, trained on the training ads",
        options=_LATE,
        build=networks.late,
    ),
    NetworkPolicy(
        name="nn-validation",
        in_words="a small network on both probability vectors, trained on validation ads, which "
        "text and image never saw",
        options=_LATE,
        build=networks.late,
    ),
    NetworkPolicy(
        name="image-boost",
        in_words="as nn, with another weight on ads whose photo was understood",
        options=(*_LATE, "image_boost", "boost_form"),
        build=networks.late,
        factors=boost,
    ),
    NetworkPolicy(
        name="image-boost-prop",
        in_words="as image-boost, the more so the less sure the text was",
        options=(*_LATE, "image_boost"),
        build=networks.late,
        factors=boost_proportionally,
    ),
    NetworkPolicy(
        name="temperature",
        in_words="a small network on both probability vectors, each sharpened or smoothed first",
        options=(*_LATE, "image_power", "text_power", "renormalise"),
        build=networks.temperature,
    ),
    NetworkPolicy(
        name="top3",
        in_words="adds the confidences of text and image, with weights that a network gives each "
        "ad by the three highest of either",
        options=(*_TRAINING, "folds"),
        build=networks.top3,
    ),
    NetworkPolicy(
        name="image-only",
        in_words="a network on the image vectors: early fusion without the text",
        options=(*_TRANSFORMATION, "folds"),
        build=networks.single,
        reads=("image_vectors",),
    ),
    NetworkPolicy(
        name="text-only",
        in_words="a network on the text vectors: early fusion without the image",
        options=(*_TRANSFORMATION, "l2_normalise_text"),
        build=networks.single,
        reads=("text_vectors",),
    ),
    NetworkPolicy(
        name="concat",
        in_words="a network on the features of text and photo side by side",
        options=_BOTH,
        build=networks.concat,
        reads=VECTORS,
    ),
    NetworkPolicy(
        name="pool",
        in_words="a network on the average of both kinds of features in one common space",
        options=_POOL,
        build=networks.pool,
        reads=VECTORS,
        threads=0,
    ),
    NetworkPolicy(
        name="pool-aux",
        in_words="as pool, trained to bring text and photo of an ad together in that space",
        options=(*_POOL, "similarity", "negatives", "aux_weight"),
        build=networks.pool_aux,
        reads=VECTORS,
        threads=0,
    ),
)

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in _ALL}
