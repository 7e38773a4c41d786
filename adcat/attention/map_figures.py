"""Where an attention model looks: tables, figures and galleries (thesis, section 5.3.1 and A.4)."""

import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.attention.attention_model import Weights
from adcat.attention.maps import border
from adcat.errors import expecting
from adcat.evaluation.error_groups import ADS, CATEGORIES, GROUPS, SAMPLE, Groups, draw, in_words
from adcat.plotting.galleries import Example, gallery
from adcat.tables import Cell, Column, Table, percent
from adcat.types import Labels, Probs

BLOCK = 8192  # maps in memory at a time
SHOWN = 3  # ads in a figure
BORDER = [
    *(Column("ads where"), Column("ads", "{:,}")),
    *(percent("attention at the border"), percent("flat attention")),
]
NOTE = (
    "The photo; the photo under its attention, darker where there was less; the ten places with "
    "the most attention. Bold: the true category"
)

ReadExamples: TypeAlias = Callable[[Sequence[int]], dict[int, Example]]  # by the ads' rows


@dataclasses.dataclass(frozen=True)
class Looked:
    """Where a model looked, at the ads of a part."""

    maps: Weights  # [n, places]
    shape: tuple[int, int]  # height and width of a map
    labels: Labels  # [n]
    probs: Probs  # [n, categories]
    groups: Groups  # the baselines' error groups [n]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the model is right about an ad: [n]."""
        return self.probs.argmax(axis=1) == self.labels

    def at_the_border(self) -> NDArray[np.float64]:
        """The share of each ad's attention in the outermost ring of places: [n]."""
        ring = border(*self.shape)
        starts = range(0, len(self.maps), BLOCK)
        blocks = [self.maps[i : i + BLOCK][:, ring].sum(axis=1, dtype=np.float64) for i in starts]
        return np.concatenate(blocks)


def border_table(looked: Looked, part: str) -> Table:
    """How much of the attention is at the border of the photo, by the baselines' error group."""
    shares, flat = looked.at_the_border(), border(*looked.shape).mean()
    groups = {in_words(name): looked.groups == i for i, name in enumerate(GROUPS)}
    rows = {**groups, "all ads": np.ones(len(shares), np.bool_)}
    return _border(
        part,
        [
            [name, int(here.sum()), float(shares[here].mean()), float(flat)]
            for name, here in rows.items()
            if here.any()
        ],
    )


def read_border_table(path: Path, part: str) -> Table:
    """Reads such a table from its CSV file.

    Raises:
      BadInputError: it holds something else.
    """
    with expecting(path, "table of attention"), path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
        rows = [[name, int(ads), float(at), float(flat)] for name, ads, at, flat in rows]
    return _border(part, rows)


def _border(part: str, rows: Sequence[Sequence[Cell]]) -> Table:
    return Table(f"Attention at the border of the photo, {part} part", BORDER, rows)


def draw_figures(folder: Path, looked: Looked, read: ReadExamples, seed: int) -> None:
    """Draws three ads each, which the model gets right (thesis, figures 5.9 to 5.11).

    At random (5.9), with the most attention at the border (5.10), with the least (5.11); the
    thesis chose its ads by hand. Nothing is drawn where the model gets none right.

    Args:
      folder: where they go.
      looked: where the model looked.
      read: reads ads and draws their pictures.
      seed: of the draw.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(looked.correct))
    if not len(rows):
        return
    shares = looked.at_the_border()[rows]
    chosen = {
        "figure-5.9": ("ads that the model gets right", rows),
        "figure-5.10": ("right, with the most attention at the border", rows[np.argsort(-shares)]),
        "figure-5.11": ("right, with the least attention at the border", rows[np.argsort(shares)]),
    }
    for name, (heading, ordered) in chosen.items():
        rows = [("", [example]) for example in read(ordered[:SHOWN].tolist()).values()]
        for form in ("png", "svg"):
            gallery(folder / f"{name}.{form}", heading, rows, NOTE)


def draw_galleries(
    folder: Path,
    looked: Looked,
    names: Sequence[str],
    read: ReadExamples,
    seed: int,
) -> None:
    """Draws a gallery of each error group, of ads that the model gets right (thesis, A.4).

    Args:
      folder: where they go.
      looked: where the model looked.
      names: of the categories.
      read: reads ads and draws their pictures.
      seed: of the draw.
    """
    groups = np.where(looked.correct, looked.groups, GROUPS.index("both_correct")).astype(np.int8)
    size = min(SAMPLE, len(groups))
    for group, categories in draw(groups, looked.labels, size, CATEGORIES, ADS, seed).items():
        examples = read([row for drawn in categories for row in drawn.rows])
        rows = [
            (names[drawn.misclassified.category], [examples[row] for row in drawn.rows])
            for drawn in categories
        ]
        if rows:
            heading = f"{in_words(group)}, the attention model is right"
            gallery(folder / f"{group}.png", heading, rows, NOTE)
