import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from handmade import certain, make_features, make_fused, make_split
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.evaluation.error_groups import (
    ERROR_GROUPS,
    GROUPS,
    Misclassified,
    agreement_table,
    assign,
    count,
    draw,
    first_predictions,
    illustrate,
    misclassified_table,
    most_misclassified,
    recovered,
    recovered_table,
)
from adcat.plotting.galleries import Example, gallery
from adcat.workspace.layout import Workspace

YES, NO = True, False
WHOLE = np.full(40, "both")
# Table 4.1 of the thesis.
THESIS = {
    "both_correct": 125_488,
    "text_correct_image_incorrect": 26_606,
    "image_correct_text_incorrect": 8_817,
    "both_incorrect": 18_290,
}

groups_and_labels = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int8, n, elements=st.integers(0, 3)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 4)),
    )
)


def test_an_ad_of_each_group():
    text, image = np.array([YES, YES, NO, NO]), np.array([YES, NO, YES, NO])
    groups = assign({"text": text, "image": image}, WHOLE[:4])
    assert [GROUPS[group] for group in groups] == list(GROUPS)
    assert count(groups) == dict.fromkeys(GROUPS, 1)


def test_an_ad_that_lacks_something_is_in_no_group():
    correct = {"text": np.array([NO, YES, NO]), "image": np.array([NO, NO, NO])}
    groups = assign(correct, np.array(["both", "text", "image"]))
    assert count(groups) == {**dict.fromkeys(GROUPS, 0), "both_incorrect": 1}
    assert recovered(groups, np.array([YES, YES, YES]))["both_incorrect"] == 1
    table = misclassified_table("test", groups, np.array([1, 1, 1]), ["a", "b"])
    assert table.texts() == [
        [which, "b", "1", "1", "100.00%"] for which in ("image", "text", "both")
    ]
    drawn = draw(groups, np.array([1, 1, 1]), 0, 3, 5, 5)
    assert [one.rows for of_group in drawn.values() for one in of_group] == [[0]]


@given(hnp.arrays(bool, st.tuples(st.just(3), st.integers(1, 40))))
def test_a_models_correct_ads_are_those_recovered_and_those_both_have_right(correct):
    text, image, model = correct
    groups = assign({"text": text, "image": image}, WHOLE[: len(text)])
    kept = np.count_nonzero(text & image & model)
    assert sum(recovered(groups, model).values()) + kept == np.count_nonzero(model)
    assert recovered(groups, text) == {
        "text_correct_image_incorrect": count(groups)["text_correct_image_incorrect"],
        "image_correct_text_incorrect": 0,
        "both_incorrect": 0,
    }


def test_table_4_1_is_the_thesis_own():
    table = agreement_table("test", THESIS)
    assert table.texts() == [
        ["image classifier correct", "134,305", "74.95%"],
        ["text classifier correct", "152,094", "84.87%"],
        ["image correct, text incorrect", "8,817", "4.92%"],
        ["text correct, image incorrect", "26,606", "14.85%"],
        ["both correct", "125,488", "70.03%"],
        ["both incorrect", "18,290", "10.21%"],
    ]


def test_table_5_2_has_the_thesis_shares_and_none_for_an_empty_group():
    product_max = dict(zip(ERROR_GROUPS, (24_051, 4_981, 1_455), strict=True))
    table = recovered_table("test", {"product-max": product_max}, THESIS)
    assert table.texts() == [
        ["product-max", "24,051", "90.40%", "4,981", "56.49%", "1,455", "7.96%"]
    ]
    none = dict.fromkeys(ERROR_GROUPS, 0)
    empty = recovered_table("test", {"max": none}, {**none, "both_correct": 4})
    assert empty.texts() == [["max", "0", "", "0", "", "0", ""]]


def test_the_most_misclassified_categories_by_hand():
    labels = np.array([0, 1, 1, 1, 2, 2, 3])
    wrong = np.array([NO, YES, YES, NO, YES, YES, YES])
    hardest = most_misclassified(labels, wrong, 5)
    assert hardest == [Misclassified(1, 2, 3), Misclassified(2, 2, 2), Misclassified(3, 1, 1)]
    assert most_misclassified(labels, wrong, 1) == hardest[:1]
    image_correct = np.array([YES, YES, YES, YES, YES, NO, NO])
    groups = assign({"text": ~wrong, "image": image_correct}, WHOLE[:7])
    table = misclassified_table("test", groups, labels, ["a", "b", "c", "d"])
    assert table.texts() == [
        ["image", "c", "1", "2", "50.00%"],
        ["image", "d", "1", "1", "100.00%"],
        ["text", "b", "2", "3", "66.67%"],
        ["text", "c", "2", "2", "100.00%"],
        ["text", "d", "1", "1", "100.00%"],
        ["both", "c", "1", "2", "50.00%"],
        ["both", "d", "1", "1", "100.00%"],
    ]


@given(groups_and_labels, st.integers(1, 80), st.integers(0, 9))
def test_what_is_drawn_for_a_gallery(case, sample, seed):
    groups, labels = case
    drawn = draw(groups, labels, seed, sample, categories=3, ads=2)
    assert list(drawn) == list(ERROR_GROUPS)
    assert drawn == draw(groups, labels, seed, sample, categories=3, ads=2)
    for group, categories in drawn.items():
        counts = [drawn.misclassified.count for drawn in categories]
        assert counts == sorted(counts, reverse=True)
        assert len(counts) <= 3
        for one in categories:
            assert len(set(one.rows)) == len(one.rows) == min(2, one.misclassified.count)
            for row in one.rows:
                assert GROUPS[groups[row]] == group
                assert labels[row] == one.misclassified.category


@given(groups_and_labels)
def test_a_sample_of_all_ads_finds_every_category_of_a_group(case):
    groups, labels = case
    drawn = draw(groups, labels, 0, len(labels), categories=5, ads=60)
    for group, categories in drawn.items():
        rows = [row for one in categories for row in one.rows]
        assert sorted(rows) == np.flatnonzero(groups == GROUPS.index(group)).tolist()


def test_every_ad_is_as_likely_to_be_drawn():
    groups, labels = np.full(10, 3, np.int8), np.zeros(10, int)
    times = np.zeros(10, int)
    for seed in range(1000):
        (one,) = draw(groups, labels, seed, 5, 1, 2)["both_incorrect"]
        times[one.rows] += 1
    assert times.min() > 150  # 200 expected; 50 is four standard deviations
    assert times.max() < 250


def test_ads_that_illustrate_a_group_come_first_where_the_classifiers_were_near():
    groups = np.array([3, 3, 1, 3, 3, 3], np.int8)
    near = np.array([NO, YES, YES, NO, YES, NO])
    drawn = illustrate(groups, "both_incorrect", near, 3, seed=0)
    assert set(drawn[:2]) == {1, 4}
    assert drawn[2] in (0, 3, 5)
    assert illustrate(groups, "text_correct_image_incorrect", near, 3, seed=0) == [2]
    assert illustrate(groups, "image_correct_text_incorrect", near, 3, seed=0) == []
    thirds = {illustrate(groups, "both_incorrect", near, 3, seed)[2] for seed in range(30)}
    assert thirds == {0, 3, 5}


def test_the_best_predictions_with_ties():
    assert first_predictions(np.array([0.1, 0.4, 0.1, 0.4], np.float32), "abcd") == [
        ("b", pytest.approx(0.4)),
        ("d", pytest.approx(0.4)),
        ("a", pytest.approx(0.1)),
    ]


HOSTILE = ["$x^2$, $\\frac{$", "沙发 🛋️ ‮", "soffa\n\tbord\x00", "W" * 300, "", "<b>&amp;</b>"]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_gallery_takes_any_title_and_a_photo_that_is_missing(title, tmp_path):
    image = Image.new("RGB", (7, 3), "red")
    predictions = {"text": [(title, 1.0), ("b", 0.0)]}
    rows = [
        ("first", [Example([image], title, title, predictions)] * 2),
        ("second", [Example([], title, "b", predictions)]),
    ]
    gallery(tmp_path / "gallery.png", "both incorrect", rows)
    with Image.open(tmp_path / "gallery.png") as drawn:
        colors = {color for _, color in drawn.convert("RGB").getcolors(1 << 20)}
        assert drawn.width > 900
    assert (255, 0, 0) in colors
    gallery(tmp_path / "again.png", "both incorrect", rows)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "gallery.png").read_bytes()


def test_words_do_not_run_into_the_next_ad(tmp_path):
    def width_of_ink(name):
        example = Example([Image.new("RGB", (2, 2), "white")], name, name, {"text": [(name, 1.0)]})
        gallery(tmp_path / "gallery.png", "", [("", [example])])
        with Image.open(tmp_path / "gallery.png") as drawn:
            ink = np.asarray(drawn.convert("L"))[100:] < 128
            return np.flatnonzero(ink.any(axis=0)).max() / drawn.width

    assert width_of_ink("short") < 0.25
    assert 0.25 < width_of_ink("W" * 300) < 0.5  # two cells wide, one ad


CATEGORIES = ["bikes", "cars", "sofas"]
TEST = [0, 0, 1, 1, 2, 2]
TEXT = [0, 0, 0, 0, 1, 2]  # both, text, image, neither, neither, both
IMAGE = [0, 1, 1, 2, 0, 2]
FUSED = [0, 0, 0, 1, 0, 2]  # recovers ad 1 of the text's, none of the image's, ad 3 of neither
BY_HAND = {
    "part": "test",
    "ads": 6,
    "groups": dict(zip(GROUPS, (2, 1, 1, 2), strict=True)),
    "models": [
        {"model": name, "recovered": dict(zip(ERROR_GROUPS, counts, strict=True))}
        for name, counts in {"text": (1, 0, 0), "image": (0, 1, 0), "max": (1, 0, 1)}.items()
    ],
}


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w")
    images = tmp_path / "images"
    images.mkdir()
    for i in range(3):  # the other photos are missing
        Image.new("RGB", (40, 30), (200, 30 * i, 0)).save(images / f"test-{i}.png")
    (images / "test-3.png").write_bytes(b"no photo")
    labels = {"train": [0, 1, 2], "validation": [0, 1, 2], "test": TEST}
    make_split(made, CATEGORIES, labels, images)
    predicted = {
        "train": {"text": [0, 1, 2], "image": [0, 0, 0]},
        "validation": {"text": [0, 1, 2], "image": [0, 1, 2]},
        "test": {"text": TEXT, "image": IMAGE},
    }
    probs = {
        part: {modality: certain(ads, 3) for modality, ads in both.items()}
        for part, both in predicted.items()
    }
    make_features(made, probs)
    make_fused(made, "max", {"validation": certain([0, 1, 1], 3), "test": certain(FUSED, 3)})
    return made


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), "error-groups", *words])


def test_the_document_by_hand(workspace):
    before = sorted(path for path in workspace.root.rglob("*") if ".cache" not in path.parts)
    result = run(workspace, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == BY_HAND
    after = sorted(path for path in workspace.root.rglob("*") if ".cache" not in path.parts)
    assert after == before


def test_the_artifact(workspace):
    result = run(workspace)
    assert result.exit_code == 0, result.output
    written = workspace.error_groups
    manifest = written.check()
    assert json.loads((written / "summary.json").read_text()) == BY_HAND
    assert set(manifest.files) == {
        "groups.parquet",
        "summary.json",
        *(f"galleries/{group}.png" for group in ERROR_GROUPS),
        *(f"figures/figure-4.{i}.{form}" for i in (3, 4, 5) for form in ("png", "svg")),
        *(f"tables/{name}.{form}" for name in TABLES for form in ("csv", "md")),
    }
    for name in TABLES:
        with (written / f"tables/{name}.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == TABLES[name]
    assert "33.33%" in result.stdout  # both are right about 2 ads of 6
    assert all(title in result.stdout for title in ("Table 4.1", "Table 4.2", "Recovered"))


TABLES = {"table-4.1": 6, "table-4.2": 3 + 2 + 2, "table-5.2": 1}


def test_the_group_of_every_ad_is_filed_with_what_the_baselines_say(workspace):
    run(workspace)
    ads = pq.read_table(workspace.error_groups / "groups.parquet").to_pylist()
    assert [ad["id"] for ad in ads] == [f"test-{i}" for i in range(6)]
    assert [ad["row"] for ad in ads] == [1, 2, 3, 4, 5, 6]
    assert ads[3] == {
        "row": 4,
        "id": "test-3",
        "category": "cars",
        "group": "both_incorrect",
        "text_prediction": "bikes",
        "text_confidence": pytest.approx(0.8),
        "image_prediction": "sofas",
        "image_confidence": pytest.approx(0.8),
    }


def test_the_ads_of_a_large_part_keep_their_groups(workspace):
    n = 9000  # more than one batch
    labels = np.random.default_rng(0).integers(0, 3, n)
    text, image = np.where(labels == 2, 0, labels), np.zeros(n, int)
    parts = ("validation", "test")
    make_split(workspace, CATEGORIES, dict.fromkeys(parts, labels.tolist()))
    both = {"text": certain(text, 3), "image": certain(image, 3)}
    make_features(workspace, dict.fromkeys(parts, both))
    assert run(workspace, "text", "--ads", "1").exit_code == 0
    ads = pq.read_table(workspace.error_groups / "groups.parquet")
    assert ads["id"].to_pylist() == [f"test-{i}" for i in range(n)]
    assert ads["text_prediction"].to_pylist() == [CATEGORIES[c] for c in text]
    group = {"bikes": GROUPS[0], "cars": GROUPS[1], "sofas": GROUPS[3]}
    assert ads["group"].to_pylist() == [group[name] for name in ads["category"].to_pylist()]


def test_an_empty_group_has_no_gallery_and_is_told(workspace):
    probs = {"text": certain(TEST, 3), "image": certain(IMAGE, 3)}
    every = dict.fromkeys(("train", "validation", "test"), probs)
    make_split(workspace, CATEGORIES, dict.fromkeys(every, TEST))
    make_features(workspace, every)
    result = run(workspace, "text", "image")
    assert result.exit_code == 0, result.output
    galleries = [path.name for path in (workspace.error_groups / "galleries").iterdir()]
    assert galleries == ["text_correct_image_incorrect.png"]
    assert "no gallery of 'both incorrect': no such ad among 6 drawn" in result.stdout
    assert "100.00%" in result.stdout


def test_other_parts(workspace):
    validation = json.loads(run(workspace, "--part", "validation", "--json").stdout)
    assert validation["groups"]["both_correct"] == 3
    assert [model["model"] for model in validation["models"]] == ["text", "image", "max"]
    train = json.loads(run(workspace, "--part", "train", "--json").stdout)
    assert train["groups"]["text_correct_image_incorrect"] == 2
    assert [model["model"] for model in train["models"]] == ["text", "image"]
    refused = run(workspace, "max", "--part", "train")
    assert refused.exit_code == 1
    assert "max has no probabilities for the training part" in refused.stderr


def test_both_baselines_are_needed(workspace):
    make_features(workspace, {"test": {"text": certain(TEXT, 3)}})
    result = run(workspace, "text")
    assert result.exit_code == 1
    assert "no probabilities of the image classifier; make them: adcat" in result.stderr
    assert result.stderr.rstrip().endswith("extract-features")


def test_the_same_ads_give_the_same_artifact_and_another_seed_other_galleries(workspace):
    run(workspace)
    first = workspace.error_groups.check()
    run(workspace, "--preset", "thesis")
    assert workspace.error_groups.check().digest == first.digest
    run(workspace, "--sample", "1", "--ads", "1")
    assert len(list((workspace.error_groups / "galleries").iterdir())) <= 1
