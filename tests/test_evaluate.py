import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from handmade import certain, make_features, make_fused, make_split
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.workspace.layout import Workspace

CATEGORIES = ["bikes", "cars", "sofas", "tents"]
TEST = [0, 0, 1, 2, 2]  # no tent
VALIDATION = [0, 1, 2, 3]
TRAIN = [0, 1, 2]
TEXT = [0, 1, 1, 2, 0]  # 3 of 5
IMAGE = [0, 0, 1, 1, 2]  # 4 of 5
BETTER = [0, 0, 1, 2, 2]
BY_HAND = {  # top1, mean recall, mean precision; over bikes, cars and sofas
    "text": (3 / 5, (1 / 2 + 1 + 1 / 2) / 3, (1 / 2 + 1 / 2 + 1) / 3),
    "image": (4 / 5, (1 + 1 + 1 / 2) / 3, (1 + 1 / 2 + 1) / 3),
    "better": (1, 1, 1),
}


@pytest.fixture
def workspace(tmp_path):
    """Text is the better baseline on validation, image on test."""
    made = Workspace(tmp_path / "w")
    make_split(made, CATEGORIES, {"train": TRAIN, "validation": VALIDATION, "test": TEST})
    predicted = {
        "train": {"text": [0, 1, 2], "image": [1, 1, 1]},
        "validation": {"text": [0, 1, 2, 3], "image": [0, 0, 0, 0]},
        "test": {"text": TEXT, "image": IMAGE},
    }
    make_features(
        made,
        {
            part: {modality: certain(ads, 4) for modality, ads in both.items()}
            for part, both in predicted.items()
        },
    )
    make_fused(made, "better", {"validation": certain(VALIDATION, 4), "test": certain(BETTER, 4)})
    return made


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate", *words])


def read_document(workspace, *words):
    result = run(workspace, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def read_table(workspace, name):
    with (workspace.evaluation / f"tables/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(workspace):
    return sorted(p for p in workspace.root.rglob("*") if p.is_file() and ".cache" not in p.parts)


def make_stale(workspace):
    """A fused model that was made from features that no longer stand there."""
    make_fused(workspace, "old", {"validation": certain(VALIDATION, 4), "test": certain(TEST, 4)})
    manifest = json.loads((workspace.fused("old") / "manifest.json").read_text())
    manifest["inputs"]["extract-features"] = "another digest"
    (workspace.fused("old") / "manifest.json").write_text(json.dumps(manifest))


def test_the_document_by_hand(workspace):
    before = files(workspace)
    document = read_document(workspace)
    assert files(workspace) == before
    assert (document["part"], document["ads"]) == ("test", 5)
    assert document == {
        "part": "test",
        "ads": 5,
        "choice": {
            "model": "text",
            "parts": ["validation"],
            "ads": 4,
            "top1": 1.0,
            "not_told_apart": ["better", "image"],  # 3 of 4 ads say little
        },
        "no_better_than": {"better": "text"},
        "models": document["models"],
    }
    assert [model["model"] for model in document["models"]] == ["text", "image", "better"]
    for model in document["models"]:
        top1, recall, precision = BY_HAND[model["model"]]
        assert model == {
            "model": model["model"],
            "top1": pytest.approx(top1),
            "top5": 1.0,
            "mean_recall": pytest.approx(recall),
            "mean_precision": pytest.approx(precision),
            "categories_scored": 3,
        }


def test_the_artifact_holds_the_document_and_the_tables(workspace):
    result = run(workspace)
    assert result.exit_code == 0, result.output
    metrics = json.loads((workspace.evaluation / "metrics.json").read_text())
    assert metrics == read_document(workspace)
    manifest = workspace.evaluation.check()
    assert set(manifest.inputs) == {"split", "extract-features", "fuse/better"}
    assert manifest.settings["models"] == ["text", "image", "better"]
    rows = read_table(workspace, "models")
    for row in rows:
        top1, recall, precision = BY_HAND[row["model"]]
        assert float(row["top-1"]) == pytest.approx(top1)
        assert float(row["mean recall"]) == pytest.approx(recall)
        assert float(row["mean precision"]) == pytest.approx(precision)
        assert float(row["top-1 low"]) <= top1 <= float(row["top-1 high"])
    assert (workspace.evaluation / "tables/models.md").read_text().count("\n| better |") == 1


def test_the_baseline_compared_with_is_the_better_one_on_validation(workspace):
    result = run(workspace)
    assert "text is the better baseline on the validation ads" in result.stdout
    better, image, text = read_table(workspace, "models")
    assert text["over text"] == text["p"] == ""
    assert float(image["over text"]) == pytest.approx(1 / 5)  # 2 ads gained, 1 lost
    assert float(image["p"]) == 1
    assert float(better["over text"]) == pytest.approx(2 / 5)
    assert float(better["p"]) == pytest.approx(0.5)
    assert float(better["over text low"]) < 2 / 5 < float(better["over text high"])


def test_every_category_of_every_model_is_in_a_table(workspace):
    run(workspace)
    rows = read_table(workspace, "categories")
    assert len(rows) == 3 * len(CATEGORIES)
    image = {row["category"]: row for row in rows if row["model"] == "image"}
    sofas, tents = image["sofas"], image["tents"]
    assert [sofas[column] for column in ("ads", "predicted", "correct")] == ["2", "1", "1"]
    assert (float(sofas["recall"]), float(sofas["precision"])) == (0.5, 1)
    assert (tents["ads"], tents["recall"], float(tents["precision"])) == ("0", "", 0)


def test_the_terminal_shows_every_model_and_tells_what_is_left_out(workspace):
    result = run(workspace)
    assert all(name in result.stdout for name in BY_HAND)
    assert "80.00%" in result.stdout
    assert "means over 3 categories; 1 without an ad in the test part is left out" in result.stdout
    assert len(result.stdout.splitlines()) < 20


def test_the_terminal_begins_with_the_chosen_model_and_its_gain_and_ranks_the_models(workspace):
    lines = run(workspace, "image", "better").stdout.splitlines()
    assert lines[0] == (
        "chosen on the validation ads: better, top-1 100.00%, +40.00% over text (-23.3% to +80.4%)"
    )
    assert [line.split()[0] for line in lines[6:8]] == ["better", "image"]
    assert lines[1] == "not told apart from it there: image"
    alone = run(workspace, "image", "text").stdout
    assert alone.startswith("chosen on the validation ads: text, top-1 60.00%, a classifier alone")


def test_training_ads_count_where_their_probabilities_are_out_of_fold(workspace):
    """On the validation ads alone `text` would be chosen, as the simplest."""
    known = {"train": certain(TRAIN, 4), "validation": certain(VALIDATION, 4)}
    probs = {**known, "test": certain(BETTER, 4)}
    make_fused(workspace, "better", probs, notes={"train_probs": "out-of-fold"})
    choice = read_document(workspace)["choice"]
    assert choice == {
        "model": "better",
        "parts": ["train", "validation"],
        "ads": 7,
        "top1": 1.0,
        "not_told_apart": ["image", "text"],
    }
    first = "chosen on the training ads (out-of-fold) and the validation ads: better, top-1 100.00%"
    assert run(workspace).stdout.startswith(first)
    document = read_document(workspace, "--part", "train")
    assert [model["model"] for model in document["models"]] == ["text", "image", "better"]
    said = run(workspace, "--part", "train").stdout
    assert "out-of-fold, by models that had not seen the ad: better; others learned from" in said


def test_what_combines_in_vain_is_named_with_what_helps(workspace):
    lines = run(workspace).stdout.splitlines()
    assert "no better than a classifier that they combine: better (text)" in lines
    assert any(line.startswith("what helps: more ads; classifiers trained") for line in lines)


def test_models_are_taken_in_the_order_they_are_named_and_once(workspace):
    document = read_document(workspace, "better", "text", "better")
    assert [model["model"] for model in document["models"]] == ["better", "text"]


def test_an_unknown_model_is_named_beside_those_that_exist(workspace):
    result = run(workspace, "max")
    assert result.exit_code == 1
    assert "no model 'max'" in result.stderr
    assert "text, image, better" in result.stderr


def test_the_validation_part(workspace):
    document = read_document(workspace, "--part", "validation")
    assert {m["model"]: m["top1"] for m in document["models"]} == {
        "text": 1,
        "image": 0.25,
        "better": 1,
    }
    assert document["models"][0]["categories_scored"] == 4


def test_of_equally_right_models_the_surer_one_is_chosen(workspace):
    sure = {"validation": certain(VALIDATION, 4), "test": certain([3] * 5, 4)}  # all wrong there
    make_fused(workspace, "a", {part: (probs + 1) / 5 for part, probs in sure.items()})
    make_fused(workspace, "b", sure)
    assert "chosen on the validation ads: a," in run(workspace, "image", "a").stdout
    assert "chosen on the validation ads: b," in run(workspace, "image", "a", "b").stdout


def test_of_equally_right_models_the_one_that_validation_steered_comes_last(workspace):
    sure = {"validation": certain(VALIDATION, 4), "test": certain([3] * 5, 4)}
    unsure = {part: (probs + 1) / 5 for part, probs in sure.items()}
    steered = {"training_steered_by": "validation", "validation_probs": "of the one model"}
    make_fused(workspace, "steered", sure, notes=steered)
    make_fused(workspace, "plain", unsure)
    assert "validation ads: plain," in run(workspace, "steered", "plain").stdout
    make_fused(workspace, "honest", sure, notes={**steered, "validation_probs": "out-of-fold"})
    assert "validation ads: honest," in run(workspace, "steered", "plain", "honest").stdout


def test_the_train_part_is_for_the_baselines(workspace):
    document = read_document(workspace, "--part", "train")
    assert [(m["model"], m["top1"]) for m in document["models"]] == [
        ("text", 1),
        ("image", pytest.approx(1 / 3)),
    ]
    refused = run(workspace, "better", "--part", "train")
    assert refused.exit_code == 1
    assert "better has no probabilities for the training part" in refused.stderr
    assert "--part validation" in refused.stderr


def test_a_stale_model_is_left_out_with_a_warning_unless_it_is_named(workspace):
    make_stale(workspace)
    result = run(workspace, "--json")
    assert '"old"' not in result.stdout
    assert "left out old: " in result.stderr
    assert "fuse/old was made from an older extract-features; make it again: " in result.stderr
    assert len(json.loads(result.stdout)["models"]) == 3
    assert run(workspace).exit_code == 0
    named = run(workspace, "old")
    assert named.exit_code == 1
    assert "make it again: " in named.stderr


def test_nothing_but_stale_models_is_refused(workspace):
    run(workspace)
    before = (workspace.evaluation / "metrics.json").read_bytes()
    make_split(workspace, CATEGORIES, {"train": [0], "validation": [0], "test": [1]})
    result = run(workspace)
    assert result.exit_code == 1
    assert "extract-features was made from an older split; make it again: " in result.stderr
    assert (workspace.evaluation / "metrics.json").read_bytes() == before


def test_a_model_without_both_baselines(tmp_path):
    made = Workspace(tmp_path)
    make_split(made, CATEGORIES, {"train": TRAIN, "validation": [], "test": TEST})
    make_features(
        made,
        {
            "validation": {"text": np.zeros((0, 4))},
            "test": {"text": certain(TEXT, 4)},
        },
    )
    assert [model["model"] for model in read_document(made)["models"]] == ["text"]
    assert "text is the only baseline" in run(made).stdout
    result = run(made, "--part", "validation")
    assert result.exit_code == 1
    assert "the validation part has no ads" in result.stderr


def test_without_validation_ads_the_baseline_compared_with_is_simply_named(tmp_path):
    made = Workspace(tmp_path)
    make_split(made, CATEGORIES, {"train": TRAIN, "validation": [], "test": TEST})
    both = {"text": certain(TEXT, 4), "image": certain(IMAGE, 4)}
    none = dict.fromkeys(both, np.zeros((0, 4)))
    make_features(made, {"validation": none, "test": both})
    result = run(made)
    assert result.exit_code == 0, result.output
    assert "text is the baseline named first, since no validation ads" in result.stdout


def test_probabilities_that_are_none_end_the_command_and_leave_no_artifact(workspace):
    broken = certain(BETTER, 4)
    broken[3] = np.nan
    make_fused(workspace, "better", {"validation": certain(VALIDATION, 4), "test": broken})
    result = run(workspace)
    assert result.exit_code == 1
    assert "fuse/better/test/probs.npy: row 3 " in result.stderr
    assert not workspace.evaluation.path.exists()


def test_the_same_models_give_the_same_artifact(workspace):
    run(workspace)
    first = workspace.evaluation.check().digest
    run(workspace, "--preset", "thesis")
    assert workspace.evaluation.check().digest == first


@pytest.mark.parametrize(
    "command", ["evaluate", pytest.param("error-groups", marks=pytest.mark.soak)]
)
def test_tensorflow_is_not_needed(workspace, command):
    code = (
        "import sys; from adcat.cli.app import app; "
        f"app(['-w', {str(workspace.root)!r}, {command!r}], standalone_mode=False); "
        "print('tensorflow' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False"


# Ads that lack their text or their photo


@pytest.fixture
def incomplete(tmp_path):
    """Of the test ads the second has no photo and the last no text."""
    made = Workspace(tmp_path / "w")
    labels = {"train": [0, 0, 1], "validation": [0, 1], "test": [0, 2, 1, 0]}
    availabilities = {"train": ["both", "text", "image"], "validation": ["both", "both"],
             "test": ["both", "text", "both", "image"]}  # fmt: skip
    make_split(made, CATEGORIES, labels, availabilities=availabilities)
    probs = {part: {"text": certain(of_part, 4), "image": certain(of_part, 4)}
             for part, of_part in labels.items()}  # fmt: skip
    for part, of_part in availabilities.items():
        for modality, other in (("text", "image"), ("image", "text")):
            probs[part][modality][[kind == other for kind in of_part]] = np.nan
    make_features(made, probs)
    better = {"validation": certain([0, 1], 4), "test": certain([0, 2, 1, 1], 4)}
    make_fused(made, "better", better)
    return made


def test_each_kind_of_ad_is_reported_apart_by_hand(incomplete):
    """For what a classifier cannot read it predicts the prior, whose first category is 0."""
    document = read_document(incomplete)
    assert document["ads"] == 4
    top1 = {
        model["model"]: (
            model["top1"],
            {kind: (of_kind["ads"], of_kind["top1"]) for kind, of_kind in model["kinds"].items()},
        )
        for model in document["models"]
    }
    assert top1 == {
        "text": (1, {"both": (2, 1), "text": (1, 1), "image": (1, 1)}),
        "image": (3 / 4, {"both": (2, 1), "text": (1, 0), "image": (1, 1)}),
        "better": (3 / 4, {"both": (2, 1), "text": (1, 1), "image": (1, 0)}),
    }
    assert document["models"][1]["kinds"]["both"]["categories_scored"] == 2


def test_kinds_of_ads_are_on_the_terminal_and_on_the_page(incomplete):
    result = run(incomplete)
    assert result.exit_code == 0, result.output
    assert "text and photo (2 ads)  text only (1 ad)  photo only (1 ad)" in result.stdout
    rows = read_table(incomplete, "kinds")
    assert [(row["ads with"], row["model"], float(row["top-1"])) for row in rows[3:6]] == [
        ("text only", "text", 1),
        ("text only", "better", 1),
        ("text only", "image", 0),
    ]
    page = (incomplete.evaluation / "report.html").read_text()
    assert "image is right for 100.0% of the 2 ads with text and photo, for 0.0% of" in page
    assert "of the ads that have both only one" in page


def test_a_row_that_is_no_number_without_a_reason_is_refused(incomplete):
    path = incomplete.features / "test/text_probs.npy"
    probs = np.load(path)
    probs[0] = np.nan  # an ad that has a text
    make_features(incomplete, {"test": {"text": probs, "image": probs}, "validation": {}})
    result = run(incomplete, "text", "--part", "test")
    assert result.exit_code == 1
    assert "row 0 is not a probability distribution" in result.stderr
