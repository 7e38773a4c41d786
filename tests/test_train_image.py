"""The command: what it writes, that it repeats, goes on after an interruption, and refuses."""

import contextlib
import csv
import json

import numpy as np
import pytest
from handmade import make_split
from PIL import Image
from typer.testing import CliRunner

from adcat.artifacts import image_paths
from adcat.cli import app
from adcat.image import classifier
from adcat.image.extraction import load, stream_features
from adcat.progress import Silent
from adcat.workspace import Workspace

CATEGORIES = ["Chairs", "Cars"]
LABELS = {"train": [0, 1] * 6, "validation": [0, 1, 1], "test": [0, 1]}
COLOURS = [(200, 60, 40), (40, 70, 190)]
SMALL = {"weights": "none", "image_size": 75, "batch_size": 4}


@pytest.fixture
def workspace(tmp_path):
    """Photos whose colour tells their category."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, labels in LABELS.items():
        for i, label in enumerate(labels):
            pixels = random.normal(COLOURS[label], 20, (30, 40, 3)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{part}-{i}.png")
    workspace = Workspace(tmp_path / "workspace")
    make_split(workspace, CATEGORIES, LABELS, images=folder)
    return workspace


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), "train-image", *map(str, words)])


def options(**given):
    return [
        word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)
    ]


def history(workspace):
    with (workspace.image_model / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Interrupting(Silent):
    """Stops the run when so many ads were counted in tasks of this title."""

    def __init__(self, title, ads):
        self._title, self._left = title, ads

    @contextlib.contextmanager
    def task(self, title, total, unit, done=0):
        yield self if title == self._title else Silent()

    def advance(self, units, note=""):
        self._left -= units
        if self._left < 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A last layer on a random network, made once for the tests that only look."""
    workspace = make_workspace(tmp_path_factory.mktemp("trained"))
    result = run(workspace, *options(**SMALL, stage="head"))
    assert result.exit_code == 0, result.output
    return workspace, result


def test_it_writes_a_model_with_its_preprocessing_and_its_history(trained):
    workspace, result = trained
    artifact = workspace.image_model
    assert json.loads((artifact / "model.json").read_text()) == {
        "backbone": "inception_v3",
        "central_fraction": 0.875,
        "image_size": 75,
        "pixels": [-1, 1],
    }
    lines = history(workspace)
    assert list(lines[0]) == [
        "stage", "epoch", "learning_rate",
        "train_loss", "train_top1", "validation_loss", "validation_top1",
    ]  # fmt: skip
    assert {line["stage"] for line in lines} == {"head"}
    assert [float(line["epoch"]) for line in lines] == list(range(1, len(lines) + 1))
    assert "validation top-1" in result.stdout
    assert artifact.check().settings["weights"] == "none"
    assert not list(artifact.path.rglob("*vectors*"))  # intermediate work is no part of it


def test_colours_are_told_apart_and_the_summary_says_so(trained):
    workspace, _ = trained
    extractor = load(workspace.image_model.path)
    batches = stream_features(extractor, image_paths(workspace.split, "test"), 2)
    (probs,) = (probs for _, probs in batches)
    assert probs.argmax(axis=1).tolist() == LABELS["test"]


def test_the_kept_weights_score_what_the_history_says(trained):
    """The last layer was trained on stored vectors; photos give the same loss."""
    workspace, _ = trained
    model = classifier.load(workspace.image_model.path)
    photos = np.stack([model.read(path) for path in image_paths(workspace.split, "validation")])
    probs = model.network.predict(photos, verbose=0)
    loss = -np.log(probs[np.arange(3), LABELS["validation"]]).mean()
    best = min(float(line["validation_loss"]) for line in history(workspace))
    assert loss == pytest.approx(best, rel=1e-2)


def test_a_second_run_makes_the_same_files(trained, tmp_path):
    workspace, _ = trained
    again = make_workspace(tmp_path)
    assert run(again, *options(**SMALL, stage="head")).exit_code == 0
    files = workspace.image_model.manifest().files
    assert again.image_model.manifest().files == files
