"""Shows where an attention model looks: figures and galleries (thesis, section 5.3.1 and A.4)."""

import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.attention_model import AttentionModel, Weights
from adcat.attention.maps import BLOCK, border, mean_by_class
from adcat.attention.mean_maps import CATEGORY, by_heading, mean_maps, mean_maps_table
from adcat.attention.overlays import overlay, squares
from adcat.attention.step import Over
from adcat.data.images import central_box, open_image
from adcat.errors import expecting
from adcat.evaluation.error_groups import (
    ERROR_GROUPS,
    GROUPS,
    Groups,
    draw,
    first_predictions,
    in_words,
)
from adcat.files import save_array
from adcat.plotting.galleries import IMAGE_PIXELS, Example, gallery
from adcat.plotting.heat_maps import channel_heat_map, heat_maps
from adcat.tables import Cell, Column, Table, percent, write_table
from adcat.types import Labels, Probs, ShownAd

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 3  # ads in a figure
BORDER = [
    *(Column("ads where"), Column("ads", "{:,}")),
    *(percent("attention at the border"), percent("flat attention")),
]
NOTE = (
    "The photo; the photo under its attention, darker where there was less; the ten positions with "
    "the most attention. Bold: the true category"
)

HEADINGS = {
    "figure-5.9": "ads that the model gets right",
    "figure-5.10": "right, of the category with the most attention at the border",
    "figure-5.11": "right, one of each error group: the least attention at the border",
}

ReadExamples: TypeAlias = Callable[[Sequence[int]], dict[int, Example]]  # by the ads' rows


@dataclasses.dataclass(frozen=True)
class AttendedAds:
    """Ads with text and photo, what a model predicts for them, and where it looks."""

    maps: Weights  # [n, keys]
    probs: Probs  # [n, categories]
    labels: Labels  # [n]
    groups: Groups  # the baselines' error groups [n]
    categories: Sequence[str]  # their names
    read: Callable[[Sequence[int]], Sequence[ShownAd]]  # by row

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the model is right about an ad: [n]."""
        return self.probs.argmax(axis=1) == self.labels

    def at_the_border(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """The share of each ad's attention in the outermost ring of positions: [n]."""
        ring = border(*shape)
        starts = range(0, len(self.maps), BLOCK)
        blocks = [self.maps[i : i + BLOCK][:, ring].sum(axis=1, dtype=np.float64) for i in starts]
        return np.concatenate(blocks)


def show(
    ads: AttendedAds, model: AttentionModel, folder: Path, over: Over, blur: float, seed: int
) -> list[Table]:
    """Draws where a model looks at test ads, and returns what can be said of it as tables.

    Args:
      ads: the ads.
      model: the model.
      folder: where pictures and tables go.
      over: what the model attends to.
      blur: of the attention over a photo, in positions of the map.
      seed: of what is drawn at random.
    """
    figures, galleries = folder / "figures", folder / "galleries"
    figures.mkdir(exist_ok=True)
    if over == "c":
        means = mean_by_class(ads.maps, ads.labels, len(ads.categories)) * ads.maps.shape[1]
        channel_heat_map(figures / "channels.png", means, ads.categories)
        return []
    galleries.mkdir(exist_ok=True)
    read, shares = _example_reader(ads, model, blur), ads.at_the_border(model.map_shape)
    _draw_figures(figures, ads, shares, read, seed)
    _draw_galleries(galleries, ads, read, seed)
    means = mean_maps(ads.maps, model.map_shape, ads.groups, ads.labels, ads.categories)
    stacked = np.stack([one.values for maps in means.values() for one in maps])
    save_array(folder / "mean-maps.npy", stacked)
    table = mean_maps_table(means)
    write_table(folder, "mean-maps", table)
    heat_maps(figures / "mean-maps.png", by_heading(means))
    table = _border([row[1:5] for row in table.rows if row[0] != CATEGORY])
    write_table(folder, "border", table)
    return [table]


def _example_reader(ads: AttendedAds, model: AttentionModel, blur: float) -> ReadExamples:
    def read(rows: Sequence[int]) -> dict[int, Example]:
        """Reads ads as examples, by their rows."""
        return {row: example(row, ad) for row, ad in zip(rows, ads.read(rows), strict=True)}

    def pictures(row: int, path: str) -> "Sequence[Image]":
        """The photo, the photo under its attention, and its positions of most attention."""
        image = open_image(path, max(IMAGE_PIXELS))
        image.thumbnail(IMAGE_PIXELS)
        left, top, right, bottom = central_box(image, model.image.central_fraction)
        seen = image.crop((round(left), round(top), round(right), round(bottom)))
        weights = ads.maps[row].reshape(model.map_shape)
        return [image, overlay(seen, weights, blur), squares(seen, weights)]

    def example(row: int, ad: ShownAd) -> Example:
        found = first_predictions(ads.probs[row], ads.categories)
        shown = pictures(row, ad.image) if ad.image else []
        return Example(shown, ad.title, ad.category, {"prediction": found})

    return read


def read_border_table(path: Path) -> Table:
    """Reads from its CSV file how much attention is at the border, by error group and of all ads.

    Raises:
      BadInputError: it holds something else.
    """
    with expecting(path, "table of attention"), path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
        rows = [[name, int(ads), float(at), float(flat)] for name, ads, at, flat in rows]
    return _border(rows)


def _border(rows: Sequence[Sequence[Cell]]) -> Table:
    return Table("Attention at the border of the photo, test part", BORDER, rows)


def _draw_figures(
    folder: Path, ads: AttendedAds, shares: NDArray[np.float64], read: ReadExamples, seed: int
) -> None:
    """Draws figures 5.9 to 5.11 of the thesis, each of the ads that there are for it."""
    for name, chosen in choose(ads, shares, seed).items():
        examples = read([row for row, _ in chosen])
        rows = [(heading, [examples[row]]) for row, heading in chosen]
        for form in ("png", "svg") if rows else ():
            gallery(folder / f"{name}.{form}", HEADINGS[name], rows, NOTE)


def choose(
    ads: AttendedAds, shares: NDArray[np.float64], seed: int
) -> dict[str, list[tuple[int, str]]]:
    """The ads of figures 5.9 to 5.11, all of which the model gets right, as rows with headings.

    Three at random (5.9); the three with the most attention at the border, of the category with
    the most (5.10); of each error group the one with the least (5.11). The thesis chose by hand.

    Args:
      ads: the ads.
      shares: of each ad's attention, the share at the border [n].
      seed: of what is drawn at random.
    """
    right = np.random.default_rng(seed).permutation(np.flatnonzero(ads.correct))
    ordered = right[np.argsort(-shares[right], kind="stable")]
    totals = np.bincount(ads.labels[right], shares[right], len(ads.categories))
    counts = np.bincount(ads.labels[right], minlength=len(ads.categories))
    is_shown = counts >= min(SHOWN, counts.max())  # a mean of fewer ads says little
    category = int(np.where(is_shown, totals / np.maximum(counts, 1), -1).argmax())
    bordered = ordered[ads.labels[ordered] == category][:SHOWN]
    last = {
        group: ordered[ads.groups[ordered] == GROUPS.index(group)][-1:] for group in ERROR_GROUPS
    }
    return {
        "figure-5.9": [(int(row), "") for row in right[:SHOWN]],
        "figure-5.10": [(int(row), ads.categories[category]) for row in bordered],
        "figure-5.11": [
            (int(row), in_words(group)) for group, rows in last.items() for row in rows
        ],
    }


def _draw_galleries(folder: Path, ads: AttendedAds, read: ReadExamples, seed: int) -> None:
    """Draws a gallery of each error group, of ads that the model gets right (thesis, A.4)."""
    groups = np.where(ads.correct, ads.groups, GROUPS.index("both_correct")).astype(np.int8)
    for group, categories in draw(groups, ads.labels, seed).items():
        examples = read([row for drawn in categories for row in drawn.rows])
        rows = [
            (ads.categories[drawn.misclassified.category], [examples[row] for row in drawn.rows])
            for drawn in categories
        ]
        if rows:
            heading = f"{in_words(group)}, the attention model is right"
            gallery(folder / f"{group}.png", heading, rows, NOTE)
