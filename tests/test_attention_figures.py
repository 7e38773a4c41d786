"""Which ads the figures of attention show."""

import numpy as np
import pytest
from handmade import certain

from adcat.attention.map_figures import AttendedAds, choose

BIKES, CARS, SOFAS = range(3)
BOTH_RIGHT, TEXT_ONLY, IMAGE_ONLY, NEITHER = range(4)
ADS = [  # category, what the model predicts, error group, share of the attention at the border
    (BIKES, BIKES, TEXT_ONLY, 0.9),
    (BIKES, BIKES, BOTH_RIGHT, 0.1),
    (BIKES, BIKES, TEXT_ONLY, 0.2),
    (CARS, CARS, TEXT_ONLY, 0.6),
    (CARS, CARS, IMAGE_ONLY, 0.5),
    (CARS, CARS, IMAGE_ONLY, 0.7),
    (CARS, CARS, BOTH_RIGHT, 0.4),
    (CARS, SOFAS, NEITHER, 0.99),  # wrong
    (SOFAS, SOFAS, IMAGE_ONLY, 0.95),  # two are too few for a figure of three
    (SOFAS, SOFAS, BOTH_RIGHT, 0.93),
]


def chosen(ads, seed=0):
    labels, predicted, groups, shares = map(np.array, zip(*ads, strict=True))
    names, none = ["bikes", "cars", "sofas"], np.zeros((len(ads), 4))
    probs = certain(predicted, 3)
    found = choose(AttendedAds(none, probs, labels, groups, names, list), shares, seed)
    return {name.removeprefix("figure-"): rows for name, rows in found.items()}


def test_the_border_is_shown_with_one_category_and_the_rest_by_error_group():
    """Bikes have 0.4 of the attention at the border, cars that are right 0.55."""
    found = chosen(ADS)
    assert found["5.10"] == [(5, "cars"), (3, "cars"), (4, "cars")]
    assert found["5.11"] == [
        (2, "text correct, image incorrect"),
        (4, "image correct, text incorrect"),  # that neither gets right has no ad
    ]


def test_ads_at_random_are_right_and_follow_from_the_seed():
    drawn = [[row for row, _ in chosen(ADS, seed)["5.9"]] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(set(rows)) == 3 and 7 not in rows for rows in drawn)


def test_where_no_category_has_three_right_ads_one_with_most_is_shown():
    few = [ADS[0], ADS[3], ADS[4], ADS[8], ADS[9]]
    assert chosen(few)["5.10"] == [(3, "sofas"), (4, "sofas")]


@pytest.mark.parametrize("ads", [[ADS[7]], [ADS[1], ADS[7]]])
def test_without_an_ad_that_fits_a_figure_is_empty(ads):
    found = chosen(ads)
    assert found["5.11"] == []
    assert len(found["5.9"]) == len(found["5.10"]) == len(ads) - 1
