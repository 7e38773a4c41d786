"""The chain on ads of which some, or all, lack their text or their photo."""

import csv
import json

import numpy as np
import pytest
from handmade import CLOSED_FORMS
from pipeline import adcat, draw_ads, make_workspace, uncompiled, write_table
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.probabilities import prior
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_availabilities, read_categories, read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models

NETWORKS = ("nn", "concat", "text-only")
READS_ONE = {"text": "text", "image": "image", "text-only": "text"}
MODELS = ("text", "image", *CLOSED_FORMS, *NETWORKS)
KEEP = ("--keep-incomplete", "--validation", 0.4, "--test", 0.3, "--exact")
ALL = 1000  # more categories than there are


def lacking(ads):
    """The same ads, a third without photo (or with a broken one) and a third without text."""
    for i, ad in enumerate(ads):
        if i % 3 == 0:
            ad["image"] = "gone.jpg" if i % 2 else ""
        elif i % 3 == 1:
            ad["title"] = ad["description"] = ""
    return ads


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("incomplete")


@pytest.fixture(scope="module")
def made(folder):
    ads = lacking(draw_ads(folder, 90))
    return make_workspace(folder, *CLOSED_FORMS, *NETWORKS, ads=ads, options=["--keep-incomplete"])


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])


def test_an_absent_modality_is_no_number_in_any_array(made):
    for part in PARTS:
        availabilities = read_availabilities(made.split, part)
        assert set(availabilities) == {"both", "text", "image"}
        for modality in ("text", "image"):
            for name in ("vectors", "probs"):
                array = np.load(made.features / f"{part}/{modality}_{name}.npy")
                assert len(array) == len(availabilities)
                there = np.isin(availabilities, ["both", modality])
                assert np.isfinite(array[there]).all()
                assert np.isnan(array[~there]).all()


@pytest.mark.parametrize(
    ("model", "reads"),
    [("concat", ["both"]), ("text-only", ["both", "text"])],
)
def test_a_fused_vector_is_of_ads_that_the_network_can_read(made, model, reads):
    for part in PARTS:
        there = np.isin(read_availabilities(made.split, part), reads)
        vectors = np.load(made.fused(model) / f"{part}/vectors.npy")
        assert np.isfinite(vectors[there]).all()
        assert np.isnan(vectors[~there]).all()


def test_classifiers_learn_from_the_ads_that_they_can_read(made):
    with (made.text_model / "history.csv").open(newline="") as file:
        ads = {row["part"]: int(row["ads"]) for row in csv.DictReader(file)}
    expected = {
        part: np.isin(read_availabilities(made.split, part), ["both", "text"]).sum()
        for part in ("train", "validation")
    }
    assert ads == {**expected, "train, out-of-fold": expected["train"]}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=[pytest.mark.soak] * (model in ("sum-max", "product-max", "nn")))
        for model in MODELS
    ],
)
def test_predicting_the_test_ads_gives_the_stored_probabilities_again(made, folder, model):
    """But where a model of one modality cannot read an ad: then the other classifier predicts."""
    words = ("predict", folder / "ads.csv", "--model", model, "--top", ALL)
    lines = adcat(made, *words).stdout.splitlines()
    predictions = {prediction["id"]: prediction for prediction in map(json.loads, lines)}
    names, availabilities = read_categories(made.split), read_availabilities(made.split, "test")
    ids = [ad["id"] for ad in read_ads(made.split, "test", ["id"])]
    found = [{c["category"]: c["probability"] for c in predictions[id]["categories"]} for id in ids]
    ours = np.array([[of_ad[name] for name in names] for of_ad in found])
    (source,) = (one for one in all_models(made) if one.name == model)
    stored = np.asarray(source.probs("test"))
    reads = READS_ONE.get(model, "both")
    can = (
        np.ones(len(availabilities), bool)
        if reads == "both"
        else np.isin(availabilities, ["both", reads])
    )
    np.testing.assert_allclose(ours[can], stored[can], atol=1e-5)
    other = {"text": "image", "image": "text"}.get(reads)
    if other:
        alone = np.load(made.features / f"test/{other}_probs.npy")
        np.testing.assert_allclose(ours[~can], alone[~can], atol=1e-5)
        shares = prior(read_labels(made.split, "train"), len(names))
        np.testing.assert_allclose(stored[~can], np.tile(shares, (sum(~can), 1)), rtol=1e-6)
    expected = availabilities if reads == "both" else np.where(can, reads, availabilities)
    assert [predictions[id]["modality"] for id in ids] == expected.tolist()


def test_log_linear_says_its_weights_of_every_kind(made):
    stored = json.loads((made.fused("log-linear") / "params.json").read_text())
    result = adcat(made, "fuse", "--policy", "log-linear")
    for modality, words in (("text", "text only"), ("image", "photo only")):
        weights = stored["alone"][modality]
        line = f"weights of ads with {words}: w {weights['w']:.3f}, gamma {weights['gamma']:.3f}"
        assert line in result.stdout


def test_the_error_groups_are_of_whole_ads(made):
    result = adcat(made, "error-groups")
    availabilities = read_availabilities(made.split, "test")
    whole = int(sum(availabilities == "both"))
    assert (
        f"the groups are of the {whole} of {len(availabilities)} ads that have both"
        in result.stdout
    )
    document = json.loads(adcat(made, "error-groups", "--json").stdout)
    assert document["ads"] == sum(document["groups"].values()) == whole


def test_attention_is_for_whole_ads(made):
    with uncompiled():
        adcat(made, "attend", "--stage", "attention", "--epochs", 1)
    availabilities, attention = read_availabilities(made.split, "test"), made.attention("c-wh")
    maps, probs = (np.load(attention / f"test/{name}.npy") for name in ("maps", "probs"))
    assert np.isnan(maps[availabilities != "both"]).all()
    np.testing.assert_allclose(maps[availabilities == "both"].sum(axis=1), 1, atol=1e-5)
    for modality in ("text", "image"):
        alone = np.load(made.features / f"test/{modality}_probs.npy")
        np.testing.assert_array_equal(
            probs[availabilities == modality], alone[availabilities == modality]
        )
    document = json.loads(adcat(made, "evaluate", "attend-c-wh", "--json").stdout)
    assert document["models"][0]["kinds"]["both"]["ads"] == sum(availabilities == "both")


@pytest.mark.soak
def test_an_export_answers_incomplete_ads_as_the_workspace_does(made, tmp_path):
    lines = "".join(
        f"{json.dumps(ad)}\n"
        for ad in read_ads(made.split, "test", ["id", "title", "description", "image"])
    )
    ads, words = len(read_labels(made.split, "test")), ("--images", made.root.parent)
    whole = int(np.isin(read_availabilities(made.split, "test"), ["both", "text"]).sum())
    for model, checked in (("log-linear", ads), ("text", whole), ("text-only", whole)):
        result = adcat(made, "export", tmp_path / model, "--model", model)
        assert f"on {checked} test ads" in result.stdout
        expected = adcat(made, "predict", "--model", model, *words, input=lines).stdout
        found = adcat(made, "predict", "--exported", tmp_path / model, *words, input=lines).stdout
        assert found == expected


def test_a_promise_is_made_for_each_kind(made):
    result = adcat(made, "predict", "--title", "volvo", "--model", "max", "--coverage", 0.99)
    assert "validation ads predicted from text and photo are too few to guarantee" in result.stderr
    assert "validation ads predicted from text only are too few to guarantee 0.99" in result.stderr


@pytest.mark.soak
def test_photos_without_any_text_go_through_the_whole_chain(tmp_path):
    workspace = Workspace(tmp_path / "w")
    ads = [{**ad, "title": "", "description": ""} for ad in draw_ads(tmp_path, 40)]
    write_table(tmp_path / "ads.csv", ads)
    adcat(workspace, "split", tmp_path / "ads.csv", *KEEP)
    assert "nothing to train" in adcat(workspace, "train-text").stdout
    assert not workspace.text_model.path.exists()
    small = ("--backbone", "efficientnet-lite0", "--image-size", 32)
    adcat(workspace, "train-image", *small, "--stage", "head")
    adcat(workspace, "extract-features")
    for policy in CLOSED_FORMS:
        adcat(workspace, "fuse", "--policy", policy)
    document = json.loads(adcat(workspace, "evaluate", "--json").stdout)
    top1 = {model["model"]: model["top1"] for model in document["models"]}
    assert set(top1) == {"image", *CLOSED_FORMS}
    assert len({top1[name] for name in ("image", "max", "sum-max", "product-prior")}) == 1
    assert adcat(workspace, "evaluate").exit_code == 0
    groups = json.loads(adcat(workspace, "error-groups", "--json").stdout)
    assert (groups["ads"], sum(groups["groups"].values())) == (0, 0)
    assert "of the 0 of 12 ads" in adcat(workspace, "error-groups").stdout
    lines = adcat(workspace, "predict", tmp_path / "ads.csv", "--model", "max").stdout.splitlines()
    assert {json.loads(line)["modality"] for line in lines} == {"image"}
    assert "everything is current" in adcat(workspace, "status").stdout
    refused = run(workspace, "fuse", "--policy", "concat")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "concat has 0 ads to learn from" in refused.stderr


def test_texts_without_any_photo_go_through_the_whole_chain(tmp_path):
    workspace = Workspace(tmp_path / "w")
    write_table(tmp_path / "ads.csv", [{**ad, "image": ""} for ad in draw_ads(tmp_path, 40)])
    adcat(workspace, "split", tmp_path / "ads.csv", *KEEP)
    adcat(workspace, "train-text", "--epochs", 5, "--dim", 4)
    assert "nothing to train" in adcat(workspace, "train-image").stdout
    refused = run(workspace, "extract-features", "--modality", "image")
    assert refused.exit_code == 1
    assert "no ad has what --modality image needs" in refused.stderr
    adcat(workspace, "extract-features")
    adcat(workspace, "fuse", "--policy", "log-linear")
    result = adcat(workspace, "evaluate")
    assert "text only (12 ads)" in result.stdout
    adcat(workspace, "error-groups")
    image = tmp_path / "photos/1.jpg"
    words = ("predict", "--title", "volvo", "--image", image, "--model", "log-linear")
    assert json.loads(adcat(workspace, *words).stdout)["modality"] == "text"
