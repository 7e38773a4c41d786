"""What `evaluate` says about attention: the search, how a model learned, where it looked."""

import re
from html import unescape

import numpy as np
import pytest
from handmade import (
    certain,
    make_attention,
    make_classifier,
    make_features,
    make_fused,
    make_search,
    make_split,
)
from reading import names, read_page, read_table, run
from sealed import seal
from typer.testing import CliRunner

from adcat.attention.search import Trial, best_of_each, grid
from adcat.cli.app import app
from adcat.report.items import ITEMS, items_of
from adcat.workspace.layout import Workspace

VALIDATION = [0, 1, 2, 0]
TEST = [0, 1, 2, 2]
FLAT = np.full((4, 9), 1 / 9)
MIDDLE = np.array([[0.05] * 4 + [0.6] + [0.05] * 4] * 4)
CORNER = np.array([[0.92] + [0.01] * 8] * 4)
TRIALS = [
    ("a", "wh", 0.1, [0.25, 0.5, 0.375]),
    ("a", "wh", 0.01, [0.25, 0.25]),
    ("a", "c", 0.1, [0.75, 0.25]),  # worse than the image classifier, which it starts from
    ("b", "c", 0.1, []),
]


@pytest.fixture
def workspace(tmp_path):
    """Two baselines that are always right, and no other model."""
    made = Workspace(tmp_path / "w")
    labels = {"train": [0, 1, 2], "validation": VALIDATION, "test": TEST}
    make_split(made, ["bikes", "cars", "sofas"], labels, tmp_path)
    for modality in ("text", "image"):
        make_classifier(made, modality)
    make_features(made, {part: dict.fromkeys(("text", "image"), p) for part, p in right().items()})
    return made


def right():
    return {"validation": certain(VALIDATION, 3), "test": certain(TEST, 3)}


def wrong():
    return {"validation": certain([1, 2, 0, 1], 3), "test": certain(TEST, 3)}


def test_the_models_have_tables_and_curves_but_no_search(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    page = run(workspace, "--compare", "thesis")
    listed = [row["model"] for row in read_table(workspace, "table-5.8")]
    assert listed[0] == "attend-c-wh"  # which is always right
    assert sorted(listed[1:]) == ["image", "text"]
    assert "Table 5.9: ads of each error group that attention gets right" in page
    assert "85.08%" in page
    drawn = {"overview", "automation", "reliability", "figure-5.7", "figure-5.8"}
    assert names(workspace, "figures") == drawn
    assert "Table 5.7" not in page.partition("Tables and figures of the thesis")[0]
    assert "adcat attend --search" in page


def test_the_curves_are_those_of_its_history(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    run(workspace)
    found = alts(workspace)
    assert "accuracy (%) over epochs: training ends at 75; validation ends at 37.5." in found
    assert "loss (nats per ad) over epochs: training ends at 0.5; validation ends at 1.25" in found
    assert "nan" not in (workspace.evaluation / "figures/figure-5.7.svg").read_text()


def test_the_curves_are_of_the_best_model_and_the_pictures_of_the_best_over_places(workspace):
    make_attention(workspace, "first", wrong(), FLAT)
    make_attention(workspace, "second", right(), MIDDLE, drawn=("figure-5.9",))
    make_attention(workspace, "e-c", right(), FLAT, "e", "c")
    page = run(workspace, "attend-e-c", "attend-second", "attend-first")
    assert "Figure 5.7: accuracy (%) of attend-e-c" in page
    assert "Figure 5.9: attention of attend-second" in page
    assert "Figure 5.10: attention" not in page
    assert "Mean attention" not in page  # as of earlier versions
    assert "on the features that the text points to" in page
    assert "attend/second/figures/figure-5.9" in page


def test_a_model_over_channels_alone_has_no_pictures(workspace):
    make_attention(workspace, "e-c", right(), FLAT, "e", "c")
    page = run(workspace)
    assert "Figure 5.7: accuracy (%) of attend-e-c" in page
    assert "at the border of the photo" not in page
    assert re.search(
        r"Figure A\.4 attention by error group (adcat attend \S+ c --over wh) .* \1", page
    )


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        (FLAT, "1.00 times .* has 88.9% of it, against 88.9% if it were flat: it is nearly flat"),
        pytest.param(
            MIDDLE,
            "5.40 times .* has 40.0% of it, against 88.9% .*: it favours the centre",
            marks=pytest.mark.soak,
        ),
        (CORNER, "8.28 times .* has 99.0% of it, against 88.9% .*: it favours the border"),
    ],
)
def test_where_it_looks_in_a_sentence(maps, words, workspace):
    make_attention(workspace, "c-wh", right(), maps)
    assert re.search(f"The attention of attend-c-wh peaks at {words}", run(workspace))


def test_the_search_has_a_table_and_curves_at_the_best_rates(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    make_search(workspace, *TRIALS)
    page = run(workspace, "--compare", "thesis")
    rows = [list(row.values()) for row in read_table(workspace, "table-5.7")]
    assert rows == [["a-wh", "0.1", "0.5"], ["a-c", "0.1", "0.25"], ["b-c", "", ""]]
    assert "a-wh 0.1 50.00% 0.01 75.82%" in page
    found = alts(workspace)
    assert "validation accuracy (%) over epochs. Highest: a, learning rate 0.1: 50.0." in found
    assert "validation accuracy (%) over epochs. Highest: a, learning rate 0.1: 25.0." in found
    assert {"figure-5.5", "figure-5.6"} <= names(workspace, "figures")
    assert "attend-search" in workspace.evaluation.check().inputs


def test_a_search_all_of_whose_settings_of_a_kind_failed_has_no_curve_of_it(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    make_search(workspace, *TRIALS[:2], TRIALS[3])
    run(workspace)
    assert "figure-5.6" in names(workspace, "figures")
    assert "figure-5.5" not in names(workspace, "figures")


def test_a_search_that_was_edited_is_left_out_with_a_remark(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    make_search(workspace, *TRIALS)
    with (workspace.attention_search / "trials.jsonl").open("a") as file:
        file.write("{}\n")
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate"])
    assert "warning: left out the search over attention's settings: " in result.stderr
    assert "trials.jsonl was edited; make it again: " in result.stderr
    page = read_page(workspace)
    assert "Table 5.7 and Figures 5.5 and 5.6 are left out: the search was edited" in page
    assert "table-5.7" not in names(workspace, "tables")
    assert "attend-search" not in workspace.evaluation.check().inputs
    assert str(workspace.root) not in (workspace.evaluation / "report.html").read_text()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("attend/c-wh/history.csv", "epoch\n1\n", "is not a valid history: "),
        ("attend/c-wh/border.csv", "a,b\n1,2\n", "is not a valid table of attention: "),
        ("attend/c-wh/figures/figure-5.9.png", "", "is not a readable photo"),
        ("attend/c-wh/figures/mean-maps.png", "", "is not a readable photo"),
        ("attend-search/trials.jsonl", "{}\n", "is not a valid log of a search: "),
    ],
)
def test_a_file_that_holds_something_else_is_named(file, content, words, workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    make_search(workspace, *TRIALS)
    (workspace.root / file).write_text(content)
    seal(workspace.root)
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate"])
    assert result.exit_code == 1
    assert f"{file} {words}" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_without_attention_models_a_search_is_not_shown(workspace):
    make_fused(workspace, "max", right())
    make_search(workspace, *TRIALS)
    page = run(workspace)
    assert "Attention" not in page.partition("Tables and figures of the thesis")[0]


def test_items_name_the_files_of_the_model_that_is_shown():
    assert items_of(None) == list(ITEMS)
    files = {item.number: item.file for item in ITEMS}
    assert files["Figure 5.9"] == "attend/c-wh/figures/figure-5.9"
    assert files["Figure A.4"] == "attend/c-wh/galleries"


def test_the_best_of_each_setting_is_the_first_of_equals():
    trials = [Trial(setting, []) for setting in grid([0.1, 0.01])[:2]]
    assert best_of_each(trials) == {"a-wh": trials[0]}


def alts(workspace):
    page = (workspace.evaluation / "report.html").read_text()
    return unescape(" ".join(re.findall(r'alt="([^"]*)"', page)))


def test_pictures_are_small(workspace):
    make_attention(workspace, "c-wh", right(), FLAT)
    run(workspace)
    assert (workspace.evaluation / "report.html").stat().st_size < 1_000_000
    assert read_page(workspace).count("Figure 5.1") >= 2


def test_the_mean_maps_are_on_the_page(workspace):
    make_attention(workspace, "small", right(), FLAT)
    words = "Mean attention of attend-small by error group and by category of the ads"
    assert f"{words}; in numbers: attend/small/mean-maps.csv" in run(workspace)
    assert f"{words}: a small map for each, brighter where" in alts(workspace)
