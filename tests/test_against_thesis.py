"""What `evaluate --compare thesis` says of how models were trained, there and here."""

import json
import shutil

import pytest
from handmade import (
    NETWORKS,
    certain,
    make_attention,
    make_classifier,
    make_features,
    make_fused,
    make_split,
)
from reading import read_table, run

from adcat.choosing import training_of
from adcat.commands import attend, train_image, train_text
from adcat.files import write_json
from adcat.fusion.policies import POLICIES
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import MANIFEST
from adcat.workspace.models import find_models

CATEGORIES = ["bikes", "cars", "sofas"]
ADS = [0, 1, 2, 0]
PROBS = {part: certain(ADS, 3) for part in ("validation", "test")}
ATTENDING = {"insert_at": "c", "over": "wh"}


@pytest.fixture
def workspace(tmp_path):
    """Both classifiers as the thesis has them, and four networks, of which `nn` is as published."""
    made = Workspace(tmp_path)
    make_split(made, CATEGORIES, {"train": [0] * 5 + [1, 2], "validation": ADS, "test": ADS})
    scores = [
        {"part": "train", "ads": 7, "top1": 0.75},
        {"part": "validation", "ads": 4, "top1": 1},
    ]
    text = train_text.Settings(model="fasttext", **train_text.Settings.published["fasttext"])
    make_classifier(made, "text", vars(text), scores)
    image = train_image.Settings(**{**train_image.Settings.published, "optimizer": "adam"})
    make_classifier(made, "image", vars(image), [{"train_top1": None}, {"train_top1": 0.625}])
    make_features(made, {part: dict.fromkeys(("text", "image"), p) for part, p in PROBS.items()})
    make_network(made, "nn")
    make_network(made, "pool", learning_rate=0.5, hidden_units=7)
    make_fused(made, "max", PROBS)
    return made


def make_network(workspace, name, **other):
    """A network with the published settings, but for some."""
    settings = {**POLICIES[name].published, **other}
    reads = "vectors" if POLICIES[name].is_early else "probs"
    make_fused(workspace, name, PROBS, name, reads, learned={"train_top1": 0.875}, **settings)


def edit(artifact, **fields):
    """Changes what its manifest says."""
    content = json.loads((artifact / MANIFEST).read_text())
    for field, values in fields.items():
        content[field] |= values
    write_json(artifact / MANIFEST, content)


def trained(workspace, name):
    (model,) = find_models(workspace, [name])
    return training_of(model)


def models(workspace):
    return {row["model"]: row for row in read_table(workspace, "against-thesis")}


def test_settings_that_are_not_the_published_ones_stand_beside_each_number(workspace):
    run(workspace, "--compare", "thesis")
    differing = {name: row["settings that differ"] for name, row in models(workspace).items()}
    assert differing == {
        "text": "none",
        "image": "optimizer",
        "nn": "none",
        "pool": "learning rate, hidden units",
        "max": "none",
    }
    effects = {row["effect"]: row for row in read_table(workspace, "effects")}
    assert effects["pool over text, top-1"]["settings that differ"] == "pool: 2, text: 0"


def test_how_well_networks_know_their_training_ads_and_how_long_they_took(workspace):
    page = run(workspace, "--compare", "thesis")
    found = models(workspace)
    known = {name: row["training top-1"] for name, row in found.items()}
    assert known == {"text": "0.75", "image": "0.625", "nn": "0.875", "pool": "0.875", "max": ""}
    assert found["pool"]["thesis: training top-1"] == "about 92%"
    assert found["pool"]["thesis: training time"] == "about 2 h"
    assert "training time (min)" in page
    assert not any("(min)" in heading for heading in found["pool"])  # a file is the same every time


def test_the_ads_that_were_learned_from_and_what_the_thesis_contradicts(workspace):
    page = run(workspace, "--compare", "thesis")
    assert (
        "The thesis evaluated on 179,201 Swedish ads in 193 categories, after training on 646,187; "
        "here models learned from 7 ads" in page
    )
    assert "image-boost NN has 86.47% in Table 5.3 and 86.04% in Tables 5.1 and 5.10" in page
    assert "Image only has 73.13% in Table 5.6 and 73.17% in Table 5.4" in page


def test_without_being_asked_the_page_has_no_time(workspace):
    assert "training time" not in run(workspace)


@pytest.mark.parametrize("policy", NETWORKS)
def test_the_preset_differs_in_nothing(workspace, policy):
    make_network(workspace, policy)
    assert trained(workspace, policy).differing == []
    make_network(workspace, policy, fit_on="neither")
    assert trained(workspace, policy).differing == ["fit on"]


def test_the_preset_of_attention_differs_in_nothing(workspace):
    for rate, differing in ((0.001, []), (0.01, ["learning rate"])):
        settings = attend.Settings(**{**attend.Settings.published, "learning_rate": rate})
        make_attention(workspace, "c-wh", PROBS, [[0.2] * 9] * 4)
        edit(workspace.attention("c-wh"), settings=vars(settings))
        found = trained(workspace, "attend-c-wh")
        assert (found.differing, found.top1) == (differing, 0.75)


def test_what_follows_from_the_ads_and_what_a_search_found_are_settings(workspace):
    made = workspace.fused("nn") / "params.json"
    content = json.loads(made.read_text())
    content["parameters"]["settings"] = {"learning_rate": 0.5}
    made.write_text(json.dumps(content))
    assert trained(workspace, "nn").differing == ["learning rate"]
    edit(workspace.text_model, notes={"tuned": {"dim": 7}})
    assert trained(workspace, "text").differing == ["dim"]


def test_folds_differ_where_they_were_made(workspace):
    edit(workspace.text_model, notes={"train_probs": "out-of-fold"}, settings={"folds": None})
    assert trained(workspace, "text").differing == ["folds"]
    edit(workspace.text_model, settings={"folds": 0})  # then nothing here made them
    assert trained(workspace, "text").differing == []


@pytest.mark.parametrize(
    ("modality", "settings", "differing"),
    [
        ("text", {"model": "tfidf", "epochs": 9, "text_cleaning": "words"},
         ["model", "text cleaning"]),
        ("text", {"vectors": "clip.npy", "seed": 0}, ["vectors"]),
        ("image", {"vectors": "clip.npy", "seed": 0}, ["vectors"]),
        ("image", {"backbone": "efficientnet-lite0"}, ["backbone"]),
    ],
)  # fmt: skip
def test_another_classifier_is_named_by_what_makes_it_one(workspace, modality, settings, differing):
    shutil.rmtree(workspace.classifier(modality).model.path)
    make_classifier(workspace, modality, settings)
    found = trained(workspace, modality)
    assert (found.differing, found.top1) == (differing, None)
