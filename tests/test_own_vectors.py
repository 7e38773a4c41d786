"""Vectors that were made elsewhere, and classifiers that read them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline import adcat
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data import vector_files
from adcat.data.vector_files import vector_batches
from adcat.errors import BadInputError
from adcat.files import sha256
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_labels

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
    fails(write_table(path, id=pa.array([], pa.string()), v=nothing), "there are no vectors in it")
    path.write_bytes(b"no table")
    fails(path, "")


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    fails(write_array(path, IDS, np.array(VECTORS)[0]), "an array of shape (3,)")
    fails(write_array(path, ["a"], np.array(VECTORS)), "1 lines in a.txt for 2 vectors")
    fails(write_array(path, IDS, np.ones((2, 3), int)), "the vectors' numbers are int64")
    fails(write_array(path, [], np.ones((0, 3))), "there are no vectors in it")
    path.write_bytes(b"no array")
    fails(path, "")


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
    assert "text, image: an export reads texts and photos" in error(
        copy, "export", tmp_path / "out", "--model", "product-max"
    )


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
