"""The settings of the fusion policies; which of them a policy reads, `policies.py` says.

None stands for what `resolve` in `data_size.py` gives.
"""

import dataclasses
from typing import ClassVar, Literal, TypeAlias

from adcat.learning.hyperparameter_search import SearchOptions
from adcat.learning.initial_weights import InitialWeights
from adcat.settings import option, seed_option

FOLLOWS = "; by default it follows from the numbers of ads and categories."

Activation: TypeAlias = Literal["sigmoid", "relu", "tanh", "none"]


@dataclasses.dataclass(frozen=True)
class TrainingSettings(InitialWeights, SearchOptions):
    """What every network reads."""

    panel: ClassVar = "Training"

    tune_fraction: float = option(
        None,
        "Share of the ads to learn from that each trial uses; by default a tenth of the training "
        "ads, all of the validation ads.",
        low=0.001,
        high=1,
        panel=SearchOptions.panel,
    )
    fit_on: Literal["train", "validation"] = option(
        "train", "Part that a network learns from: train, or --policy-share of validation."
    )
    policy_share: float = option(
        0.7,
        "Share of the validation ads to learn from with --fit-on validation; the rest is for early "
        "stopping.",
        low=0.05,
        high=0.95,
    )
    fraction: float = option(1.0, "Share of that part to learn from.", low=0.001, high=1, dry_run=1)
    hidden_layers: int = option(1, "Number of hidden layers.", low=1, high=3)
    hidden_units: int = option(None, "Units of each hidden layer" + FOLLOWS, low=1)
    hidden_activation: Activation = option("tanh", "Activation of the hidden layers.")
    learning_rate: float = option(None, "Initial learning rate" + FOLLOWS, low=0)
    optimizer: Literal["adam", "rmsprop", "sgd"] = option("adam", "Optimizer for training.")
    keep_probability: float = option(
        None, "Share of hidden outputs that dropout keeps, 1 for all" + FOLLOWS, low=0.01, high=1
    )
    l2_weight: float = option(
        None, "L2 penalty: weight of Σ w² / 2 over the weights, biases excluded" + FOLLOWS, low=0
    )
    batch_size: int = option(32, "Ads per training step.", low=1)
    standardise: bool = option(False, "Standardise the inputs with training statistics.")
    schedule: Literal["printed", "prose"] = option(
        "printed",
        "Learning rate decay of Algorithm 1: as printed (at every 4th failure in total) or as "
        "described in the thesis' prose (at 3 failures in a row).",
    )
    evaluate_every: int = option(
        100,
        "Steps at least between evaluations, which end epochs; decay and patience count those.",
        low=1,
        dry_run=1,
    )
    watched: Literal["validation_loss", "validation_top1"] = option(
        "validation_loss", "What Algorithm 1 watches; in the thesis top-1."
    )
    max_epochs: int | None = option(
        None,
        "Maximum number of epochs; by default as many as 200 evaluations take.",
        low=1,
        dry_run=1,
    )
    curve_every: float = option(
        0.04,
        "Share of the ads to learn from between points of the validation curves, over the first "
        "two epochs; in the thesis 0.01.",
        low=0.001,
        high=1,
        dry_run=1,
    )
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True)
class ClosedFormSettings:
    """What the policies in closed form read."""

    panel: ClassVar = "Closed forms"

    regularisation: float = option(
        1.0,
        "How strongly the weights are pulled towards the plain product or sum, or the surer one.",
        low=0,
    )


@dataclasses.dataclass(frozen=True)
class LateSettings:
    """What only late networks read."""

    panel: ClassVar = "Late networks"

    residual: bool = option(
        True, "Start at the product of both probabilities and learn a correction of it."
    )
    image_boost: float = option(
        1.0, "C: the factor in the loss of ads that the image gets right.", low=0
    )
    boost_form: Literal["c", "one-plus-c"] = option(
        "c", "The factor is C, as in the thesis, or 1 + C, as its name suggests."
    )
    image_power: float = option(1.0, "Exponent of the image probabilities.", low=0)
    text_power: float = option(1.0, "Exponent of the text probabilities.", low=0)
    renormalise: bool = option(False, "Normalise the powers to sum to 1; not in the thesis.")


@dataclasses.dataclass(frozen=True)
class EarlySettings:
    """What only early networks read."""

    panel: ClassVar = "Early networks"

    l2_normalise_text: bool = option(False, "Scale every text vector to length 1.")
    input_keep_probability: float = option(
        None,
        "Share of a vector's numbers that dropout keeps, 1 for all" + FOLLOWS,
        low=0.01,
        high=1,
    )
    transformer_size: int = option(None, "Units of the transformation layers" + FOLLOWS, low=1)
    transformer_activation: Activation = option("relu", "Activation of the transformation layers.")
    transform_image: bool = option(True, "Give the image vector a transformation layer.")
    transform_text: bool = option(True, "Give the text vector a transformation layer.")
    transformer_dropout: bool = option(False, "Apply dropout to the transformation layers too.")
    pooling: Literal["average", "max"] = option("average", "How the two vectors are pooled.")
    similarity: Literal["cosine", "dot"] = option(
        "cosine", "Similarity of a transformed image and a transformed text."
    )
    negatives: int = option(1, "Texts of another category per ad.", low=1)
    aux_weight: float = option(0.0, "Weight of the auxiliary loss.", low=0)


@dataclasses.dataclass(frozen=True)
class PolicySettings(TrainingSettings, EarlySettings, LateSettings, ClosedFormSettings):
    """Every setting that some policy reads."""

    models: str = option(
        "",
        "Models to combine, such as text,image,words; by default every classifier, and linear if "
        "it exists.",
        panel="What to combine",
    )
    pairs: int | None = option(
        None,
        "Pairs of categories that get a classifier of photos, those that the text confuses most; "
        "by default as many as there are categories.",
        low=1,
        panel="What to combine",
    )
    folds: int | None = option(
        None,
        "Out-of-fold probabilities of the training ads, to choose and stack models by: so many "
        "more fits; by default 5 where the classifiers have such ones, else 0 (none).",
        low=0,
        high=100,
        panel="Training",
    )
