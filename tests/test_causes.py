"""`error-groups --annotate`: misclassified ads to look at, and the causes that somebody saw."""

import csv
import json

import numpy as np
import pytest
from handmade import certain, make_features, make_split
from PIL import Image
from typer.testing import CliRunner

from adcat.causes import CAUSES, causes_table, data_dependent
from adcat.cli.app import app
from adcat.workspace.layout import Workspace

CATEGORIES = ["bikes", "cars", "sofas"]
TEST = [0, 0, 1, 1, 2, 2]
TEXT = [0, 0, 0, 0, 1, 2]  # both, text, image, neither, neither, both
IMAGE = [0, 1, 1, 2, 0, 2]
RIGHT, TEXT_ONLY, IMAGE_ONLY, NEITHER, WITHOUT = 0, 1, 2, 3, -1  # groups


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "test-3.png")
    make_split(made, CATEGORIES, {"train": [0, 1], "validation": [0, 1, 2], "test": TEST}, tmp_path)
    probs = {"text": certain(TEXT, 3), "image": certain(IMAGE, 3)}
    same = dict.fromkeys(probs, certain([0, 1, 2], 3))
    make_features(made, {"validation": same, "test": probs})
    return made


@pytest.fixture
def file(workspace):
    return workspace.root.parent / "errors.csv"


def run(workspace, file, *words):
    words = ["-w", workspace.root, "error-groups", "--annotate", file, *words]
    return CliRunner().invoke(app, list(map(str, words)))


def written(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def fill_in(file, *causes):
    """Writes causes as a spreadsheet saves them."""
    ads = written(file)
    assert len(ads) == len(causes)
    with file.open("w", newline="", encoding="utf-8-sig") as lines:
        writer = csv.DictWriter(lines, ads[0], delimiter=";")
        writer.writeheader()
        writer.writerows({**ad, "cause": cause} for ad, cause in zip(ads, causes, strict=True))


def test_the_misclassified_ads_are_written_to_be_looked_at(workspace, file):
    result = run(workspace, file)
    assert result.exit_code == 0, result.output
    assert all(cause in result.stdout for cause in CAUSES)
    ads = written(file)
    assert [ad["id"] for ad in ads] == ["test-1", "test-2", "test-3", "test-4"]
    assert ads[2] == {
        "id": "test-3",
        "title": "test 3",
        "description": "",
        "image": str(workspace.root.parent / "test-3.png"),
        "category": "cars",
        "text_prediction": "bikes",
        "image_prediction": "sofas",
        "group": "both incorrect",
        "cause": "",
    }
    assert not (workspace.error_groups / "tables/causes.csv").exists()


def test_at_most_so_many_ads_of_each_group_are_drawn_by_the_seed(workspace, file):
    drawn = set()
    for seed in range(9):
        file.unlink(missing_ok=True)
        run(workspace, file, "--annotate-ads", 1, "--seed", seed)
        drawn.add(tuple(ad["id"] for ad in written(file)))
    assert drawn == {("test-1", "test-2", "test-3"), ("test-1", "test-2", "test-4")}


def test_what_was_written_into_it_is_counted_and_kept(workspace, file):
    run(workspace, file)
    fill_in(file, "Close-up ", "several categories", "wrong category", "")
    before = file.read_bytes()
    result = run(workspace, file)
    assert result.exit_code == 0, result.output
    assert file.read_bytes() == before
    groups = workspace.error_groups
    with (groups / "tables/causes.csv").open(newline="") as lines:
        rows = {row["cause"]: row for row in csv.DictReader(lines)}
    assert [*rows] == [*CAUSES, "(none yet)"]
    assert (rows["close-up"]["depends on"], rows["wrong category"]["depends on"]) == (
        "modality",
        "data",
    )
    assert float(rows["wrong category"]["share of both incorrect"]) == 1
    assert float(rows["wrong category"]["share of all"]) == pytest.approx(1 / 3)
    assert rows["(none yet)"]["both incorrect"] == "1"
    summary = json.loads((groups / "summary.json").read_text())
    assert summary["causes"]["both_incorrect"] == {"wrong category": 1, "": 1}
    assert json.loads(run(workspace, file, "--json").stdout) == summary
    for form in ("png", "svg"):
        assert (groups / f"figures/figure-4.2.{form}").exists()
    svg = (groups / "figures/figure-4.2.svg").read_text()
    assert "data-dependent errors: wrong category, several categories" in svg
    manifest = groups.check()
    assert manifest.settings["annotate"] == "errors.csv"


def test_another_file_of_the_same_name_makes_another_artifact(workspace, file):
    digests = set()
    run(workspace, file)
    for causes in (["", "", "", ""], ["other", "", "", ""], ["", "", "", ""]):
        lines = [f"test-{i},{cause}" for i, cause in enumerate(causes, 1)]
        file.write_text("\n".join(["id,cause", *lines]))
        assert run(workspace, file).exit_code == 0
        digests.add(workspace.error_groups.check().digest)
    assert len(digests) == 2


HEADERS = "id,cause\n"
REFUSED = {  # content and what is told of it
    "another word": (
        HEADERS + "test-1,\ntest-2,blurred",
        "row 2 has the cause 'blurred'; expected wrong",
    ),
    "an unknown ad": (
        HEADERS + "ad9,other",
        "row 1 has the id 'ad9', which no ad of the test part has; use",
    ),
    "an ad twice": (HEADERS + "test-1,\n\ntest-1,other", "row 2 has the id 'test-1', as row 1 has"),
    "a field too few": (HEADERS + "test-1", "row 1 has 1 fields or a broken quotation; expected 2"),
    "an open quote": (HEADERS + '"test-1,other', "or a broken quotation"),
    "a second cause": ("id,cause,Cause\ntest-1,other,", "has 2 columns 'cause'; expected one"),
    "no cause": ("id,reason\ntest-1,other", "has 0 columns 'cause'; expected one"),
    "no headers": ("", "has 0 columns 'id'; expected one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_and_nothing_is_made(workspace, file, name):
    content, expected = REFUSED[name]
    file.write_text(content)
    result = run(workspace, file)
    assert result.exit_code == 1
    assert f"{file}" in result.stderr
    assert expected in result.stderr
    assert file.read_text() == content
    assert not workspace.error_groups.path.exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("errors.xlsx", "expected a file whose name ends in .csv"), ("no/e.csv", "does not exist")],
)
def test_a_file_that_cannot_be_written_is_refused_first(workspace, name, expected):
    result = run(workspace, workspace.root.parent / name)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert not workspace.error_groups.path.exists()


def test_a_dry_run_neither_writes_nor_reads_it(workspace, file):
    assert run(workspace, file, "--dry-run").exit_code == 0
    assert not file.exists()
    file.write_text("id,cause\nad9,other")
    assert run(workspace, file, "--dry-run").exit_code == 0


def test_where_nothing_is_misclassified_nothing_is_written(workspace, file):
    result = run(workspace, file, "--part", "validation")
    assert result.exit_code == 1
    assert f"{file} is not written: no ad of the validation part is misclassified" in result.stderr
    assert not file.exists()


def test_ads_that_are_no_errors_any_more_are_counted_apart():
    groups = np.array([RIGHT, TEXT_ONLY, NEITHER, WITHOUT], np.int8)
    causes = dict.fromkeys(range(4), "several products")
    rows = {row[0]: row[2:] for row in causes_table("test", groups, causes).rows}
    assert rows["several products"] == [1, 1, 0, None, 1, 1, 2, 1]
    assert rows["(no error any more)"][-2:] == [2, None]
    assert data_dependent(groups, causes) == [1, 2]


def test_figure_4_2_shows_one_ad_of_each_data_dependent_cause_first():
    groups = np.full(9, NEITHER, np.int8)
    seen = ["other", "several products", "several products", "wrong category", "wrong category"]
    assert data_dependent(groups, dict(enumerate(seen))) == [3, 1, 4]
    assert data_dependent(groups, dict(enumerate([*seen, "several categories"]))) == [3, 5, 1]
    assert data_dependent(groups, {0: "close-up", 1: ""}) == []
