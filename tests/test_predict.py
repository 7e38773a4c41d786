"""Predictions for new ads on the command line: the same numbers as stored, whatever is missing."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import Made
from PIL import Image
from pipeline import WORDS, adcat, write_table
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data.images import MOST_PIXELS
from adcat.prediction.loading import load_predictor
from adcat.prediction.new_ads import Ad
from adcat.prediction.rules import Promise
from adcat.probabilities import prior
from adcat.workspace.ads import iterate_ads, read_categories, read_labels
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models, find_models

POLICIES = ("product-max", "log-linear", "top3", "concat", "text-only", "image-only")
ATTENTION = "attend-c-wh"
MODELS = ("text", "image", *POLICIES, ATTENTION)
ALL = 1000  # more categories than there are


@pytest.fixture(scope="module")
def made(with_models):
    return with_models


@pytest.fixture(scope="module")
def folder(made):
    return made.root.parent


def predict(workspace, *words, input=None):
    """The predictions on stdout, line by line."""
    result = adcat(workspace, "predict", *words, input=input)
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(workspace, *words):
    words = ["-w", str(workspace.root), "predict", *map(str, words)]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def probs_of(predictions, workspace):
    """[n, categories]."""
    names = read_categories(workspace.split)
    found = [
        {c["category"]: c["probability"] for c in prediction["categories"]}
        for prediction in predictions
    ]
    return np.array([[row[name] for name in names] for row in found])


def test_ads(workspace):
    return [
        ad
        for chunk in iterate_ads(workspace.split, "test", ["id", "title", "description", "image"])
        for ad in chunk.to_pylist()
    ]


test_ads.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_gives_the_stored_probabilities_again(made, folder, model):
    predictions = predict(
        made, folder / "ads.csv", "--model", model, "--top", ALL, "--batch-size", 7
    )
    assert [prediction["id"] for prediction in predictions] == [f"ad{i}" for i in range(60)]
    by_id = {prediction["id"]: prediction for prediction in predictions}
    ours = probs_of([by_id[ad["id"]] for ad in test_ads(made)], made)
    (stored,) = (found.probs("test") for found in all_models(made) if found.name == model)
    np.testing.assert_allclose(ours, stored, atol=1e-5)
    expected = {"text": "text", "image": "image", "text-only": "text", "image-only": "image"}
    assert {prediction["modality"] for prediction in predictions} == {expected.get(model, "both")}
    assert not any(prediction["problems"] for prediction in predictions)


@pytest.mark.parametrize("model", ["text", "product-max"])
def test_photos_in_the_table_are_read_like_files(made, folder, tmp_path, model):
    with (folder / "ads.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    inside = [{**row, "image": {"bytes": (folder / row["image"]).read_bytes()}} for row in rows]
    inside[0] |= {"title": "", "description": ""}
    inside[1]["image"] = {"bytes": b"no photo"}
    pq.write_table(pa.Table.from_pylist(inside), tmp_path / "ads.parquet")
    words = ("--model", model, "--top", ALL)
    expected = predict(made, folder / "ads.csv", *words)
    found = predict(made, tmp_path / "ads.parquet", *words)
    np.testing.assert_allclose(probs_of(found[2:], made), probs_of(expected[2:], made), atol=1e-5)
    assert found[0]["modality"] == "image"
    assert found[1]["problems"] == ["image unreadable"] * (model != "text")


@pytest.mark.parametrize("model", ["product-max", "concat", "text", "image"])
def test_what_is_missing_is_answered_from_what_is_there(made, folder, model):
    ad = test_ads(made)[0]
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    lines = [
        {**ad},
        {**ad, "image": ""},
        {**ad, "image": "broken.jpg"},
        {**ad, "title": " ", "description": "?!"},
        {"id": "nothing"},
    ]
    predictions = predict(
        made, "--model", model, "--images", folder, "--top", ALL,
        input="\n".join(map(json.dumps, lines)),
    )  # fmt: skip
    found = probs_of(predictions, made)
    alone = {m: np.load(made.features / f"test/{m}_probs.npy")[0] for m in ("text", "image")}
    whole = {"text": "text", "image": "image"}.get(model, "both")
    availabilities = [whole, "text", "text", "image", "none"]
    assert [prediction["modality"] for prediction in predictions] == availabilities
    for i in (1, 2, 3):
        np.testing.assert_allclose(found[i], alone[availabilities[i]], atol=1e-5)
    shares = prior(read_labels(made.split, "train"), len(WORDS))
    np.testing.assert_allclose(found[4], shares, atol=1e-5)
    if model == "product-max":
        problems = [prediction["problems"] for prediction in predictions]
        assert problems == [
            [], ["no image given"], ["image unreadable"], ["empty text"],
            ["empty text", "no image given"],
        ]  # fmt: skip


def test_a_neighbour_changes_nothing(made, folder):
    """Each ad by itself gets the prediction that it gets among broken ones."""
    ads = [{**ad, "image": ad["image"] if i % 2 else "gone"} for i, ad in enumerate(test_ads(made))]
    words = ("--model", "concat", "--images", folder, "--top", ALL)
    together = predict(made, *words, input="\n".join(map(json.dumps, ads)))
    for ad, prediction in list(zip(ads, together, strict=True))[:4]:
        (alone,) = predict(made, *words, input=json.dumps(ad))
        assert alone["modality"] == prediction["modality"]
        np.testing.assert_allclose(probs_of([alone], made), probs_of([prediction], made), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "ad", "batches"),
    [
        ("text", Ad(1, "", "volvo", "", "photos/0.jpg"), [4096, 904]),
        ("text", Ad(1, "", "", "", "photos/0.jpg"), [2, 2, 1]),
        ("product-max", Ad(1, "", "volvo", "", "photos/0.jpg"), [2, 2, 1]),
        ("product-max", Ad(1, "", "volvo", "", ""), [4096, 904]),
    ],
)
def test_a_batch_is_bounded_by_the_photos_that_are_read(made, folder, model, ad, batches):
    (found,) = find_models(made, [model])
    predictor = load_predictor(made, found, Promise(False, None, 0))
    ads = [ad] * (5 if len(batches) == 3 else 5000)
    predictions = list(predictor.stream([ads], folder, top=1, ahead=0, photos=2))
    assert [len(batch) for batch in predictions] == batches


def test_contributions_add_up_to_what_the_ad_changed(made, folder):
    shares = prior(read_labels(made.split, "train"), len(WORDS))
    names = read_categories(made.split)
    for prediction in predict(made, folder / "ads.csv", "--model", "log-linear"):
        best = prediction["categories"][0]
        change = np.log(best["probability"] / shares[names.index(best["category"])])
        assert sum(prediction["contributions"].values()) == pytest.approx(change, abs=1e-4)


def broken_rows(folder):
    """Fifty rows, none of which is a whole ad, as lines of a table or of JSON."""
    (folder / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    Image.new("RGB", (5, 5)).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:200])
    (folder / "empty.png").touch()
    (folder / "folder.jpg").mkdir()
    side = int(MOST_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(folder / "bomb.png")
    images = (
        "gone.jpg", "a.eps", "cut.jpg", "empty.png", "folder.jpg", "bomb.png", "../../etc/passwd",
        "/etc/passwd", "http://x.se/a.jpg", "nul\0.jpg", "", "data:image/png;base64,AA", "x" * 5000,
    )  # fmt: skip
    titles = ("", "!!!", "volvo", "\t\u00a0")
    rows = [{"id": "", "title": title, "image": image} for image in images for title in titles]
    return rows[:50]


def test_fifty_broken_rows_get_fifty_answers(made, folder, tmp_path):
    rows = broken_rows(tmp_path)
    write_table(tmp_path / "ads.csv", rows)
    predictions = predict(made, tmp_path / "ads.csv", "--model", "product-max")
    assert [prediction["row"] for prediction in predictions] == list(range(1, 51))
    for row, prediction in zip(rows, predictions, strict=True):
        assert prediction["modality"] == ("text" if row["title"] == "volvo" else "none")
        assert prediction["problems"]
        assert len(prediction["categories"]) == 3


def test_lines_that_are_no_ads_get_answers_too(made):
    lines = ["no json", "[1, 2]", '{"id": ["a"]}', '{"id": 7, "title": "volvo"', "\udcff{}", "{}"]
    lines.append('{"id": 7, "title": "volvo ratt \\ud800"}')
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    predictions = predict(made, "--model", "text", input=text)
    assert len(predictions) == 7
    assert all(prediction["problems"] == ["malformed row"] for prediction in predictions[:6])
    assert (predictions[6]["id"], predictions[6]["modality"]) == ("7", "text")


def test_a_service_is_ended_by_an_interruption(made):
    """A process that waits for the next line, as it would behind a service."""
    words = [sys.executable, "-m", "adcat", "-w", made.root, "predict", "--model", "text"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in background
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write('{"id": 1, "title": "volvo"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["modality"] == "text"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr
        assert process.stderr.read() == "interrupted; run the same command again to resume\n"


def test_one_ad_from_the_command_line(made, folder):
    ad = test_ads(made)[0]
    (prediction,) = predict(
        made, "--title", ad["title"], "--description", ad["description"],
        "--image", folder / ad["image"], "--model", "product-max", "--top", 2,
    )  # fmt: skip
    stored = np.load(made.fused("product-max") / "test/probs.npy")[0]
    assert [c["probability"] for c in prediction["categories"]] == pytest.approx(
        np.sort(stored)[:-3:-1], abs=1e-5
    )
    assert prediction["modality"] == "both"


def test_a_photo_at_an_address_is_told_as_one(made, folder):
    words = ("--title", "volvo", "--model", "product-max", "--images", folder)
    (prediction,) = predict(made, *words, "--image", "https://example.se/photos/1.jpg")
    assert (prediction["modality"], prediction["problems"]) == ("text", ["image is a URL"])
    (prediction,) = predict(made, *words)
    assert prediction["problems"] == ["no image given"]


def test_no_ads_on_stdin_is_an_error(made):
    result = CliRunner().invoke(app, ["-w", str(made.root), "predict", "--model", "text"], input="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: stdin has no ads" in result.stderr


def test_the_default_is_what_evaluate_chooses(made, folder):
    choice = json.loads(adcat(made, "evaluate", "--json").stdout)["choice"]
    stderr = adcat(made, "predict", "--title", "volvo").stderr
    (told,) = re.findall(r"model (\S+): chosen on .*the validation ads, top-1 (.*)%", stderr)
    assert told == (choice["model"], f"{100 * choice['top1']:.2f}")


def test_validation_ads_flatter_what_they_steered(made):
    flattered = {model.name for model in all_models(made) if model.is_tuned_on_validation}
    assert flattered == {"image", "concat", "text-only", "image-only", ATTENTION}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_every_format_holds_the_same(made, folder, tmp_path, suffix):
    path = tmp_path / f"predictions.{suffix}"
    words = (folder / "ads.csv", "--model", "text", "--accept-above", 0.9)
    expected = predict(made, *words)
    adcat(made, "predict", *words, "--output", path)
    if suffix == "jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
    elif suffix == "parquet":
        found = pq.read_table(path).to_pylist()
    else:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["category"] for row in rows] == [
            prediction["categories"][0]["category"] for prediction in expected
        ]
        found = [{**prediction, "categories": json.loads(row["categories"])}
                 for prediction, row in zip(expected, rows, strict=True)]  # fmt: skip
    assert found == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.manifest.json"]


def test_what_is_done_is_not_done_again(made, folder, tmp_path):
    words = ("predict", folder / "ads.csv", "--model", "text", "--output", tmp_path / "a.jsonl")
    adcat(made, *words)
    before = (tmp_path / "a.jsonl").stat().st_mtime_ns
    assert "is up to date" in adcat(made, *words).stdout
    assert (tmp_path / "a.jsonl").stat().st_mtime_ns == before
    assert "stands there" not in adcat(made, *words, "--top", 1).stdout
    (tmp_path / "a.jsonl").write_text("edited")
    assert "stands there" not in adcat(made, *words, "--top", 1).stdout
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 60


@pytest.mark.parametrize(("model", "rounding"), [("text", 0), ("product-max", 1e-6)])
def test_shards_make_up_the_whole(made, folder, tmp_path, model, rounding):
    words = (folder / "ads.csv", "--model", model)
    whole, output = predict(made, *words), ("--output", tmp_path / "a.jsonl")
    for i in (3, 1, 2):
        adcat(made, "predict", *words, *output, "--shard", f"{i}/3")
    assert "predictions: " in adcat(made, "predict", *words, *output, "--merge").stdout
    merged = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [ad["id"] for ad in merged] == [ad["id"] for ad in whole]
    for found, expected in zip(merged, whole, strict=True):
        p, q = ([c["probability"] for c in ad["categories"]] for ad in (found, expected))
        assert p == pytest.approx(q, abs=rounding)
    assert "is up to date" in adcat(made, "predict", *words, *output, "--merge").stdout
    assert "is up to date" in adcat(made, "predict", *words, *output).stdout
    adcat(made, "predict", *words, *output, "--shard", "2/3", "--top", 1)
    (tmp_path / "a.jsonl").unlink()
    told = refused(made, *words, *output, "--merge")
    assert f"{tmp_path}/a-2-of-3.jsonl was made with top 1, not 5; type the same" in told


def test_a_promise_is_kept_for_every_kind_of_ad(made, folder, tmp_path):
    words = (folder / "ads.csv", "--model", "product-max", "--coverage", 0.6, "--calibrate")
    adcat(made, "predict", *words, "--output", tmp_path / "a.jsonl")
    manifest = json.loads((tmp_path / "a.jsonl.manifest.json").read_text())
    assert manifest["notes"]["calibrated_on"].startswith("validation ads")
    rules = manifest["notes"]["rules"]
    assert set(rules) == {"both", "text", "image", "none"}
    for prediction in map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines()):
        p = [c["probability"] for c in prediction["categories"]]
        assert sum(p[:-1]) <= rules["both"]["threshold"] + 1e-5


def test_out_of_fold_probabilities_are_named(made, folder, tmp_path):
    words = (folder / "ads.csv", "--model", "log-linear", "--coverage", 0.6)
    adcat(made, "predict", *words, "--output", tmp_path / "a.jsonl")
    notes = json.loads((tmp_path / "a.jsonl.manifest.json").read_text())["notes"]
    assert notes["calibrated_on"] == "validation ads, probabilities out-of-fold"


def test_too_few_validation_ads_for_a_promise_are_told(made):
    result = adcat(made, "predict", "--title", "volvo", "--coverage", 0.99)
    assert "too few to guarantee 0.99" in result.stderr
    assert len(json.loads(result.stdout)["categories"]) == 3


def test_too_few_validation_ads_to_calibrate_by_are_told(made):
    plain = adcat(made, "predict", "--title", "volvo", "--model", "text")
    result = adcat(made, "predict", "--title", "volvo", "--model", "text", "--calibrate")
    assert (
        "warning: 17 validation ads are too few to calibrate by, 50 are needed: probabilities stay "
        "as they are\n" in result.stderr
    )
    assert result.stdout == plain.stdout


def test_only_sure_answers_are_accepted(made, folder):
    for prediction in predict(made, folder / "ads.csv", "--model", "text", "--accept-above", 0.9):
        assert prediction["accepted"] == (prediction["categories"][0]["probability"] >= 0.9)
    (nothing,) = predict(made, "--title", "!", "--accept-above", 0)
    assert nothing["accepted"] is False


def test_a_changed_classifier_is_noticed(made, tmp_path):
    workspace = Workspace(shutil.copytree(made.root, tmp_path / "copy"))
    with workspace.text_model.write(Made(seed=7), [workspace.split]):
        pass
    assert "was made from an older train-text" in refused(workspace, "--title", "x")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--model", "nn", "--title", "x"), "there is no model 'nn'"),
        (("--output", "a.jsonl"), "--output needs a table"),
        (("ads.csv", "--output", "a.xls"), "expected a file in one of .jsonl, .csv, .parquet"),
        (("ads.csv", "--shard", "3/2"), "expected a share such as 2/8"),
        (
            ("ads.csv", "--output", "a.csv", "--merge", "--shard", "1/2"),
            "--merge puts all shards together; leave --shard out",
        ),
        (("ads.csv", "--title", "x"), "a table or a single ad"),
        (("ads.csv", "--images", "nowhere"), "nowhere is not a folder"),
        (("nowhere.csv",), "nowhere.csv does not exist"),
    ],
)
def test_what_cannot_be_answered_is_refused(made, words, expected):
    assert expected in refused(made, *words)


def test_headers_in_another_case_and_missing_columns(made, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("ID, Title ,Photo\n7,soffa,0.jpg\n")
    result = adcat(made, "predict", table, "--model", "product-max", "--images", tmp_path)
    (prediction,) = map(json.loads, result.stdout.splitlines())
    assert (prediction["id"], prediction["modality"]) == ("7", "text")
    told = re.findall(r"warning: \S+ has no column '(\w+)', which the model reads", result.stderr)
    assert sorted(told) == ["description", "image"]
    table.write_text("id,Photo\n7,0.jpg\n")
    assert "found: 'id', 'Photo'" in refused(made, table)


def test_headers_told_to_split_hold_for_new_ads(tmp_path):
    workspace, table = Workspace(tmp_path / "w"), tmp_path / "ads.csv"
    rows = [f"{('soffa', 'cykel')[i % 2]} {i},{('Möbler', 'Cyklar')[i % 2]}" for i in range(40)]
    table.write_text("\n".join(["rubrik,category", *rows]), encoding="utf-8")
    adcat(workspace, "split", table, "--keep-incomplete", "--column", "title=rubrik")
    adcat(workspace, "train-text", "--model", "tfidf")
    adcat(workspace, "extract-features")
    for header in ("rubrik", "Title"):
        table.write_text(f"{header}\nsoffa\ncykel\n", encoding="utf-8")
        found = predict(workspace, table)
        assert [prediction["id"] for prediction in found] == ["1", "2"]
        assert [prediction["categories"][0]["category"] for prediction in found] == [
            "Möbler",
            "Cyklar",
        ]
