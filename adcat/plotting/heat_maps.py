"""Heat maps of attention."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adcat.plotting.charts import DOTS_PER_INCH
from adcat.plotting.lettering import drawable, shortened, write_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A grid of small maps, in inches and characters.
ACROSS = 7  # maps in a row
SIDE, CELL, ROW = 1.15, 1.32, 1.75  # of a map, of a map with what is between and below
EDGE, HEADING, SCALE = 0.1, 0.3, 0.85  # at the left; heights
LINE, NAME_LINES, NAME_LENGTH = 0.13, 2, 21
FLAT = 0.9, 1.1  # have different colours, but no numbers nearer to one another
OUTLIERS = 0.5  # percent of the positions at either end that have the same colour


def channel_heat_map(path: Path, weights: "NDArray[np.floating]", names: Sequence[str]) -> None:
    """Draws the mean attention of each category to each feature map, 1 where it is flat.

    Args:
      path: of the PNG.
      weights: α times the number of feature maps: [categories, feature maps].
      names: of the categories.
    """
    from matplotlib.figure import Figure

    height = max(3.0, 1.2 + 0.2 * len(names))
    figure = Figure((10, height), DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights, aspect="auto", cmap="cividis", interpolation="nearest")
    axes.set_yticks(range(len(names)), [drawable(shortened(name)) for name in names], fontsize=8)
    axes.set_xlabel("feature map (number)")
    figure.colorbar(image, label="mean attention (1: flat)")
    figure.savefig(path)


class HeatMap(NamedTuple):
    """The mean attention of some ads."""

    name: str
    ads: int
    values: "NDArray[np.floating]"  # [height, width], 1 where attention is flat


def heat_maps(path: Path, sections: Mapping[str, Sequence[HeatMap]]) -> None:
    """Draws small maps of mean attention, all in the same colours.

    Args:
      path: of the PNG.
      sections: the maps, by heading.
    """
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    rows = [math.ceil(len(maps) / ACROSS) for maps in sections.values()]
    width, height = EDGE + ACROSS * CELL, SCALE + sum(HEADING + n * ROW for n in rows)
    figure = Figure((width, height), DOTS_PER_INCH)
    values = np.concatenate([of.ravel() for maps in sections.values() for *_, of in maps])
    low, high = np.percentile(values, [OUTLIERS, 100 - OUTLIERS])
    colors = ScalarMappable(Normalize(min(low, FLAT[0]), max(high, FLAT[1])), "cividis")
    bar = figure.add_axes((EDGE / width, 1 - 0.5 / height, 3 / width, 0.15 / height))
    figure.colorbar(colors, bar, orientation="horizontal", extend="both")
    bar.tick_params(labelsize=8)
    bar.set_title("mean attention (1: flat)", loc="left", fontsize=9)
    # one set of axes for all maps: inches from the upper left corner
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    top = SCALE
    for (heading, maps), n in zip(sections.items(), rows, strict=True):
        write_line(axes, (EDGE, top), heading, width, weight="bold")
        for i, (name, ads, of) in enumerate(maps):
            x, y = EDGE + i % ACROSS * CELL, top + HEADING + i // ACROSS * ROW
            axes.imshow(colors.to_rgba(of), extent=(x, x + SIDE, y + SIDE, y), aspect="auto")
            lines = textwrap.wrap(shortened(name), NAME_LENGTH, max_lines=NAME_LINES)
            for line in (*lines, f"{ads:,} ad{'s' * (ads != 1)}"):
                write_line(axes, (x, y + SIDE + LINE / 2), line, CELL - LINE / 2, size=7)
                y += LINE
        top += HEADING + n * ROW
    figure.savefig(path)
