"""`--dry-run`: a real run on a few ads that leaves nothing behind."""

import json
import shutil
import tempfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline import adcat, draw_ads, write_table
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.cli.dry_run import copy_some, some_rows
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_labels
from adcat.workspace.layout import STEPS, Workspace

HEAD = ("train-image", "--backbone", "efficientnet-lite0", "--stage", "head", "--image-size", 32)
RUNS = [
    ("split", "ads.csv"),
    ("train-text", "--epochs", 10**9, "--tune", 50),
    ("train-text", "--model", "tfidf", "--tfidf-min-df", 1000),
    ("extract-features", "--batch-size", 100),
    ("fuse", "--policy", "nn", "--tune", 10**6, "--fraction", 0.001),
    ("fuse", "--policy", "log-linear", "--name", "new"),
    ("attend", "--stage", "attention"),
    ("similar", "--k", 60),
    ("evaluate",),
    ("error-groups",),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where temporary files lie, so that none is overlooked."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.glob("adcat-*")) == []


def run(workspace, *words):
    command = ["-w", workspace.root, *words, "--dry-run"]
    return CliRunner().invoke(app, [str(word) for word in command])


def files(workspace):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in workspace.root.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            words,
            marks=[pytest.mark.soak]
            * ({"nn", "attend"}.intersection(words) != set() or words == HEAD),
        )
        for words in [*RUNS, HEAD]
    ],
    ids=lambda words: " ".join(map(str, words[:3])),
)
def test_it_does_the_work_and_writes_nothing(finished, words):
    before = files(finished)
    table = finished.root.parent / "ads.csv"
    result = run(finished, *(table if word == "ads.csv" else word for word in words))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("dry run succeeded with at most ")
    assert result.stdout.endswith("nothing was written\n")
    assert files(finished) == before


def test_every_command_that_writes_an_artifact_has_it():
    words = {command[0] for command in [*RUNS, HEAD]}
    assert words == set(STEPS)


FAILURES = {
    "a stale input": (
        ("fuse",),
        lambda w: adcat(w, "train-text", "--epochs", 1),
        "extract-features was made from an older train-text",
    ),
    "a missing input": (
        ("train-text",), lambda w: shutil.rmtree(w.split.path), "split is missing; make it"
    ),
    "an edited input": (
        ("evaluate", "product-max"),
        lambda w: (w.fused("product-max") / "params.json").write_text("{}"),
        "fuse/product-max/params.json was edited",
    ),
    "weights that cannot be loaded": (
        ("train-image", "--weights", "ads.csv"), lambda w: None, "holds no weights of inception-v3"
    ),
    "contradictory options": (
        ("train-text", "--minn", 7, "--maxn", 3), lambda w: None, "--minn 7 is above --maxn 3"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_what_would_stop_the_real_run_stops_it(copy, name):
    words, harm, expected = FAILURES[name]
    harm(copy)
    words = [copy.root.parent / word if word == "ads.csv" else word for word in words]
    result = run(copy, *words)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert "adcat-dry-run" not in result.stderr  # what is told is told of the workspace
    if expected.split(" ")[0].startswith(("split", "extract", "fuse")):
        assert str(copy.root) in result.stderr


def test_a_warning_is_told_of_the_workspace(copy):
    (copy.fused("product-max") / "params.json").write_text("{}")
    result = run(copy, "evaluate")
    assert result.exit_code == 0, result.output  # text and image are left
    assert f"left out product-max: {copy.root}/fuse/product-max/params.json" in result.stderr


def test_a_table_in_the_order_of_its_categories_is_no_hindrance(tmp_path):
    ads = sorted(draw_ads(tmp_path, 240), key=lambda ad: ad["category"])
    write_table(tmp_path / "ads.csv", ads)
    workspace = Workspace(tmp_path / "w")
    adcat(workspace, "split", tmp_path / "ads.csv")
    assert run(workspace, "train-text", "--min-count-label", 50).exit_code == 0


@given(labels=st.lists(st.integers(0, 30), min_size=0, max_size=200), ads=st.integers(1, 100))
def test_some_rows_are_as_many_as_asked_for_and_of_different_categories(labels, ads):
    labels = np.array(labels, np.int64)
    rows = some_rows(labels, ads)
    assert len(rows) == min(ads, len(labels))
    assert (np.diff(rows) > 0).all()
    categories = len(np.unique(labels))
    assert len(np.unique(labels[rows])) >= min(categories, -(-ads // 2))


def test_the_copy_has_the_same_ads_in_every_array(finished, tmp_path):
    copy = Workspace(tmp_path / "small")
    copy_some(finished, copy, 10)
    for part in PARTS:
        ids = [ad["id"] for ad in read_ads(finished.split, part, ["id"])]
        rows = [ids.index(ad["id"]) for ad in read_ads(copy.split, part, ["id"])]
        assert rows == some_rows(read_labels(finished.split, part), 10).tolist()
        for file in finished.root.rglob(f"{part}/*.npy"):
            cut = np.load(copy.root / file.relative_to(finished.root))
            np.testing.assert_array_equal(cut, np.load(file)[rows])
    assert pq.read_metadata(copy.split / "ads.parquet").num_rows == 30


def test_every_artifact_of_the_copy_is_in_the_state_that_it_was_in(copy, tmp_path):
    adcat(copy, "train-text", "--epochs", 1)
    (copy.image_model / "model.json").write_text("{}")
    shutil.rmtree(copy.evaluation.path)
    small = Workspace(tmp_path / "small")
    copy_some(copy, small, 10)

    def states(workspace):
        found = json.loads(adcat(workspace, "status", "--json").stdout)["artifacts"]
        return {one["artifact"]: one["state"] for one in found}

    assert states(small) == states(copy)
    assert set(states(copy).values()) == {"current", "stale", "damaged", "missing"}
