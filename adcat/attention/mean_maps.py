"""The mean attention of the ads of each error group and of each category.

What a category has in common stays in its mean: the thesis sees patterns at the border that are
typical of one (section 5.3.1).
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.maps import border, mean_by_class
from adcat.evaluation.error_groups import GROUPS, Groups, in_words
from adcat.plotting.heat_maps import HeatMap
from adcat.tables import Column, Table, percent
from adcat.types import Labels

GROUP, ALL, CATEGORY = "error group", "all", "category"
MOST = 280  # categories that are drawn

MeanMaps: TypeAlias = Mapping[str, Sequence[HeatMap]]  # of GROUP, ALL and CATEGORY


def mean_maps(
    weights: NDArray[np.floating],
    shape: tuple[int, int],
    groups: Groups,
    labels: Labels,
    categories: Sequence[str],
) -> MeanMaps:
    """The mean map of each error group, of all ads and of each category, where there are ads.

    Args:
      weights: the ads' attention, which may be memory-mapped: [n, positions].
      shape: height and width of a map.
      groups: the ads' error groups [n].
      labels: their categories [n].
      categories: the names of these.
    """

    def means(classes: NDArray[np.integer], names: Sequence[str]) -> list[HeatMap]:
        counts = np.bincount(classes, minlength=len(names)).tolist()
        maps = mean_by_class(weights, classes, len(names)) * weights.shape[1]
        found = map(HeatMap, names, counts, maps.reshape(-1, *shape))
        return [one for one in found if one.ads]

    return {
        GROUP: means(groups, [in_words(group) for group in GROUPS]),
        ALL: means(np.zeros(len(labels), np.int64), ["all ads"]),
        CATEGORY: means(labels, categories),
    }


def mean_maps_table(means: MeanMaps) -> Table:
    """Where the ads' attention lies, a row for each of the maps."""
    shape = means[ALL][0].values.shape
    ring = border(*shape).reshape(shape)
    return Table(
        "Mean attention of the ads of each error group and category, test part",
        [
            *(Column("kind"), Column("ads where, or of"), Column("ads", "{:,}")),
            *(percent("attention at the border"), percent("flat attention")),
            Column("highest of the mean map (1: flat)", "{:.2f}"),
        ],
        [
            [kind, name, ads, float(values[ring].sum() / ring.size), float(ring.mean()),
             float(values.max())]
            for kind, maps in means.items()
            for name, ads, values in maps
        ],
    )  # fmt: skip


def by_heading(means: MeanMaps) -> dict[str, list[HeatMap]]:
    """The maps as they are drawn; of the categories those with the most ads come first."""
    categories = sorted(means[CATEGORY], key=lambda one: -one.ads)
    all_of = f": the {MOST} with the most ads, of {len(categories):,}"
    heading = "by category" + (all_of if len(categories) > MOST else "")
    return {"by error group": [*means[GROUP], *means[ALL]], heading: categories[:MOST]}
