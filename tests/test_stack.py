"""The regression on terms and vectors, and the pool of any classifiers."""

import json
import shutil

import numpy as np
import pytest
from pipeline import adcat, draw_ads, write_table
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from adcat.choosing import kind_of
from adcat.cli.app import app
from adcat.errors import BadInputError
from adcat.fusion import linear
from adcat.fusion.fitting import everything, fit
from adcat.fusion.material import Material, PartArrays
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.stacking import array_of, member_name, model_name, pooled
from adcat.learning import regression
from adcat.progress import Silent
from adcat.workspace.ads import read_ads, read_categories
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models


@pytest.fixture(scope="module")
def data():
    """60 ads of three categories: terms, image vectors, labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    terms = (rng.random((60, 12)) < 0.3).astype(np.float32)
    terms[np.arange(60), labels] += 1
    vectors = (rng.normal(size=(60, 5)) + labels[:, None]).astype(np.float32)
    return csr_matrix(terms), vectors, labels


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_regression_is_scikit_learns(data):
    terms, vectors, labels = data
    side_by_side = np.hstack([terms.toarray(), 0.5 * unit(vectors)])
    expected = LogisticRegression(C=3, tol=1e-8, max_iter=5000).fit(side_by_side, labels)
    found = linear.fit([terms, vectors], labels, np.arange(60), 3, strength=3, scale=0.5)
    np.testing.assert_allclose(
        found.probs([terms, vectors]), expected.predict_proba(side_by_side), atol=5e-3
    )


def test_fewer_columns_with_the_same_products_give_the_same_regression(data):
    terms, vectors, labels = data
    seen, rest = np.arange(40), np.arange(40, 60)
    x = regression.reduced([terms, 0.5 * unit(vectors)])
    short = regression.fit([x], labels, seen, 3, strength=3)
    long = linear.fit([terms, vectors], labels, seen, 3, strength=3, scale=0.5)
    np.testing.assert_allclose(
        short.probs([x[rest]]), long.probs([terms[rest], vectors[rest]]), atol=5e-3
    )


def test_a_category_without_training_ads_has_no_probability(data):
    terms, vectors, labels = data
    found = linear.fit([terms, vectors], labels, np.arange(60), 4, strength=3, scale=0.5)
    probs = found.probs([terms, vectors])
    assert (probs[:, 3] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)


def test_the_pool_by_hand():
    """(.5² · .2 · .5, .5² · .8 · .5) is in proportion (.2, .8); weights of 2 and 1, γ of 1."""
    inputs = [np.array([[0.5, 0.5]]), np.array([[0.2, 0.8]])]
    found = pooled(inputs, ["text_probs", "image_probs"], [2, 1], 1, [0.5, 0.5])
    np.testing.assert_allclose(found, [[0.2, 0.8]])


def test_arrays_say_whose_they_are():
    assert model_name("text_probs") == "text"
    assert model_name("text_probs@words") == "words"
    assert model_name(array_of("linear")) == member_name(array_of("linear")) == "linear"
    assert member_name("text_probs@words") == ""


@pytest.fixture(scope="module")
def stacked(finished, tmp_path_factory):
    """A workspace with a TF-IDF classifier, linear and stack."""
    folder = tmp_path_factory.mktemp("stacked") / "copy"
    shutil.copytree(finished.root.parent, folder)
    made = Workspace(folder / finished.root.name)
    adcat(made, "train-text", "--model", "tfidf", "--name", "words", "--tfidf-min-df", 1)
    adcat(made, "extract-features")
    adcat(made, "fuse", "--policy", "linear")
    adcat(made, "fuse", "--policy", "stack")
    adcat(made, "fuse", "--policy", "cdpf")
    return made


def test_no_weight_is_negative_and_every_model_is_named(stacked):
    parameters = json.loads((stacked.fused("stack") / "params.json").read_text())["parameters"]
    names = [model_name(array) for array in parameters["reads"]]
    assert names == ["text", "image", "words", "linear"]
    assert min(parameters["weights"]) >= 0


def test_what_combines_probabilities_is_late_fusion_even_if_they_are_its_own(stacked):
    found = {model.name: kind_of(model).approach for model in all_models(stacked)}
    assert found["cdpf"] == found["stack"] == "late fusion"
    assert found["linear"] == "early fusion"


@pytest.mark.parametrize("model", ["words", "linear", "stack", "cdpf"])
def test_predict_says_of_test_ads_what_the_workspace_says(stacked, model):
    table = stacked.root.parent / "ads.csv"
    said = adcat(stacked, "predict", table, "--model", model, "--top", 3).stdout
    records = {one["id"]: one for one in map(json.loads, said.splitlines())}
    names = read_categories(stacked.split)
    folder = {"words": stacked.classifier("text", "words").features}.get(model)
    path = folder / "test/text_probs.npy" if folder else stacked.fused(model) / "test/probs.npy"
    for ad, probs in zip(read_ads(stacked.split, "test", ["id"]), np.load(path), strict=True):
        found = {one["category"]: one["probability"] for one in records[ad["id"]]["categories"]}
        expected = dict(zip(names, probs.tolist(), strict=True))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("model", ["stack", "cdpf"])
def test_an_export_holds_all_that_it_reads(stacked, tmp_path, model):
    adcat(stacked, "export", tmp_path / "served", "--model", model)
    table = stacked.root.parent / "ads.csv"
    answers = [
        adcat(stacked, "predict", table, *words).stdout
        for words in (["--model", model], ["--exported", tmp_path / "served"])
    ]
    assert len(answers[0].splitlines()) == 60
    for one, other in zip(*map(str.splitlines, answers), strict=True):
        one, other = json.loads(one), json.loads(other)
        assert one["categories"][0]["category"] == other["categories"][0]["category"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "stack", "--models", "text,nothing"], "there is no model 'nothing'"),
        (["--policy", "linear"], "train-text --model tfidf --name words"),
    ],
)
def test_what_is_missing_is_told(finished, words, told):
    result = CliRunner().invoke(app, ["-w", str(finished.root), "fuse", *words])
    assert result.exit_code == 1
    assert told in result.stderr


@pytest.mark.parametrize("policy", ["linear", "cdpf"])
def test_a_regression_on_vectors_needs_photos(tmp_path, policy):
    ads = [{**ad, "image": ""} for ad in draw_ads(tmp_path, 40)]
    write_table(tmp_path / "ads.csv", ads)
    workspace = Workspace(tmp_path / "w")
    adcat(workspace, "split", tmp_path / "ads.csv", "--keep-incomplete")
    adcat(workspace, "train-text", "--model", "tfidf", "--tfidf-min-df", 1)
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "fuse", "--policy", policy])
    assert result.exit_code == 1
    assert f"{policy} reads text and photo, and no ad of the split has both" in result.stderr


def test_linear_needs_five_different_ads(data):
    terms, vectors, labels = data
    kinds = np.array(["both"] * 4 + ["text"] * 56)
    arrays = {"text_terms@words": terms, "image_vectors": vectors}
    part = PartArrays(arrays, labels, kinds, np.arange(60))
    material = Material(part, part, 3, is_out_of_fold=True)
    with pytest.raises(BadInputError, match="has 4 different training ads with text and photo"):
        fit(POLICIES["linear"], material, everything(material), PolicySettings(), Silent())
