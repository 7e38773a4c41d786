"""Attention: the search, the training and the attention maps of the best model (section 5.3)."""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adcat import thesis
from adcat.attention.map_figures import read_border_table
from adcat.attention.search import Trial, best_of_each, read_trials, settings_table
from adcat.attention.step import Over
from adcat.errors import expecting
from adcat.evaluation.measuring import Evaluation, Measured, best
from adcat.files import open_array
from adcat.plotting.charts import Chart, Panel, Series
from adcat.report.approaches import HISTORY, approach_section
from adcat.report.embedded_images import LEGIBLE, embedded, embedded_drawing
from adcat.report.page import Block, Drawing, Picture, Remark, Section, Shown
from adcat.report.words import share
from adcat.tables import Column, Table, percent
from adcat.types import MODALITIES, have

ABOUT: Mapping[Over, str] = {"wh": "positions of the photo", "c": "feature maps of the network"}
SEARCHED: Mapping[Over, str] = {"c": "5.5", "wh": "5.6"}  # figures
LOOKED: Mapping[str, str] = {  # figures that `attend` draws
    "5.9": "attention of {} to ads that it gets right, drawn at random",
    "5.10": "attention of {} to ads of one category, the one with the most at the border",
    "5.11": "attention of {} to an ad of each error group, the one with the least at the border",
}
WIDE = (1122, 3000)  # pixels: as large as they are drawn
TALL = (1122, 9000)
PEAKED = 1.1  # times the weight of flat attention, from which on a position stands out
EVEN = 0.005  # of the attention, from which on the border has more or less than its share
SETTINGS = (
    "A setting is the insertion point in the network, from a (early) to e (late), and what "
    "attention weighs: positions of the photo (wh) or feature maps (c)."
)
RING = (
    "The border is the outermost ring of positions; flat attention gives every position the same "
    "weight."
)
LEFT_OUT = (
    "Table 5.7 and Figures 5.5 and 5.6 are left out: the search was edited or is "
    "stale. Make it again: adcat attend --search."
)


def best_over_positions(evaluation: Evaluation) -> Measured | None:
    """Of the attention models over positions, the best on the validation ads."""
    models = evaluation.of("attention")
    found = [model for model in models if model.kind.settings["over"] == "wh"]
    return best(found) if found else None


def attention_section(
    evaluation: Evaluation, search: Path | None, is_left_out: bool, compare: bool
) -> Section | None:
    """The tables, curves and maps of attention; None without such a model.

    Args:
      evaluation: the models.
      search: the log of the search over attention's settings, where there is a current one.
      is_left_out: whether there is one that cannot be relied on.
      compare: whether to show the thesis' numbers.
    """
    section = approach_section(evaluation, "attention", compare)
    if section is None:
        return None
    blocks = [*section.blocks, *_searched(search, is_left_out, compare)]
    blocks += _learning(best(evaluation.of("attention")))
    looking = best_over_positions(evaluation)
    if looking is None:
        return dataclasses.replace(section, blocks=blocks)
    border = read_border_table(looking.source.folder / "border.csv")
    blocks += [Shown(border, note=RING), *_looked(looking)]
    conclusion = (
        f"{section.conclusion} {_in_words(looking.name, _peak(evaluation, looking), border)}"
    )
    return dataclasses.replace(section, conclusion=conclusion, blocks=blocks)


def _searched(search: Path | None, is_left_out: bool, compare: bool) -> list[Block]:
    """Table 5.7, Figures 5.5 and 5.6."""
    if search is None:
        return [Remark(LEFT_OUT)] if is_left_out else []
    trials = read_trials(search)
    table = settings_table(trials)
    printed = [thesis.attention_settings().get(str(row[0]), {}) for row in table.rows]
    beside = [
        (Column("thesis: learning rate", "{:g}"), [row.get("learning_rate") for row in printed]),
        (percent("thesis: validation top-1"), [row.get("top1") for row in printed]),
    ]
    return [
        Shown(table, "table-5.7", SETTINGS, beside if compare else ()),
        *(curves for over in SEARCHED for curves in _search_curves(trials, over)),
    ]


def _search_curves(trials: Sequence[Trial], over: Over) -> list[Drawing]:
    """Every insertion point at its best learning rate; none that failed."""
    best = [
        trial
        for trial in best_of_each(trials).values()
        if trial.setting["over"] == over and not trial.error
    ]
    series = [
        Series(
            "{insert_at}, learning rate {learning_rate:g}".format(**trial.setting),
            [point.epoch for point in trial.history],
            [100 * point.validation_top1 for point in trial.history],
        )
        for trial in best
    ]
    if not series:
        return []
    scores = zip(series, best, strict=True)
    highest = "; ".join(f"{one.name}: {100 * trial.score:.1f}" for one, trial in scores)
    drawing = Drawing(
        Chart([Panel(series)], "epochs", "validation accuracy (%)"),
        f"figure-{SEARCHED[over]}",
        f"Figure {SEARCHED[over]}: accuracy while learning, attention over {ABOUT[over]}, by point",
        f"Line chart of validation accuracy (%) over epochs. Highest: {highest}.",
    )
    return [drawing]


def _learning(model: Measured) -> list[Drawing]:
    """Figures 5.7 and 5.8."""
    path = model.source.folder / HISTORY
    with expecting(path, "history"), path.open(newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        rows = [{name: float(v) for name, v in line.items() if v} for line in lines]
        return [
            _curves(model.name, rows, "5.7", "top1", "accuracy (%)", 100),
            _curves(model.name, rows, "5.8", "loss", "loss (nats per ad)", 1),
        ]


def _curves(
    name: str,
    rows: Sequence[Mapping[str, float]],
    number: str,
    column: str,
    label: str,
    scale: float,
) -> Drawing:
    series = [
        _learned(rows, "training", f"train_{column}", scale),
        _learned(rows, "validation", f"validation_{column}", scale),
    ]
    ends = "; ".join(f"{one.name} ends at {one.y[-1]:.3g}" for one in series)
    about = f"{label} of {name} during training; training values are means since the previous point"
    return _line_chart(number, about, series, label, f": {ends}")


def _line_chart(number: str, about: str, series: list[Series], label: str, found: str) -> Drawing:
    """A figure of curves over epochs; `found` is what they show, for screen readers."""
    caption, alt = f"Figure {number}: {about}", f"Line chart of {label} over epochs{found}."
    return Drawing(Chart([Panel(series)], "epochs", label), f"figure-{number}", caption, alt)


def _learned(rows: Sequence[Mapping[str, float]], name: str, column: str, scale: float) -> Series:
    """A column of a history, without the empty cells at the start."""
    here = [row for row in rows if column in row]
    return Series(name, [row["epoch"] for row in here], [scale * row[column] for row in here])


def _peak(evaluation: Evaluation, looking: Measured) -> float:
    """The mean of each ad's highest attention weight, relative to flat attention."""
    availabilities = evaluation.split.availabilities["test"]
    maps = open_array(looking.source.folder / "test/maps.npy", len(availabilities))
    highest = maps.max(axis=1)[have(availabilities, MODALITIES)]
    return float(highest.mean(dtype=np.float64)) * maps.shape[1]


def _in_words(name: str, peak: float, border: Table) -> str:
    """How far from flat the attention is, and whether it favours the border."""
    at_border, flat = (float(cell or 0) for cell in border.rows[-1][2:])
    if peak < PEAKED:
        verdict = "it is nearly flat, and the maps below mean little"
    elif abs(at_border - flat) < EVEN:
        verdict = "it neither favours nor avoids the border"
    elif at_border < flat:
        verdict = "it favours the centre"
    else:
        verdict = (
            "it favours the border, which the thesis explains as the text being written where "
            "the photo shows little"
        )
    return (
        f"The attention of {name} peaks at {peak:.2f} times the weight of flat attention; the "
        f"border of the photo has {share(at_border)} of it, against {share(flat)} if it were flat: "
        f"{verdict}."
    )


def _looked(model: Measured) -> list[Picture]:
    """Figures 5.9 to 5.11 and the mean maps; one that has no ads to show is left out."""
    figures = model.source.folder / "figures"
    files = {n: figures / f"figure-{n}.png" for n in LOOKED}
    pictures = [
        Picture(
            embedded(str(file), WIDE, LEGIBLE),
            f"Figure {number}: {LOOKED[number].format(model.name)}",
            f"Some ads, each as its photo, the photo darker where {model.name} attends less, and "
            "the photo with the ten positions of most attention; below, the first predictions.",
            is_wide=True,
        )
        for number, file in files.items()
        if file.exists()
    ]
    means = figures / "mean-maps.png"
    if means.exists():  # not in workspaces of earlier versions
        about = f"Mean attention of {model.name} by error group and by category of the ads"
        numbers = f"in numbers: attend/{model.source.folder.name}/mean-maps.csv"
        alt = f"{about}: a small map for each, brighter where there is more attention."
        picture = embedded_drawing(str(means), TALL)
        pictures.append(Picture(picture, f"{about}; {numbers}", alt, is_wide=True))
    return pictures
