import functools
import json
import re
import shutil
import sys
from ast import literal_eval

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
from handmade import Made
from PIL import Image
from pipeline import adcat
from typer.testing import CliRunner

from adcat.choosing import kind_of
from adcat.cli.app import app
from adcat.evaluation.measuring import measure_models
from adcat.prediction import export_folder as export
from adcat.prediction import load
from adcat.progress import Silent
from adcat.report.model_card import model_card
from adcat.tables import Table
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_categories, read_labels, read_split
from adcat.workspace.layout import Workspace
from adcat.workspace.models import find_models

CLASSIFIERS = {"text/model.bin", "text/model.json", "image/model.json", "image/model.keras"}
FILES = {
    "text": {*CLASSIFIERS, "image/model.onnx"},
    "product-max": {*CLASSIFIERS, "image/model.onnx", "fusion/params.json"},
    "concat": {*CLASSIFIERS, "image/model.onnx", "fusion/params.json", "fusion/model.keras"},
    "attend-c-wh": {*CLASSIFIERS, "image/model.onnx", "fusion/model.json", "fusion/model.keras"},
}
EXPORTED = [pytest.param(model, marks=[pytest.mark.soak] * (model == "concat")) for model in FILES]


@pytest.fixture(scope="module")
def made(with_models):
    return with_models


@pytest.fixture(scope="module")
def exported(made, tmp_path_factory):
    """A model's folder, and what the command printed."""

    @functools.cache
    def export(model):
        folder = tmp_path_factory.mktemp("exported") / model
        return folder, adcat(made, "export", folder, "--model", model).stdout

    return export


def refused(workspace, *words, command="export"):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), command, *map(str, words)])
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


@pytest.mark.parametrize("model", EXPORTED)
def test_an_export_holds_what_serving_needs_and_nothing_else(exported, model):
    folder, stdout = exported(model)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert found == {*FILES[model], "serving.json", "README.md"}
    lines = stdout.splitlines()
    runtimes = ["keras"] if model == "text" else ["onnx", "keras"]
    assert [line.partition(":")[0] for line in lines] == [*runtimes, model]
    assert all(line.endswith("on 18 test ads") for line in lines[:-1])
    definition = json.loads((folder / "serving.json").read_text())
    assert definition["categories"] == ["Bilar", "Cyklar", "Soffor"]
    assert sum(definition["prior"]) == pytest.approx(1)


@pytest.mark.parametrize("model", EXPORTED)
def test_an_export_predicts_without_its_workspace_as_with_it(made, exported, tmp_path, model):
    photos = ["photos/0.jpg", "photos/1.jpg", "", "gone.jpg"]
    ads = [{"id": i, "title": "volvo ratt", "image": photo} for i, photo in enumerate(photos)]
    ads.append({"image": "photos/2.jpg"})
    lines, images = "".join(f"{json.dumps(ad)}\n" for ad in ads), made.root.parent
    words = ("--images", images)
    expected = adcat(made, "predict", "--model", model, *words, input=lines).stdout
    folder, _ = exported(model)
    found = adcat(Workspace(tmp_path), "predict", "--exported", folder, *words, input=lines).stdout
    assert found == expected
    assert list(load(folder).predict(ads, images)) == [*map(json.loads, found.splitlines())]
    assert not list(tmp_path.iterdir())


def test_the_card_says_how_to_use_the_model_and_the_code_in_it_runs(
    made, exported, monkeypatch, capsys
):
    folder, _ = exported("product-max")
    called, alone = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    monkeypatch.chdir(folder)
    (photo,) = read_ads(made.split, "test", ["image"], [0])
    monkeypatch.setattr(sys, "argv", ["", str(made.root.parent / photo["image"])])
    exec(alone, {})
    stored = np.load(made.features / "test/image_probs.npy")[0]
    expected = dict(zip(read_categories(made.split), stored.tolist(), strict=True))
    assert literal_eval(capsys.readouterr().out) == pytest.approx(expected, abs=1e-5)
    exec(called.replace('images="photos"', f"images={str(made.root.parent / 'photos')!r}"), {})
    assert literal_eval(capsys.readouterr().out)["category"] == "Soffor"


def test_the_card_says_what_to_expect_of_the_model(made, exported):
    card = (exported("product-max")[0] / "README.md").read_text()
    labels = {part: read_labels(made.split, part) for part in PARTS}
    for part in PARTS:
        assert f"| {part} |{f' {len(labels[part])} |' * 3}" in card
    for c, name in enumerate(["Bilar", "Cyklar", "Soffor"]):
        counts = " | ".join(str(np.count_nonzero(labels[part] == c)) for part in PARTS)
        assert f"| {c} | {name} | {counts} | " in card
    evaluate = json.loads(adcat(made, "evaluate", "product-max", "--json").stdout)
    assert f"| product-max | {evaluate['models'][0]['top1']:.2%} | " in card
    assert "On 18 ads. Low and high bound a 95 % interval" in card
    assert "| text classifier | train | nothing |" in card
    assert "| product-max | nothing | nothing |" in card
    assert "* both: `p ∝ o_img * o_txt`\n" in card
    assert "* image: `p = o_img`\n" in card
    assert "An ad without text" not in card
    attend = (exported("attend-c-wh")[0] / "README.md").read_text()
    assert "* both: `p = fusion/model.keras(image_pixels, text_vectors)`" in attend


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"image classifier": "imagenet"}, "The image classifier started from ImageNet weights"),
        ({"image classifier": "none"}, "The image classifier started from random weights."),
        ({"text classifier": "sv.vec"}, "started from sv.vec, whose licence holds."),
        ({}, "adcat cannot know on what terms you have these"),
    ],
)
def test_the_card_says_whose_weights_they_are(made, weights, expected):
    models = find_models(made, ["text"])
    kinds, split = {"text": kind_of(models[0])}, read_split(made.split)
    evaluation = measure_models(split, "test", kinds, models, Silent())
    serving = {"preprocessing": {}, "layers": {}, "formulas": {"text": "p = o_txt"}}
    card = model_card(evaluation, serving, Table("Fitted", [], []), weights)
    assert expected in card.partition("## Licence")[2]


def test_predictions_say_what_the_exported_model_was_made_from(made, exported, tmp_path):
    table = made.root.parent / "ads.csv"
    for name, words in (("a", ("--model", "text")), ("b", ("--exported", exported("text")[0]))):
        output = ("--output", tmp_path / f"{name}.jsonl", "--accept-above", 0.5)
        adcat(made, "predict", table, *words, *output)
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    a, b = (json.loads((tmp_path / f"{name}.jsonl.manifest.json").read_text()) for name in "ab")
    assert a["inputs"] == b["inputs"]
    assert set(a["inputs"]) == {"extract-features", "split", "train-text", "train-image"}
    assert a["settings"] == b["settings"]


def test_headers_told_to_split_hold_for_an_export(made, exported, tmp_path):
    folder = shutil.copytree(exported("text")[0], tmp_path / "e")
    definition = json.loads((folder / "serving.json").read_text())
    assert definition["headers"] == {}
    definition["headers"] = {"title": "rubrik"}
    (folder / "serving.json").write_text(json.dumps(definition))
    (prediction,) = load(folder).predict([{"rubrik": "volvo diesel ratt"}])
    assert prediction["modality"] == "text"
    (named,) = load(folder).predict([{"title": "volvo diesel ratt"}])
    assert named == prediction


def test_what_is_no_export_is_refused(made, exported, tmp_path):
    def told(*words):
        return refused(made, "--exported", tmp_path / "e", "--title", "x", command="predict")

    assert told() == (
        f"error: {tmp_path}/e/serving.json is missing; expected a folder that adcat export has "
        "written\n"
    )
    shutil.copytree(exported("text")[0], tmp_path / "e")
    (tmp_path / "e/text/model.bin").write_bytes(b"cut")
    assert told() == (
        f"error: {tmp_path}/e/text/model.bin is missing or differs; copy or export it again\n"
    )
    (tmp_path / "e/serving.json").write_text('{"model": "text", "categories": ["a"]}')
    assert "serving.json is not a valid description of an exported model" in told()


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["tfidf"], {"analyzer.txt", "vocabulary.txt", "idf.npy", "W.npy", "b.npy", "V.npy"}),
        pytest.param(
            ["cnn", "--cnn-epochs", 1, "--cnn-embedding-epochs", 1, "--folds", 0],
            {"vocabulary.json", "model.keras"},
            marks=pytest.mark.soak,
        ),
    ],
)
def test_every_text_model_is_exported_whole_and_answers_as_it_did(made, tmp_path, options, files):
    workspace = Workspace(shutil.copytree(made.root, tmp_path / "w"))
    adcat(workspace, "train-text", "--model", *options)
    adcat(workspace, "extract-features")
    result = adcat(workspace, "export", tmp_path / "e", "--model", "text")
    assert {path.name for path in (tmp_path / "e/text").iterdir()} == {"model.json", *files}
    assert "on 18 test ads" in result.stdout
    table, stored = (
        made.root.parent / "ads.csv",
        np.load(workspace.features / "test/text_probs.npy"),
    )
    lines = adcat(workspace, "predict", table, "--model", "text", "--top", 9).stdout.splitlines()
    predictions = {
        prediction["id"]: prediction["categories"] for prediction in map(json.loads, lines)
    }
    for ad, p in zip(read_ads(workspace.split, "test", ["id"]), stored, strict=True):
        found = {c["category"]: c["probability"] for c in predictions[ad["id"]]}
        expected = dict(zip(["Bilar", "Cyklar", "Soffor"], p.tolist(), strict=True))
        assert found == pytest.approx(expected, abs=1e-5)


def test_the_onnx_network_gives_the_stored_features_on_its_own(made, exported):
    """Read by ONNX Runtime alone, photos prepared here, as a service in another language would."""
    folder, _ = exported("product-max")
    definition = json.loads((folder / "image/model.json").read_text())
    session = onnxruntime.InferenceSession(folder / "image/model.onnx")
    (side, share) = definition["image_size"], definition["central_fraction"]
    ads = pq.read_table(made.split / "ads.parquet", filters=[("part", "=", "test")])
    images = []
    for name in ads["image"].to_pylist():
        with Image.open(made.root.parent / name) as image:
            x, y = (image.width * (1 - share) / 2, image.height * (1 - share) / 2)
            box = (x, y, image.width - x, image.height - y)
            images.append(np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box)))
    batch = np.stack(images).astype(np.float32) / 127.5 - 1
    vectors, probs = session.run(["vectors", "probabilities"], {"photos": batch})
    np.testing.assert_allclose(probs, np.load(made.features / "test/image_probs.npy"), atol=1e-5)
    stored = np.load(made.features / "test/image_vectors.npy")
    np.testing.assert_allclose(vectors, stored, atol=1e-4)


def test_a_model_that_answers_otherwise_is_not_exported(made, tmp_path):
    workspace = Workspace(shutil.copytree(made.root, tmp_path / "copy"))
    parameters = (made.fused("product-max") / "params.json").read_text()
    stored = {
        f"{part}/probs": np.load(made.fused("product-max") / f"{part}/probs.npy")[:, ::-1]
        for part in ("validation", "test")
    }
    wrong = workspace.fused("wrong")
    with wrong.write(Made(seed=1), [workspace.features]) as staging:
        for part in ("validation", "test"):
            (staging.folder / part).mkdir()
            np.save(staging.folder / f"{part}/probs.npy", stored[f"{part}/probs"])
        (staging.folder / "params.json").write_text(parameters)
    stderr = refused(workspace, tmp_path / "e", "--model", "wrong")
    assert "the exported wrong (onnx) differs by" in stderr
    assert not (tmp_path / "e").exists()
    assert not list(tmp_path.glob(".e*"))


def test_a_folder_that_is_there_is_left_alone(made, tmp_path):
    (tmp_path / "mine").write_text("mine")
    assert "already exists" in refused(made, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_missing_package_is_named(made, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    stderr = refused(made, tmp_path / "e", "--model", "concat")
    assert stderr == (
        "error: the export to ONNX needs tf2onnx and onnxruntime; "
        "type: pip install 'adcat[export]'\n"
    )
    assert not (tmp_path / "e").exists()
