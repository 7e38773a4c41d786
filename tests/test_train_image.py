"""The command: what it writes, that it repeats, goes on after an interruption, and refuses."""

import contextlib
import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from handmade import make_split
from PIL import Image
from pipeline import uncompiled
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.cli.options import options_read_by
from adcat.commands.train_image import Settings, train_image
from adcat.image import classifier
from adcat.image.augmentation import augmented_crop
from adcat.image.backbones import BACKBONES, VECTORS
from adcat.image.classifier import LAST_LAYER
from adcat.image.extraction import extractor, stream_features
from adcat.image.inference import TENSORFLOW
from adcat.image.labelled_images import LabelledImages
from adcat.image.stages import augmented_vectors, train_batch_norm
from adcat.learning.keras_files import load_network
from adcat.learning.runtime import seeded_tensorflow
from adcat.progress import Silent
from adcat.workspace.ads import image_paths
from adcat.workspace.layout import Workspace

CATEGORIES = ["Chairs", "Cars"]
LABELS = {"train": [0, 1] * 6, "validation": [0, 1, 1], "test": [0, 1]}
COLOURS = [(200, 60, 40), (40, 70, 190)]
SMALL = {"backbone": "efficientnet-lite0", "image_size": 32, "batch_size": 4, "folds": 0}
INCEPTION = {"weights": "none", "image_size": 75, "batch_size": 4, "folds": 0}


def make_workspace(folder):
    """Photos whose colour tells their category."""
    images = folder / "photos"
    images.mkdir()
    random = np.random.default_rng(0)
    for part, labels in LABELS.items():
        for i, label in enumerate(labels):
            pixels = random.normal(COLOURS[label], 20, (30, 40, 3)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(images / f"{part}-{i}.png")
    workspace = Workspace(folder / "workspace")
    make_split(workspace, CATEGORIES, LABELS, images=images)
    return workspace


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), "train-image", *map(str, words)])


def options(**given):
    return [
        word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)
    ]


def history(workspace):
    with (workspace.image_model / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Told(Silent):
    """Counts what a task of each title heard of."""

    def __init__(self):
        self.done = {}

    @contextlib.contextmanager
    def task(self, title, total, unit, done=0):
        self._title = title
        yield self

    def advance(self, units, note=""):
        self.done[self._title] = self.done.get(self._title, 0) + units


class Interrupting(Told):
    """Stops the run after so many steps in all."""

    def __init__(self, steps):
        super().__init__()
        self._steps = steps

    def advance(self, units, note=""):
        super().advance(units)
        if sum(self.done.values()) >= self._steps:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A last layer on a frozen network, made once for the tests that only look."""
    workspace = make_workspace(tmp_path_factory.mktemp("trained"))
    result = run(workspace, *options(**SMALL, stage="head"))
    assert result.exit_code == 0, result.output
    return workspace, result


def test_it_writes_a_model_with_its_preprocessing_and_its_history(trained):
    workspace, result = trained
    artifact = workspace.image_model
    manifest = artifact.check()
    assert set(manifest.files) == {"model.keras", "model.json", "strengths.csv", "strengths.md"}
    assert manifest.settings["weights"] == "imagenet"
    assert json.loads((artifact / "model.json").read_text()) == {
        "backbone": "efficientnet-lite0",
        "central_fraction": 0.875,
        "image_size": 32,
        "pixels": [-1, 1],
    }
    lines = (artifact / "strengths.csv").read_text().splitlines()
    assert lines[0] == "strength,out-of-fold loss"
    losses = {line.split(",")[0]: float(line.split(",")[1]) for line in lines[1:]}
    assert f"{float(min(losses, key=losses.get)):g}" in result.stdout
    assert "validation top-1" in result.stdout


def test_colours_are_told_apart(trained):
    workspace, _ = trained
    extracted = extractor(classifier.load(workspace.image_model.path))
    batches = stream_features(extracted, image_paths(workspace.split, "test"), 2)
    probs = np.concatenate([probs for _, probs in batches])
    assert probs.argmax(axis=1).tolist() == LABELS["test"]


def test_the_layer_that_was_fitted_on_vectors_says_of_photos_what_was_shown(trained):
    workspace, result = trained
    model = classifier.load(workspace.image_model.path)
    images = np.stack([model.read(path) for path in image_paths(workspace.split, "validation")])
    probs = np.asarray(model.network(images, training=False))
    top1 = (probs.argmax(axis=1) == LABELS["validation"]).mean()
    assert f"{top1:.2%}" in result.stdout


def test_a_frozen_network_sees_every_photo_once(workspace, monkeypatch):
    """Neither extract-features nor another last layer reads a photo that it has seen."""
    read = []
    original = classifier.central_crop

    def central_crop(path, *how):
        read.append(Path(path).stem)
        return original(path, *how)

    monkeypatch.setattr(classifier, "central_crop", central_crop)

    def seen(*words):
        read.clear()
        result = CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])
        assert result.exit_code == 0, result.output
        return sorted({name.split("-")[0] for name in read}), len(read)

    lite0 = options(**{**SMALL, "folds": 5}, stage="head")
    assert seen("train-image", *lite0) == (["train", "validation"], 15)
    assert seen("extract-features", "--modality", "image") == (["test"], 2)
    stored = np.load(workspace.features / "train/image_vectors.npy")
    fresh = stream_features(
        extractor(classifier.load(workspace.image_model.path)),
        image_paths(workspace.split, "train"),
        4,
    )
    np.testing.assert_allclose(stored, np.concatenate([v for v, _ in fresh]), atol=1e-5)
    assert seen("train-image", *lite0, "--seed", 5, "--folds", 2) == ([], 0)
    assert seen("extract-features", "--modality", "image") == ([], 0)
    layer = ("extract-features", "--modality", "image", "--image-layer", "block2_add")
    assert seen(*layer) == (["test", "train", "validation"], 17)
    of_layer = np.load(workspace.features / "train/image_vectors.npy")
    assert of_layer.shape == (len(stored), 24)
    assert seen("extract-features", "--modality", "image") == ([], 0)
    np.testing.assert_array_equal(np.load(workspace.features / "train/image_vectors.npy"), stored)
    assert seen(*layer) == ([], 0)
    np.testing.assert_array_equal(np.load(workspace.features / "train/image_vectors.npy"), of_layer)


@pytest.mark.soak
def test_a_photo_that_was_damaged_stops_the_run_which_then_goes_on_to_the_same_files(
    trained, workspace, monkeypatch
):
    damaged = workspace.root.parent / "photos/train-10.png"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:100])
    result = run(workspace, *options(**SMALL, stage="head"))
    assert result.exit_code == 1
    assert re.fullmatch(r"error: \S+train-10\.png is not a readable photo: .+\n", result.stderr)
    assert not workspace.image_model.path.exists()
    damaged.write_bytes(content)
    read = []
    original = classifier.central_crop
    monkeypatch.setattr(
        classifier, "central_crop", lambda path, *how: (read.append(path), original(path, *how))[1]
    )
    assert run(workspace, *options(**SMALL, stage="head")).exit_code == 0
    assert not [path for path in read if path.endswith("train-0.png")]  # it was done before
    assert [path for path in read if path.endswith("train-10.png")]
    assert workspace.image_model.manifest().files == trained[0].image_model.manifest().files


@pytest.mark.soak
def test_the_training_of_all_layers_goes_on_after_an_interruption(workspace):
    settings = Settings(**INCEPTION, stage="all", epochs=2, seed=3)
    with pytest.raises(KeyboardInterrupt):
        train_image(workspace, settings, Interrupting(steps=4))
    assert not workspace.image_model.path.exists()
    told = Told()
    train_image(workspace, settings, told)
    assert told.done == {"all layers": 3}  # of 6: the first epoch was not trained again
    assert [(line["stage"], line["epoch"]) for line in history(workspace)] == [
        ("all", "0.0"),
        ("all", "1.0"),
        ("all", "2.0"),
    ]


@pytest.mark.soak
def test_all_layers_are_trained_with_an_auxiliary_head(workspace):
    with uncompiled():
        train_image(workspace, Settings(**INCEPTION, stage="all", epochs=1, seed=3), Silent())
    assert [line["stage"] for line in history(workspace)] == ["all", "all"]
    head = load_network(workspace.image_model / "auxiliary.keras")
    network = classifier.load(workspace.image_model.path).network
    assert head.input.shape == network.get_layer("mixed7").output.shape
    assert head.output.shape == (None, 2)
    notes = workspace.image_model.manifest().notes
    assert notes == {"fitted_on": "train", "training_steered_by": "validation"}


def test_the_preset_trains_the_last_layer_on_another_random_crop_in_every_epoch(workspace):
    """As the thesis, which augments all training."""
    assert Settings.published["views"] == 0
    keras = seeded_tensorflow(0).keras
    photo = keras.Input((8, 8, 3))
    vectors = keras.layers.Flatten(name=VECTORS)(photo)
    network = keras.Model(photo, keras.layers.Dense(2, "softmax", name=LAST_LAYER)(vectors))
    model = classifier.ImageModel(network, BACKBONES["inception-v3"], 8)
    paths = image_paths(workspace.split, "train")
    images = LabelledImages(paths, np.array(LABELS["train"]))
    examples = augmented_vectors(model, TENSORFLOW, images, 5)
    for epoch in (0, 1):
        ((found,),) = examples.stream([np.array([3, 1])], epoch)
        crops = [augmented_crop(paths[row], 8, (5, epoch, row)) for row in (3, 1)]
        np.testing.assert_allclose(found, np.reshape(crops, (2, -1)), atol=1e-6)


def test_batch_norms_are_frozen_in_every_part_of_a_network():
    keras = seeded_tensorflow(0).keras
    vector = keras.Input([2])
    norms = [keras.layers.BatchNormalization() for _ in range(2)]
    part = keras.Model(vector, norms[0](vector))
    network = keras.Model(vector, norms[1](part(keras.layers.Dense(2)(vector))))
    train_batch_norm(network, "frozen")
    assert [len(norm.trainable_variables) for norm in norms] == [0, 0]
    assert len(network.trainable_variables) == 2
    network(np.full((2, 2), 9.0), training=True)
    assert not norms[1].moving_mean.numpy().any()  # in inference mode
    train_batch_norm(network, "trained")
    assert len(network.trainable_variables) == 6


def test_new_crops_in_every_epoch_are_refused_where_the_last_layer_is_fitted(workspace):
    result = run(workspace, *options(**SMALL, stage="head", views=0))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: --views 0 is for --stage all; to fit the last layer type: --views 1\n"
    )


def test_views_are_refused_where_no_last_layer_is_trained(tmp_path):
    result = run(make_workspace(tmp_path), "--weights", "none", "--stage", "all", "--views", 2)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: --views is for training the last layer")


@pytest.mark.soak
def test_a_model_of_its_own_serves_as_weights_and_is_recorded_without_its_place(trained, tmp_path):
    source, _ = trained
    workspace = make_workspace(tmp_path)
    path = source.image_model / "model.keras"
    result = run(workspace, *options(**SMALL | {"weights": path}, stage="head", views=2, seed=5))
    assert result.exit_code == 0, result.output
    recorded = workspace.image_model.manifest().settings["weights"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert recorded == f"model.keras sha256:{digest}"
    theirs, mine = (classifier.load(made.image_model.path) for made in (source, workspace))
    first = [model.body.get_weights()[0] for model in (theirs, mine)]
    np.testing.assert_array_equal(*first)  # frozen


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--weights", "nowhere.h5"], r"error: nowhere\.h5: No such file or directory\n"),
        (
            ["--weights", __file__],
            r"error: \S+ holds no weights of inception-v3: .+\nexpected .+\n",
        ),
    ],
)
def test_weights_that_are_none_are_told_in_a_line_or_two(workspace, words, found):
    result = run(workspace, "--image-size", "75", *words)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(found, result.stderr)


def test_a_photo_network_needs_75_pixels(workspace):
    result = run(workspace, "--image-size", "74")
    assert result.exit_code == 1
    assert result.stderr == "error: inception-v3 needs photos of 75 pixels at least, not 74\n"


def test_a_split_without_validation_ads_is_refused(tmp_path):
    workspace = Workspace(tmp_path)
    labels = {"train": [0, 1], "validation": [], "test": [1]}
    make_split(workspace, CATEGORIES, labels, images=tmp_path)
    for name in ("train-0", "train-1", "test-0"):
        (tmp_path / f"{name}.png").touch()
    result = run(workspace)
    assert result.exit_code == 1
    assert "the validation part of" in result.stderr


def test_a_layer_that_is_fitted_reads_nothing_of_training():
    of_all, of_head = (options_read_by(Settings)[stage] for stage in ("all", "head"))
    assert of_all.keys() - of_head.keys() == {
        "epochs", "patience", "optimizer", "learning_rate", "evaluate_every", "decay",
        "batch_norm", "crop_area",
    }  # fmt: skip


def test_the_thesis_settings_are_those_of_a_3_2():
    published = {"learning_rate": 0.001, "batch_size": 32, "optimizer": "rmsprop"}
    assert Settings.published.items() >= published.items()


@pytest.mark.soak
@pytest.mark.parametrize("stage", ["head", "all"])
def test_folds_give_the_training_ads_probabilities_out_of_fold(workspace, stage):
    """One row for each of the 12 training photos; the model itself is what it is without."""
    made = [*options(**SMALL, stage=stage), *(["--epochs", 1] if stage == "all" else [])]
    result = run(workspace, *made)
    assert result.exit_code == 0
    assert ("all layers on 12 photos; with fewer than 5,000" in result.stderr) == (stage == "all")
    kept = load_network(workspace.image_model / "model.keras").get_weights()
    assert not (workspace.image_model / "train_probs.npy").exists()
    assert run(workspace, *made, "--folds", 2).exit_code == 0
    weights = load_network(workspace.image_model / "model.keras").get_weights()
    assert all(np.array_equal(*pair) for pair in zip(kept, weights, strict=True))
    probs = np.load(workspace.image_model / "train_probs.npy")
    assert probs.shape == (12, 2)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert workspace.image_model.manifest().notes["train_probs"] == "out-of-fold"
