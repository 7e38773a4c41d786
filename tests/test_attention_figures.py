"""Which ads the figures of attention show, and the mean maps."""

import numpy as np
import pytest
from handmade import certain
from memory import allocated
from PIL import Image

from adcat.attention.map_figures import AttendedAds, choose
from adcat.attention.maps import mean_by_class
from adcat.attention.mean_maps import MOST, by_heading, mean_maps, mean_maps_table
from adcat.plotting.heat_maps import HeatMap, heat_maps

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


def means():
    """Five ads of bikes and sofas, maps of 3 x 3: in the middle, in a corner, or flat."""
    flat, middle, corner = np.full(9, 1 / 9), np.eye(9)[4], np.eye(9)[0]
    weights = np.array([middle, corner, flat, flat, middle], np.float32)
    labels, groups = [BIKES, BIKES, BIKES, SOFAS, SOFAS], [NEITHER, NEITHER, TEXT_ONLY] + 2 * [1]
    names = ["bikes", "cars", "sofas"]
    return mean_maps(weights, (3, 3), np.array(groups, np.int8), np.array(labels), names)


def test_mean_maps_are_means_over_the_ads_where_there_are_any():
    found = {one.name: one for maps in means().values() for one in maps}
    sizes = {name: one.ads for name, one in found.items()}
    assert sizes == {
        "text correct, image incorrect": 3, "both incorrect": 2, "all ads": 5,
        "bikes": 3, "sofas": 2,
    }  # fmt: skip
    np.testing.assert_allclose(
        found["bikes"].values * 3, [[10, 1, 1], [1, 10, 1], [1, 1, 1]], rtol=1e-6
    )
    np.testing.assert_allclose(found["both incorrect"].values, [[4.5, 0, 0], [0, 4.5, 0], 3 * [0]])


def test_the_table_has_the_share_at_the_border_and_the_highest_value():
    rows = {name: (kind, *cells) for kind, name, *cells in mean_maps_table(means()).rows}
    assert rows["bikes"] == ("category", 3, *map(pytest.approx, (17 / 27, 8 / 9, 10 / 3)))
    assert rows["both incorrect"] == ("error group", 2, *map(pytest.approx, (0.5, 8 / 9, 4.5)))
    assert rows["all ads"] == ("all", 5, *map(pytest.approx, (25 / 45, 8 / 9, 4)))


def test_the_largest_categories_are_drawn_first_and_not_without_end():
    one = np.ones((2, 2))
    many = [HeatMap(f"category {i}", i, one) for i in range(1, MOST + 3)]
    found = by_heading({**means(), "category": many})
    groups, categories = found.values()
    assert [group.name for group in groups][-1] == "all ads"
    assert [category.ads for category in categories] == [*range(MOST + 2, 2, -1)]
    assert list(found)[1] == "by category: the 280 with the most ads, of 282"


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("name", ["$x_1$ " * 30, "sofas", "\u4e00"])
def test_the_maps_are_drawn_in_rows_of_seven(name, tmp_path):
    maps = [HeatMap(name, 1, np.full((2, 3), float(i))) for i in range(8)]
    for rows, count in ((1, 7), (2, 8)):
        heat_maps(tmp_path / f"{rows}.png", {"by category": maps[:count]})
    first, second = (pixels(tmp_path / f"{rows}.png") for rows in (1, 2))
    assert first.shape[1] == second.shape[1] > 1000
    assert len(second) - len(first) == 210
    assert len({*map(bytes, second[180, 30::158])}) == 7


def test_means_are_taken_block_by_block(tmp_path):
    maps = np.lib.format.open_memmap(tmp_path / "maps.npy", "w+", np.float32, (100_000, 100))
    classes = np.arange(100_000) % 2
    assert allocated(mean_by_class, maps, classes, 3) < 8e6  # all maps are 40 MB
    np.testing.assert_array_equal(mean_by_class(maps, classes, 3)[:, 0], [0, 0, np.nan])
