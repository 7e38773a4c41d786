"""The settings of a network that follow from how many ads it learns from."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from adcat.fusion.policy import NetworkPolicy
from adcat.fusion.policy_settings import PolicySettings

AnySettings = TypeVar("AnySettings", bound=PolicySettings)

FEW, MANY = 200, 646_187 / 193  # ads per category: of small data sets, and of the thesis
SMALL: Mapping[bool, Mapping[str, Any]] = {  # measured with few, of late and early networks
    False: {"learning_rate": 0.003, "hidden_units": 100, "keep_probability": 0.5},
    True: {
        "learning_rate": 0.001,
        "hidden_units": 100,
        "keep_probability": 0.5,
        "input_keep_probability": 0.25,
        "transformer_size": 100,
    },
}
PENALTIES = {1: 0.5, 2: 0.1}  # L2 weight x √ads, of networks that read so many arrays


def resolve(policy: NetworkPolicy, settings: AnySettings, ads: int, categories: int) -> AnySettings:
    """Fills in the settings that follow from the ads that a network learns from.

    With at most 200 ads per category they are what was measured to be best there, with at least as
    many as in the thesis the published ones; between them they go from the ones to the others in
    proportion to the logarithm of the ads per category. On few ads the L2 weight is 0.1 / √ads, of
    a network that reads one array 0.5 / √ads.
    """
    share = math.log(max(1, ads) / categories / FEW) / math.log(MANY / FEW)
    share = min(max(share, 0), 1)
    penalty = (1 - share) * PENALTIES[len(policy.reads)] / math.sqrt(max(1, ads))
    found: dict[str, Any] = {"l2_weight": penalty + share * policy.published["l2_weight"]}
    for name, small in SMALL[policy.is_early].items():
        value = small ** (1 - share) * policy.published[name] ** share
        found[name] = round(value) if isinstance(small, int) else value
    given = {name: getattr(settings, name) for name in found}
    return dataclasses.replace(
        settings, **{name: value for name, value in found.items() if given[name] is None}
    )
