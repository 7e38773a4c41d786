"""Classifiers with names of their own, beside the ones that a workspace has anyway."""

import json

import numpy as np
import pytest
from pipeline import adcat
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.workspace.ads import read_ads
from adcat.workspace.manifest import OUT_OF_FOLD_TRAIN_PROBS


@pytest.fixture
def words(copy):
    """A workspace with a TF-IDF text classifier called `words` beside fastText's."""
    adcat(copy, "train-text", "--model", "tfidf", "--name", "words", "--tfidf-min-df", 1)
    adcat(copy, "extract-features")
    return copy


def test_a_named_classifier_stands_beside_the_first_one(words):
    models = json.loads(adcat(words, "evaluate", "--json").stdout)["models"]
    assert [model["model"] for model in models] == ["text", "image", "words", "product-max"]
    both = [
        np.load(artifact / "test/text_probs.npy")
        for artifact in (words.features, words.classifier("text", "words").features)
    ]
    assert both[0].shape == both[1].shape
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_what_was_made_without_it_stays_current(words):
    states = json.loads(adcat(words, "status", "--json").stdout)
    assert {a["artifact"]: a["state"] for a in states["artifacts"]}["fuse/product-max"] == "current"
    assert states["next"] is None or "evaluate" in states["next"]


def test_each_is_extracted_once(words):
    before = words.classifier("text", "words").features.check().digest
    said = adcat(words, "extract-features").stdout
    assert "words: kept from an earlier run with the same classifier" in said
    assert words.classifier("text", "words").features.check().digest == before


def test_a_classifier_trained_again_makes_its_features_stale_and_no_others(words):
    adcat(words, "train-text", "--model", "tfidf", "--name", "words", "--tfidf-c", 1,
          "--tfidf-min-df", 1)  # fmt: skip
    states = json.loads(adcat(words, "status", "--json").stdout)
    found = {a["artifact"]: a["state"] for a in states["artifacts"]}
    assert found["extract-features@words"] == "stale"
    assert found["extract-features"] == found["fuse/product-max"] == "current"
    assert states["next"].endswith("extract-features")


def predicted(workspace, *words, description):
    """What is suggested for the titles of the test ads beside this description."""
    ads = read_ads(workspace.split, "test", ["id", "title"])
    lines = [json.dumps({**ad, "description": description}) for ad in ads]
    said = adcat(workspace, "predict", *words, "--top", 1, input="\n".join(lines)).stdout
    return [json.loads(line)["categories"] for line in said.splitlines()]


def test_a_classifier_of_titles_reads_nothing_else_wherever_it_goes(copy, tmp_path):
    """The first one, which reads both and another cleaning, stands beside it."""
    words = ("--epochs", 30, "--dim", 8, "--text-cleaning", "thesis", "--folds", 2)
    adcat(copy, "train-text", "--fields", "title", "--name", "title", *words)
    title = copy.classifier("text", "title")
    assert title.model.manifest().settings["fields"] == "title"
    adcat(copy, "extract-features")
    adcat(copy, "fuse", "--policy", "stack", "--models", "title,image")
    adcat(copy, "export", tmp_path / "served", "--model", "stack")
    stored = np.load(title.features / "test/text_probs.npy").max(axis=1)
    found = predicted(copy, "--model", "title", description="")
    assert [one["probability"] for (one,) in found] == pytest.approx(stored.tolist(), abs=1e-6)
    for model in (["--model", "title"], ["--exported", tmp_path / "served"]):
        one, other = (predicted(copy, *model, description=words) for words in ("", "volvo ratt"))
        assert one == other
    assert predicted(copy, "--model", "text", description="volvo ratt") != predicted(
        copy, "--model", "text", description=""
    )


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["fuse", "--policy", "max", "--name", "words"], "'words' is the name of"),
        (["train-image", "--name", "words"], "'words' is the name of"),
        (["train-text", "--name", "product-max"], "'product-max' is the name of"),
        (["train-text", "--name", "attend-c"], "'attend-c' is not a valid model name"),
        (["train-text", "--name", "image"], "'image' is not a valid model name"),
        (["train-text", "--name", "../up"], "'../up' is not a valid model name"),
    ],
)
def test_no_two_models_share_a_name(words, command, told):
    result = CliRunner().invoke(app, ["-w", str(words.root), *command])
    assert result.exit_code == 1
    assert told in result.stderr


def give_train_probs(workspace, probs):
    """Replaces the text classifier by the same one with these out-of-fold probabilities."""
    model = workspace.classifier("text").model
    with model.write({"made": "by hand"}, [workspace.split]) as staging:
        for path in model.path.iterdir():
            if path.suffix in (".bin", ".json", ".txt") and path.name != "manifest.json":
                (staging.folder / path.name).write_bytes(path.read_bytes())
        np.save(staging.folder / OUT_OF_FOLD_TRAIN_PROBS, probs)
        staging.notes.update({"train_probs": "out-of-fold", "training_steered_by": "nothing"})


def test_out_of_fold_probabilities_take_the_place_of_the_models_own(copy):
    """Of the training ads only, row by row."""
    own = {part: np.load(copy.features / f"{part}/text_probs.npy") for part in ("train", "test")}
    given = np.roll(own["train"], 1, axis=1)
    give_train_probs(copy, given)
    adcat(copy, "extract-features")
    np.testing.assert_array_equal(np.load(copy.features / "train/text_probs.npy"), given)
    np.testing.assert_array_equal(np.load(copy.features / "test/text_probs.npy"), own["test"])
    assert copy.features.manifest().notes["text_train_probs"] == "out-of-fold"


@pytest.mark.parametrize("lack", [np.s_[1:], np.s_[:, 1:]])
def test_out_of_fold_probabilities_of_the_wrong_shape_are_one_line(copy, lack):
    give_train_probs(copy, np.load(copy.features / "train/text_probs.npy")[lack])
    result = CliRunner().invoke(app, ["-w", str(copy.root), "extract-features"])
    assert result.exit_code == 1
    error = result.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert OUT_OF_FOLD_TRAIN_PROBS in error
