"""Vectors that were made elsewhere, and classifiers that read them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline import adcat, draw_ads
from pipeline import write_table as write_ads
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data import vector_files
from adcat.data.vector_files import vector_batches
from adcat.errors import BadInputError
from adcat.files import sha256
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_categories, read_labels
from adcat.workspace.command_lines import like
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models

IDS, VECTORS = ["b", "a"], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def write_array(path, ids, vectors):
    np.save(path, vectors)
    path.with_suffix(".txt").write_text("".join(f"{id}\n" for id in ids))
    return path


def write_table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def read(path):
    batches = list(vector_batches(path))
    return [id for ids, _ in batches for id in ids], np.concatenate([v for _, v in batches])


def fails(path, told):
    with pytest.raises(BadInputError) as raised:
        list(vector_batches(path))
    assert str(raised.value).startswith(f"{path}: {told}")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 8192])
def test_every_format_gives_the_same_float32_vectors(tmp_path, monkeypatch, kind, block):
    monkeypatch.setattr(vector_files, "BLOCK", block)
    rows = list(np.array(VECTORS, kind))
    element = pa.from_numpy_dtype(kind)
    files = [write_array(tmp_path / "a.npy", IDS, np.array(rows))]
    for name, of in (("l", pa.list_(element)), ("f", pa.list_(element, 3))):
        made = write_table(tmp_path / f"{name}.parquet", ID=IDS, clip=pa.array(rows, of))
        files.append(made)
    for file in files:
        ids, found = read(file)
        assert ids == IDS
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.array(VECTORS, np.float32))


def test_ids_that_are_numbers_are_read_as_split_reads_them(tmp_path):
    made = write_table(tmp_path / "a.parquet", id=[7, 8], v=VECTORS)
    assert read(made)[0] == ["7", "8"]


def test_other_tables_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    fails(write_table(path, key=IDS, v=VECTORS), "columns key, v; expected")
    fails(write_table(path, id=IDS, v=VECTORS, w=VECTORS), "columns id, v, w; expected")
    fails(write_table(path, id=IDS, v=[[1.0], [1.0, 2.0]]), "the vector of a has 2 numbers, not 1")
    fails(write_table(path, id=IDS, v=[[1.0], None]), "the vector of a has 0 numbers, not 1")
    fails(write_table(path, id=IDS, v=[[1], [2]]), "the vectors' numbers are int64, not floats")
    nothing = pa.array([], pa.list_(pa.float32()))
    fails(write_table(path, id=pa.array([], pa.string()), v=nothing), "it holds no vectors")
    path.write_bytes(b"no table")
    fails(path, "")


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    fails(write_array(path, IDS, np.array(VECTORS)[0]), "an array of shape (3,)")
    fails(write_array(path, ["a"], np.array(VECTORS)), "1 lines in a.txt for 2 vectors")
    fails(write_array(path, IDS, np.ones((2, 3), int)), "the vectors' numbers are int64")
    fails(write_array(path, [], np.ones((0, 3))), "it holds no vectors")
    path.write_bytes(b"no array")
    fails(path, "")
    np.savez(tmp_path / "a.npz", ids=IDS, vectors=VECTORS)
    (tmp_path / "a.npz").rename(path)
    fails(path, "the magic string is not correct")
    fails(write_array(path, IDS, np.array([[{}], [{}]])), "Array can't be memory-mapped")


def test_vectors_of_several_lengths_are_noticed_across_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "BLOCK", 1)
    made = write_table(tmp_path / "a.parquet", id=IDS, v=[[1.0], [1.0, 2.0]])
    fails(made, "vectors have lengths 1 and 2")


def test_what_is_missing_is_named(tmp_path):
    for name, lacking in (("a.npy", "a.npy"), ("a.parquet", "a.parquet")):
        with pytest.raises(BadInputError, match=f"{lacking} is missing; expected"):
            list(vector_batches(tmp_path / name))
    np.save(tmp_path / "a.npy", VECTORS)
    with pytest.raises(BadInputError, match="txt is missing; expected"):
        list(vector_batches(tmp_path / "a.npy"))
    (tmp_path / "a.csv").touch()
    with pytest.raises(BadInputError, match="csv is neither"):
        list(vector_batches(tmp_path / "a.csv"))


def telling(workspace, path, drop=0, more=(), seed=0):
    """A file of vectors that tell the categories of the ads, in another order than theirs."""
    random, ids, rows = np.random.default_rng(seed), list[str](), []
    for part in PARTS:
        labels = read_labels(workspace.split, part)
        ids += [ad["id"] for ad in read_ads(workspace.split, part, ["id"])]
        rows += list(3 * np.eye(3, 5)[labels] + random.normal(size=(len(labels), 5)))
    ids += more
    rows += [np.ones(5)] * len(more)
    order = random.permutation(len(ids))[drop:]
    return write_array(path, [ids[k] for k in order], np.array(rows)[order])


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])


def error(workspace, *words):
    result = run(workspace, *words)
    assert result.exit_code == 1, result.output
    return result.stderr.splitlines()[-1]


@pytest.fixture
def clip(copy, tmp_path):
    """A workspace with a classifier `clip` on vectors made elsewhere."""
    telling(copy, tmp_path / "clip.npy", more=["x", "y"])
    adcat(copy, "extract-features", "--image-vectors", tmp_path / "clip.npy", "--name", "clip")
    return copy


def test_rows_of_vectors_are_the_ads_whatever_their_order_in_the_file(clip, tmp_path):
    ids, found = read(tmp_path / "clip.npy")
    by_id = dict(zip(ids, found, strict=True))
    features = clip.classifier("image", "clip").features
    for part in PARTS:
        ads = read_ads(clip.split, part, ["id"])
        expected = np.array([by_id[ad["id"]] for ad in ads])
        np.testing.assert_array_equal(np.load(features / f"{part}/image_vectors.npy"), expected)
        predicted = np.load(features / f"{part}/image_probs.npy").argmax(axis=1)
        assert (predicted == read_labels(clip.split, part)).mean() > 0.8


def test_the_manifest_says_what_was_fitted_on_what(clip, tmp_path):
    classifier = clip.classifier("image", "clip")
    manifest = classifier.model.check()
    files = {name: sha256(tmp_path / name) for name in ("clip.npy", "clip.txt")}
    assert manifest.settings == {"vectors": "clip.npy", "folds": None, "seed": 0}
    assert manifest.notes == {
        "fitted_on": "train", "train_probs": "out-of-fold", "trained_per_fold": "the last layer",
        "vectors_sha256": files,
    }  # fmt: skip
    assert classifier.features.check().notes["image_train_probs"] == "out-of-fold"


def test_the_same_file_gives_the_same_classifier_and_everything_is_kept(clip, tmp_path):
    before = clip.classifier("image", "clip").model.check().digest
    said = adcat(
        clip, "extract-features", "--image-vectors", tmp_path / "clip.npy", "--name", "clip"
    )
    assert "clip: kept from an earlier run with the same classifier" in said.stdout
    assert f"2 vectors in {tmp_path / 'clip.npy'} are of no ads of the split with a photo" in (
        said.stderr
    )
    assert clip.classifier("image", "clip").model.check().digest == before


def test_what_is_downstream_takes_it_as_any_classifier(clip):
    adcat(clip, "fuse", "--policy", "stack")
    models = json.loads(adcat(clip, "evaluate", "--json").stdout)["models"]
    assert {"clip", "stack"} <= {model["model"] for model in models}
    adcat(clip, "error-groups")
    states = json.loads(adcat(clip, "status", "--json").stdout)["artifacts"]
    assert {a["state"] for a in states if "@clip" in a["artifact"]} == {"current"}


def test_without_a_name_it_takes_the_place_of_the_first_one(copy, tmp_path):
    for modality in ("image", "text"):
        path = telling(copy, tmp_path / f"{modality}.npy")
        adcat(copy, "extract-features", f"--{modality}-vectors", path, "--folds", 0)
        assert np.load(copy.features / f"test/{modality}_vectors.npy").shape[1] == 5
        assert f"{modality}_train_probs" not in copy.features.check().notes
    adcat(copy, "fuse", "--policy", "product-max")
    assert "last layer on vectors made elsewhere" in error(copy, "attend")
    told = error(copy, "export", tmp_path / "out", "--model", "product-max")
    assert "product-max reads vectors made elsewhere (text, image)" in told


def test_ads_without_a_vector_are_counted_and_named(copy, tmp_path):
    path = telling(copy, tmp_path / "a.npy", drop=2, more=["x"])
    told = error(copy, "extract-features", "--text-vectors", path)
    many = sum(len(read_labels(copy.split, part)) for part in PARTS)
    assert f"{path} has no vector for 2 of {many} ads of the split with a text: ad" in told
    assert told.endswith("; ids of no such ad: x")


def test_an_ad_with_several_vectors_is_named(copy, tmp_path):
    first = read_ads(copy.split, "test", ["id"])[0]["id"]
    path = telling(copy, tmp_path / "a.npy", more=[first])
    told = error(copy, "extract-features", "--text-vectors", path)
    assert f"{path} has several vectors for 1 of" in told
    assert told.endswith(first)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_vector_that_is_not_finite_is_named_if_its_ad_is_in_the_split(copy, tmp_path, value):
    path = telling(copy, tmp_path / "a.npy", more=["x"])
    vectors, ids = np.load(path), path.with_suffix(".txt").read_text().split()
    vectors[ids.index("x")] = value
    np.save(path, vectors)
    adcat(copy, "extract-features", "--text-vectors", path)
    vectors[ids.index("ad7"), 2] = value
    np.save(path, vectors)
    told = error(copy, "extract-features", "--text-vectors", path)
    assert "the vector of ad7 holds NaN or infinity" in told


def test_options_of_vectors_need_some(copy, tmp_path):
    told = run(copy, "extract-features", "--name", "clip").stderr
    assert "--name has no effect without --image-vectors or --text-vectors" in told
    files = ("--image-vectors", tmp_path / "a.npy", "--text-vectors", tmp_path / "a.npy")
    assert "only one classifier can have --name clip" in error(
        copy, "extract-features", *files, "--name", "clip"
    )


def predictions(workspace, *words, input=None):
    lines = adcat(workspace, "predict", *words, input=input).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_a_model_of_vectors_predicts_ads_as_it_did_in_the_workspace(clip, tmp_path):
    """From a table in another order; an ad without a vector is predicted from its text."""
    adcat(clip, "fuse", "--policy", "stack")
    table = clip.root.parent / "ads.csv"
    files = ("--image-vectors", tmp_path / "clip.npy")
    for model in ("stack", "clip"):
        probs = {m.name: m for m in all_models(clip)}[model].probs("test")
        found = {p["id"]: p for p in predictions(clip, table, "--model", model, *files)}
        for ad, expected in zip(read_ads(clip.split, "test", ["id"]), probs, strict=True):
            best = found[ad["id"]]["categories"][0]
            assert best["category"] == read_categories(clip.split)[expected.argmax()]
            assert best["probability"] == pytest.approx(expected.max(), abs=1e-4)
            assert found[ad["id"]]["problems"] == []
    new = {"id": "new", "title": "volvo diesel", "image": "photos/1.jpg"}
    (told,) = predictions(clip, "--model", "stack", *files, input=json.dumps(new))
    assert told["problems"] == ["no vector given", "image file missing"]
    assert told["modality"] == "text"


def test_without_vectors_of_the_new_ads_predict_says_what_to_type(clip):
    told = error(clip, "predict", clip.root.parent / "ads.csv", "--model", "clip")
    assert told.endswith(
        f"{clip.root}/train-image@clip reads vectors made elsewhere; give those of the new ads, by "
        "id: --image-vectors FILE"
    )


def test_a_model_that_reads_no_vectors_needs_none(copy, tmp_path):
    """Though those of the other classifier would be read."""
    path = telling(copy, tmp_path / "image.npy")
    adcat(copy, "extract-features", "--image-vectors", path)
    ads = [
        {"id": "ad1", "title": "volvo diesel"},
        {"id": "ad2", "image": "a.jpg"},
        {"id": "ad3", "title": "cykel"},
    ]
    lines = "\n".join(map(json.dumps, ads))
    found = predictions(copy, "--model", "text", input=lines)
    assert [p["modality"] for p in found] == ["text", "none", "text"]
    found = predictions(copy, "--model", "text", "--image-vectors", path, input=lines)
    assert [p["modality"] for p in found] == ["text", "image", "text"]
    adcat(copy, "export", tmp_path / "out", "--model", "text")
    found = predictions(copy, "--exported", tmp_path / "out", input=lines)
    assert [p["modality"] for p in found] == ["text", "none", "text"]


def test_status_types_what_made_the_classifier_and_does_not_make_it_again_for_the_features():
    """Else a trained classifier that replaced it would be replaced in turn."""
    record = {"command_line": "adcat -w w extract-features --image-vectors=a.npy --name clip"}
    made = [like(record, Path("w"), f"{step}@clip") for step in ("train-image", "extract-features")]
    assert made == [
        "adcat -w w extract-features --image-vectors=a.npy --name clip",
        "adcat -w w extract-features",
    ]


def test_an_ad_without_a_photo_needs_no_vector(tmp_path):
    ads = draw_ads(tmp_path)
    for ad in ads[::3]:
        ad["image"] = ""
    write_ads(tmp_path / "ads.csv", ads)
    made = Workspace(tmp_path / "w")
    adcat(made, "split", tmp_path / "ads.csv", "--keep-incomplete")
    adcat(made, "train-text", "--epochs", 1, "--folds", 0)
    random = np.random.default_rng(0)
    vectors = {ad["id"]: random.normal(size=4) for ad in ads if ad["image"]}
    path = write_array(tmp_path / "a.npy", vectors, np.array(list(vectors.values())))
    adcat(made, "extract-features", "--image-vectors", path)
    for part in PARTS:
        found = np.load(made.features / f"{part}/image_vectors.npy")
        for ad, vector in zip(read_ads(made.split, part, ["id"]), found, strict=True):
            np.testing.assert_array_equal(
                vector, np.float32(vectors.get(ad["id"], np.full(4, np.nan)))
            )


def test_a_dry_run_of_vectors_writes_nothing(copy, tmp_path):
    before = copy.features.check().digest, copy.image_model.check().digest
    path = telling(copy, tmp_path / "a.npy")
    adcat(copy, "extract-features", "--image-vectors", path, "--dry-run")
    assert (copy.features.check().digest, copy.image_model.check().digest) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "text", "--image-vectors", "a.npy"], "which reads them? the model reads none"),
        (["--model", "clip", "--image-vectors", "a.npy"], "a.npy is missing; expected a .parquet"),
        (["--model", "clip", "--image-vectors", "clip=b.npy"], "b.npy is missing"),
    ],
)
def test_vectors_that_no_classifier_is_to_read_are_refused(clip, words, told):
    assert told in error(clip, "predict", clip.root.parent / "ads.csv", *words)


def test_vectors_of_another_length_are_refused(clip, tmp_path):
    path = write_array(tmp_path / "a.npy", IDS, np.array(VECTORS))
    words = ("--model", "clip", "--image-vectors", path)
    told = error(clip, "predict", clip.root.parent / "ads.csv", *words)
    assert "a.npy has vectors of length 3" in told
    assert told.endswith("reads those of length 5")


def test_of_several_classifiers_each_has_its_own_file(clip, tmp_path):
    path = telling(clip, tmp_path / "b.npy", seed=1)
    adcat(clip, "extract-features", "--image-vectors", path, "--name", "siglip")
    adcat(clip, "fuse", "--models", "clip,siglip,text", "--name", "all")
    table = clip.root.parent / "ads.csv"
    words = ["predict", table, "--model", "all", "--image-vectors"]
    assert f"clip and siglip do; type NAME={path}" in error(clip, *words, path)
    each = [f"clip={tmp_path / 'clip.npy'}", "--image-vectors", f"siglip={path}"]
    output = tmp_path / "out.jsonl"
    adcat(clip, *words, *each, "--output", output)
    assert "is up to date" in adcat(clip, *words, *each, "--output", output).stdout
    assert "both" in output.read_text()
