"""A workspace with both classifiers, made by the commands from ads that are drawn here."""

import contextlib
import csv

import numpy as np
from handmade import NETWORKS, Made
from PIL import Image
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.image import classifier, inception
from adcat.image.backbones import BACKBONES, VECTORS
from adcat.learning.runtime import import_tensorflow, seeded_tensorflow
from adcat.workspace.ads import read_categories
from adcat.workspace.layout import Workspace

WORDS = {"Bilar": "volvo diesel ratt", "Cyklar": "cykel ram pedal", "Soffor": "soffa tyg dyna"}
HEADERS = ("id", "title", "description", "category", "image")


def adcat(workspace, *words, input=None):
    """Runs a command that is expected to end well."""
    words = ["-w", str(workspace.root), *map(str, words)]
    result = CliRunner().invoke(app, words, input=input)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


@contextlib.contextmanager
def uncompiled():
    """Runs TensorFlow's functions step by step; to compile them takes longer than a few steps."""
    config = import_tensorflow().config
    config.run_functions_eagerly(True)
    try:
        yield
    finally:
        config.run_functions_eagerly(False)


def write_table(path, ads):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADERS, restval="")
        writer.writeheader()
        writer.writerows(ads)


def draw_ads(folder, count=60, seed=0):
    """Ads whose texts tell the category most of the time and whose photos tell it by colour."""
    rng = np.random.default_rng(seed)
    (folder / "photos").mkdir(parents=True)
    names = list(WORDS)
    ads = []
    for i in range(count):
        c = int(rng.integers(3))
        said = names[c if rng.random() < 0.8 else rng.integers(3)]
        pixels = rng.integers(0, 120, (80, 90, 3))
        pixels[..., c] += 120
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"photos/{i}.jpg")
        title = " ".join(rng.permutation(WORDS[said].split())[:2])
        ads.append({
            "id": f"ad{i}", "title": title, "description": f"fin {i}", "category": names[c],
            "image": f"photos/{i}.jpg",
        })  # fmt: skip
    return ads


def small_image_model(categories, dimension=6):
    """A network like the real one, from photos to vectors, logits and probabilities, but small."""
    keras = seeded_tensorflow(0).keras
    images = keras.Input((24, 24, 3))
    maps = keras.layers.Conv2D(dimension, 3, activation="relu")(images)
    maps = keras.layers.MaxPooling2D(name=inception.STEM)(maps)
    for module in range(11):  # named as Inception's
        maps = keras.layers.Conv2D(dimension, 1, activation="relu", name=f"mixed{module}")(maps)
    vectors = keras.layers.GlobalAveragePooling2D(name=VECTORS)(maps)
    logits = keras.layers.Dense(categories, name=classifier.LAST_LAYER)(vectors)
    probs = keras.layers.Softmax(name=classifier.PROBABILITIES)(logits)
    return classifier.ImageModel(keras.Model(images, probs), BACKBONES[inception.NAME], 24)


def make_workspace(folder, *policies, ads=None, options=()):
    """A workspace of the ads in `folder/ads.csv`, 60 that are drawn if none are given."""
    workspace = Workspace(folder / "w")
    write_table(folder / "ads.csv", ads or draw_ads(folder))
    parts = ("--validation", 0.4, "--test", 0.3, "--exact")
    adcat(workspace, "split", folder / "ads.csv", *parts, *options)
    adcat(workspace, "train-text", "--epochs", 30, "--dim", 8)
    with workspace.image_model.write(Made(), [workspace.split]) as staging:
        classifier.save(small_image_model(len(read_categories(workspace.split))), staging.folder)
        staging.notes["training_steered_by"] = "validation"
    adcat(workspace, "extract-features")
    with uncompiled():
        for policy in policies:
            quick = ("--max-epochs", 3) if policy in NETWORKS else ()
            adcat(workspace, "fuse", "--policy", policy, *quick)
    return workspace
