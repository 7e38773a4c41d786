"""What the nearest ads by each model's vectors have in common, in numbers and pictures."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import expecting
from adcat.evaluation.significance import mean_interval
from adcat.plotting.galleries import Example, gallery
from adcat.report.example_ads import pictures
from adcat.report.page import Section, Shown
from adcat.report.words import share
from adcat.tables import Cell, Column, Table, percent
from adcat.types import ShownAd

SUMMARY = "summary.json"
NOTE = "On the left an ad, then the nearest ones, each with its cosine before the title"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """What the k nearest ads of each of q ads have in common with it, by a model's vectors."""

    by: str  # the model
    dimension: int
    category: NDArray[np.float64]  # the share of them of the same category [q]
    finer: NDArray[np.float64] | None  # of the same finer category [q], where that is known
    duplicates: NDArray[np.float64]  # its known duplicates' that are among them; NaN for none [q]


def measured(found: Sequence[Similarity]) -> list[dict[str, Any]]:
    """The means over all ads, in the order given, each compared with the best in category."""
    best = max(found, key=lambda one: one.category.mean())
    return [
        {
            "by": one.by,
            "dimension": one.dimension,
            "same_category": float(one.category.mean()),
            "interval": mean_interval(one.category),
            **({} if one is best else _over_best(one.category - best.category)),
            **({} if one.finer is None else {"same_finer_category": float(one.finer.mean())}),
            **_of_duplicates(one.duplicates),
        }
        for one in found
    ]


def _over_best(differences: NDArray[np.float64]) -> dict[str, Any]:
    interval = mean_interval(differences)
    return {"over_best": float(differences.mean()), "over_best_interval": interval}


def _of_duplicates(shares: NDArray[np.float64]) -> dict[str, Any]:
    known = shares[np.isfinite(shares)]
    if not len(known):
        return {}
    return {"duplicates_found": float(known.mean()), "ads_with_duplicates": len(known)}


def read_summary(path: Path) -> dict[str, Any]:
    """Reads what `measured` and the ads were written as.

    Raises:
      BadInputError: the file holds something else.
    """
    with expecting(path, "summary of similar ads"):
        document = json.loads(path.read_text(encoding="utf-8"))
        similarity_table(document)
    return document


def similarity_table(document: Mapping[str, Any]) -> Table:
    """The table of a summary, the best representation first."""
    rows = sorted(document["by"], key=lambda one: -one["same_category"])
    optional = {
        "same_finer_category": "same finer category",
        "duplicates_found": f"duplicates found, of {rows[0].get('ads_with_duplicates')} ads",
    }
    there = [name for name in optional if name in rows[0]]
    return Table(
        "The {k} nearest of each of {ads:,} {part} ads among {candidates:,} ({among}), "
        "95 % intervals".format_map(document),
        [
            *(Column("vectors"), Column("dimensions", "{:,}")),
            *(percent("same category"), Column("interval")),
            *(Column(f"over {rows[0]['by']}", "{:+.2%}"), Column("interval")),
            *(percent(optional[name]) for name in there),
        ],
        [
            [
                *(one["by"], one["dimension"], one["same_category"]),
                "{:.1%} to {:.1%}".format(*one["interval"]),
                *_in_short(one),
                *(one[name] for name in there),
            ]
            for one in rows
        ],
    )


def _in_short(one: Mapping[str, Any]) -> list[Cell]:
    if "over_best" not in one:
        return [None, None]
    return [one["over_best"], "{:+.1%} to {:+.1%}".format(*one["over_best_interval"])]


def similarity_section(document: Mapping[str, Any]) -> Section:
    """Which vectors find similar ads, as the page shows it."""
    table = similarity_table(document)
    name, _, of_category = table.rows[0][:3]
    conclusion = (
        f"Of the {document['k']} ads nearest to an ad, {share(float(of_category or 0))} are of its "
        f"category by {name} vectors."
    )
    return Section("similar", "Which vectors find similar ads?", conclusion, [Shown(table)])


def draw_neighbours(
    path: Path, by: str, rows: Sequence[tuple[ShownAd, Sequence[tuple[float, ShownAd]]]]
) -> None:
    """Draws ads, each beside its nearest ones.

    Args:
      path: the PNG to write.
      by: the model whose vectors were compared.
      rows: an ad, and the cosines and ads of the nearest.
    """
    drawn = [
        (
            ad.category,
            [_example(ad.title, ad), *(_example(f"{c:.2f}  {b.title}", b) for c, b in near)],
        )
        for ad, near in rows
    ]
    gallery(path, f"nearest ads by {by} vectors", drawn, NOTE)


def _example(title: str, ad: ShownAd) -> Example:
    return Example(pictures(ad.image), title, ad.category, {})
