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
from adcat.keras_files import load_network
from adcat.progress import Silent
from adcat.steps.train_image import Settings, train_image
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
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


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
