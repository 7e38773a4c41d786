"""Scores for searches; imports little, since processes import it."""

import math


def score(settings, seed):
    """Best at a rate of 0.001 and 20 units."""
    return -abs(math.log10(settings["rate"]) + 3) - (settings["units"] != 20) + seed * 0
