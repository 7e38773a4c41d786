import re

import numpy as np
import pytest
from PIL import Image

from adcat.plotting.charts import COLORS, Chart, Estimate, Panel, Ranking, Series, draw, save


def chart(panels=1, series=3):
    curves = [Series(f"model {i} $x_1$", [0, 1, 2], [i, i + 1, i]) for i in range(series)]
    return Chart([Panel(curves, f"panel {k}") for k in range(panels)], "ads (%)", "right (%)")


@pytest.mark.parametrize("panels", [1, pytest.param(5, marks=pytest.mark.soak)])
def test_a_chart_has_its_labels_in_both_files_and_is_the_same_again(panels, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    for folder in (tmp_path, again):
        save(chart(panels), folder, "figure")
    svg = (tmp_path / "figure.svg").read_text()
    assert all(text in svg for text in ("ads (%)", "right (%)", "model 2", "panel 0"))
    assert svg.count("panel ") == panels * (1 if panels else 0)
    for form in ("svg", "png"):
        name = f"figure.{form}"
        assert (tmp_path / name).read_bytes() == (again / name).read_bytes()
    with Image.open(tmp_path / "figure.png") as drawn:
        assert drawn.width > 800


def test_curves_differ_without_their_colour(tmp_path):
    save(chart(series=5), tmp_path, "figure")
    svg = (tmp_path / "figure.svg").read_text()
    dashes = set(re.findall(r"stroke-dasharray: ([^;\"]+)", svg))
    assert len(dashes) >= 4  # and one solid
    lightness = [
        np.dot([int(color[i : i + 2], 16) for i in (1, 3, 5)], (0.299, 0.587, 0.114))
        for color in COLORS
    ]
    assert np.abs(np.diff(lightness)).min() > 30  # of 255, between neighbours


def test_a_ranking_names_every_estimate_and_marks_one(tmp_path):
    better = [Estimate("best $x_1$", 80.04, 70, 90, True), Estimate("text", 60, 50, 70)]
    ranking = Ranking({"": better, "apart": [Estimate("nn", 40, 30, 50)]}, "top-1 (%)", 60)
    save(ranking, tmp_path, "figure")
    svg = (tmp_path / "figure.svg").read_text()
    assert re.findall(r"<text[^>]*>([^<]*[a-z][^<]*)</text>", svg) == [
        *("top-1 (%)", "best $x_1$   80.0", "text   60.0", "apart", "nn   40.0"),
    ]  # fmt: skip
    bold = re.findall(r"<text[^>]*font-weight: 700[^>]*>([^<]*)</text>", svg)
    assert bold == ["best $x_1$   80.0", "apart"]


def test_markers_are_spread_along_a_curve_whose_points_are_not(tmp_path):
    """200 points within 2 epochs, then one an epoch up to 16."""
    x = [*(i / 100 for i in range(1, 201)), *range(3, 17)]
    figure = draw(Chart([Panel([Series("pool", x, x)])], "epochs", "right (%)"))
    (line,) = figure.axes[0].lines
    marked = [x[i] for i in line.get_markevery()]
    assert marked == pytest.approx([0.01, 2, 5, 7, 9, 11, 14, 16])


def test_of_few_points_all_are_marked(tmp_path):
    figure = draw(Chart([Panel([Series("none", [], []), Series("ten", *2 * [range(10)])])], "", ""))
    figure.draw_without_rendering()
    assert [len(line.get_markevery()) for line in figure.axes[0].lines] == [0, 10]


def test_one_curve_needs_no_legend(tmp_path):
    save(chart(series=1), tmp_path, "figure")
    assert "model 0" not in (tmp_path / "figure.svg").read_text()
