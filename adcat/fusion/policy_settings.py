"""The settings of the fusion policies; which of them a policy reads, `policies.py` says."""

import dataclasses
from typing import Literal, TypeAlias

from adcat.settings import option, seed_option

Activation: TypeAlias = Literal["sigmoid", "relu", "tanh", "none"]


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """What every network reads."""

    fit_on: Literal["train", "validation"] = option(
        "train", "Which part a network learns from: train, or 70 % of validation."
    )
    fraction: float = option(
        1.0, "Share of the ads that a network learns from.", low=0.001, high=1, dry_run=1
    )
    tune: int = option(
        0, "Trials of a search for a network's settings; 0 for none.", low=0, dry_run=2
    )
    tune_algorithm: Literal["tpe", "random"] = option("tpe", "How the search draws its trials.")
    tune_fraction: float = option(
        0.1, "Share of the ads that a trial learns from.", low=0.001, high=1, dry_run=1
    )
    hidden_layers: int = option(1, "Hidden layers before the softmax layer.", low=1, high=3)
    hidden_units: int = option(100, "Units of each hidden layer.", low=1)
    hidden_activation: Activation = option("tanh", "Activation of the hidden layers.")
    learning_rate: float = option(0.001, "Learning rate at the start.", low=0)
    optimizer: Literal["adam", "rmsprop", "sgd"] = option("adam", "Optimizer.")
    keep_probability: float = option(
        1.0, "Share of hidden outputs that dropout keeps; 1 for no dropout.", low=0.01, high=1
    )
    l2_weight: float = option(
        0.0, "Weight of Σ w² / 2 over the weight matrices, without biases.", low=0
    )
    batch_size: int = option(32, "Ads per training step.", low=1)
    standardise: bool = option(False, "Standardise the inputs with training statistics.")
    schedule: Literal["printed", "prose"] = option(
        "printed",
        "Algorithm 1 as printed (decays at every 4th failure in total), or as the thesis' prose "
        "has it (at 3 failures in a row).",
    )
    max_epochs: int = option(200, "Epochs at most.", low=1, dry_run=1)
    seed: int = seed_option()


@dataclasses.dataclass(frozen=True)
class PolicySettings(TrainingSettings):
    """Every setting that some policy reads."""

    regularisation: float = option(
        1.0, "How strongly log-linear's weights are pulled towards the plain product.", low=0
    )
    image_boost: float = option(
        1.0, "C of image-boost and image-boost-prop: the factor of ads the image gets right.", low=0
    )
    boost_form: Literal["c", "one-plus-c"] = option(
        "c", "image-boost's factor is C, as the thesis says, or 1 + C, as its name suggests."
    )
    image_power: float = option(1.0, "temperature's exponent of the image probabilities.", low=0)
    text_power: float = option(1.0, "temperature's exponent of the text probabilities.", low=0)
    renormalise: bool = option(
        False, "Let temperature's powers sum to 1 again; the thesis does not say so."
    )
    l2_normalise_text: bool = option(False, "Scale every text vector to length 1.")
    transformer_size: int = option(100, "Units of the transformation layers.", low=1)
    transformer_activation: Activation = option("relu", "Activation of the transformation layers.")
    transform_image: bool = option(True, "Give the image vector a transformation layer.")
    transform_text: bool = option(True, "Give the text vector a transformation layer.")
    transformer_dropout: bool = option(False, "Drop out outputs of the transformation layers too.")
    pooling: Literal["average", "max"] = option("average", "How pool and pool-aux pool.")
    similarity: Literal["cosine", "dot"] = option(
        "cosine", "pool-aux's similarity of a transformed image and a transformed text."
    )
    negatives: int = option(1, "pool-aux's texts of another category per ad.", low=1)
    aux_weight: float = option(0.0, "Weight of pool-aux's auxiliary loss.", low=0)
