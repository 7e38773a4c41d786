"""What the thesis states: its settings by command, and the numbers of its tables as printed."""

import csv
import functools
import importlib.resources
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

Name: TypeAlias = Literal["results", "error_groups", "data_gain", "training", "causes", "items"]

# What the thesis calls a policy or a model of adcat.
NAMES: Mapping[str, str] = {
    "image": "Image",
    "text": "Text",
    "max": "max policy",
    "sum-max": "sum-max policy",
    "product-max": "product-max policy",
    "nn": "NN (training data)",
    "nn-validation": "NN (validation data)",
    "image-boost": "image-boost NN",
    "image-boost-prop": "image-boost-prop NN",
    "temperature": "temperature NN",
    "image-only": "Image only",
    "text-only": "Text only",
    "concat": "Concatenation",
    "pool": "Pooling",
    "pool-aux": "Pooling + AUX",
    "attend-c-wh": "TBVA c) W/H",
}


@functools.cache
def settings(command: str) -> Mapping[str, Any]:
    """A command's settings by option; those of `train-text` and `fuse` by model and policy."""
    return tomllib.loads(_text("settings.toml"))[command]


def read(name: Name) -> Sequence[Mapping[str, str]]:
    """Reads one of the thesis' tables; percentages as printed, e.g. 87.04."""
    return list(csv.DictReader(_text(f"{name}.csv").splitlines()))


def results(policy: str) -> Mapping[str, float]:
    """top1, top5, mean_recall and mean_precision of a model on the test part, as fractions.

    Empty for a model that the thesis does not have. Tables 5.1, 5.4 and 5.8.
    """
    for row in read("results"):
        if row["model"] == NAMES.get(policy) and row["split"] == "test":
            names = ("top1", "top5", "mean_recall", "mean_precision")
            return {name: float(row[name]) / 100 for name in names}
    return {}


def recovered(policy: str) -> Mapping[str, float]:
    """Shares of the error groups that a model gets right, by group (tables 5.2, 5.5 and 5.9)."""
    return {
        row["group"].replace(" ", "_"): int(row["count"]) / int(row["group_total"])
        for row in read("error_groups")
        if row["model"] == NAMES.get(policy)
    }


def agreement() -> Mapping[str, float]:
    """Shares of the test part by what the baselines get right (table 4.1)."""
    return {
        row["group"]: int(row["count"]) / int(row["group_total"])
        for row in read("error_groups")
        if row["table"] == "4.1"
    }


def data_gain(policy: str) -> Mapping[str, float]:
    """Top-1 with 10 % and with all of the training data, as fractions (tables 5.3 and 5.6)."""
    for row in read("data_gain"):
        if row["model"] == NAMES.get(policy):
            part, whole = float(row["acc_10pct_data"]) / 100, float(row["acc_100pct_data"]) / 100
            return {"part": part, "whole": whole, "gain": whole - part}
    return {}


def contradictions() -> list[str]:
    """The numbers that the thesis has twice and prints differently, in words."""
    return [
        "{model} has {acc_100pct_data}% in Table {table} and {elsewhere}".format(**row)
        for row in read("data_gain")
        if row["elsewhere"]
    ]


def training(policy: str) -> Mapping[str, str]:
    """train_top1, at the stop, and time of a model's training, as stated; empty if they are not."""
    rows = (row for row in read("training") if row["model"] == NAMES.get(policy))
    return next(rows, {})


def attention_settings() -> Mapping[str, Mapping[str, float]]:
    """The best top1 on validation and its learning_rate, by setting, as c-wh (table 5.7)."""
    over = {"C": "c", "W/H": "wh"}
    found: dict[str, Mapping[str, float]] = {}
    for row in read("results"):
        if row["table"] == "5.7":
            point, _, kind = row["model"].partition(") ")
            numbers = {"top1": float(row["top1"]) / 100, "learning_rate": float(row["lr"])}
            found[f"{point}-{over[kind]}"] = numbers
    return found


def _text(file: str) -> str:
    return (importlib.resources.files(__name__) / file).read_text(encoding="utf-8")
