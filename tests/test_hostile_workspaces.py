"""Workspaces that were edited, or made to deceive: nothing is believed that was not checked."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import artifacts, refusal, run
from sealed import LABELS, make_workspace, seal

ADS, NAMES = "split/ads.parquet", "split/categories.json"
TEXT, FUSED = "extract-features/test/text_probs.npy", "fuse/max/test/probs.npy"
TRAINED = "extract-features/train/text_vectors.npy"
EVALUATE, FUSE = ["evaluate"], ["fuse", "--policy", "sum-max"]
NETWORK = ("fuse", "--policy", "text-only", "--max-epochs", "1")
GROUPS, PREDICT = ["error-groups"], ["predict", "--title", "volvo", "--model", "max"]
TRAIN = ["train-text"]


def delete(name):
    def change(root):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def put(name, content):
    return lambda root: (root / name).write_bytes(content)


def cut(name):
    return lambda root: os.truncate(root / name, (root / name).stat().st_size // 2)


def array(name, change):
    return lambda root: np.save(root / name, change(np.load(root / name)))


def nan(values):
    values[1] = np.nan
    return values


def ads(**columns):
    """The table of ads with other columns; without those that are None."""

    def change(root):
        table = pq.read_table(root / ADS)
        for name, values in columns.items():
            position = table.schema.names.index(name)
            table = table.remove_column(position)
            if values is not None:
                table = table.add_column(position, name, [values])
        pq.write_table(table, root / ADS)

    return change


def manifest(artifact, **fields):
    def change(root):
        path = root / artifact / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def special(name, make):
    def change(root):
        (root / name).unlink()
        make(root / name)

    return change


COUNT = sum(map(len, LABELS.values()))

# Edited behind adcat's back: the digest tells. name, change, command, message
EDITED = [
    ("an artifact is deleted", delete("split"), EVALUATE, "{root}/split is missing; make it: adcat -w {root} split ADS"),
    ("the features are deleted", delete("extract-features"), FUSE, "{root}/extract-features is missing; make it: adcat -w {root} extract-features"),
    ("the fused model is deleted", delete("fuse/max"), PREDICT, "there is no model 'max' in {root}; available: text, image"),
    ("a file is deleted", delete(TEXT), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a manifest is deleted", delete("split/manifest.json"), EVALUATE, "{root}/split is missing; make it: adcat -w {root} split ADS"),
    ("an array is edited", array(TEXT, lambda a: a[:, ::-1].copy()), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("an array is cut off", cut(TEXT), EVALUATE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a table is edited", put(ADS, b"edited"), TRAIN, "{root}/split/ads.parquet was edited; make it again: adcat -w {root} split ADS"),
    ("a file is a folder", special(TEXT, os.mkdir), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a file is a FIFO", special(TEXT, os.mkfifo), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a file is a link to a device", special(TEXT, lambda path: path.symlink_to("/dev/zero")), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a file is a link to itself", special(TEXT, lambda path: path.symlink_to(path)), FUSE, "{root}/extract-features/test/text_probs.npy was edited; make it again: adcat -w {root} extract-features"),
    ("a manifest of a newer adcat", manifest("split", schema=99), EVALUATE, "{root}/split/manifest.json has schema 99 of adcat 0.1.0; this adcat 0.1.0 reads up to 1; make it again: adcat -w {root} split ADS"),
    ("a manifest of a newer adcat with other fields", manifest("split", schema=99, more={}), EVALUATE, "{root}/split/manifest.json has schema 99 of adcat 0.1.0; this adcat 0.1.0 reads up to 1; make it again: adcat -w {root} split ADS"),
    ("a manifest is empty", put("split/manifest.json", b""), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest is a list", put("split/manifest.json", b"[]"), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest is not UTF-8", put("split/manifest.json", b'{"adcat": "\xe5"}'), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest is a hundred thousand levels deep", put("split/manifest.json", b"[" * 100_000), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest without a schema", manifest("split", schema=None), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest with fields of other types", manifest("split", files=["a"]), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest with a digest that is none", manifest("split", files={"ads.parquet": 1}), EVALUATE, "{root}/split/manifest.json is not a manifest of adcat; make it again: adcat -w {root} split ADS"),
    ("a manifest that names a file outside", manifest("split", files={"../../../etc/passwd": "0"}), EVALUATE, "{root}/split/../../../etc/passwd was edited; make it again: adcat -w {root} split ADS"),
    ("a manifest that names a device", manifest("split", files={"/dev/zero": "0"}), EVALUATE, "/dev/zero was edited; make it again: adcat -w {root} split ADS"),
    ("a manifest that names a NUL", manifest("split", files={"\0": "0"}), EVALUATE, "{root}/split/\\u0000 was edited; make it again: adcat -w {root} split ADS"),
    ("an artifact made from itself", manifest("split", inputs={"split": "0"}), EVALUATE, "{root}/split/manifest.json names the artifact itself among what it was made from; make it again: adcat -w {root} split ADS"),
]  # fmt: skip

# The manifests vouch for it: what the files hold tells.
SEALED = [
    ("an array has a row less", array(TEXT, lambda a: a[1:]), FUSE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (3, 3); run the command that makes it"),
    ("an array has a row more", array(TEXT, lambda a: np.vstack([a, a])), EVALUATE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (8, 3); run the command that makes it"),
    ("an array has a column less", array(TEXT, lambda a: a[:, 1:]), EVALUATE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (4, 2); run the command that makes it"),
    ("an array has no rows", array(TEXT, lambda a: a[:0]), EVALUATE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (0, 3); run the command that makes it"),
    ("an array has one dimension", array(TEXT, lambda a: a[:, 0]), FUSE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (4,); run the command that makes it"),
    ("an array has three dimensions", array(TEXT, lambda a: a[..., None]), FUSE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 3 columns, found (4, 3, 1); run the command that makes it"),
    ("an array is of float64", array(TEXT, lambda a: a.astype(float)), FUSE, "{root}/extract-features/test/text_probs.npy: expected float32, found float64; run the command that makes it"),
    ("an array is of text", array(TEXT, lambda a: a.astype(str)), EVALUATE, "{root}/extract-features/test/text_probs.npy: expected float32, found <U32; run the command that makes it"),
    ("an array is of another part's width", array(TRAINED, lambda a: a[:, 1:]), FUSE, "{root}/extract-features/validation/text_vectors.npy: expected a row for each of 6 ads, 3 columns, found (6, 4); run the command that makes it"),
    ("an array file is empty", put(TEXT, b""), EVALUATE, "{root}/extract-features/test/text_probs.npy is not a valid array: No data left in file; run the command that makes it"),
    ("an array file is half", cut(TEXT), EVALUATE, "{root}/extract-features/test/text_probs.npy is not a valid array: EOF: reading array header, expected 118 bytes got 78; run the command that makes it"),
    ("probabilities are not numbers", array(TEXT, nan), EVALUATE, "{root}/extract-features/test/text_probs.npy: row 1 is not a probability distribution: expected non-negative numbers that sum to 1, found a sum of nan, a minimum of nan; run the command that makes the file"),
    ("probabilities to fuse are not numbers", array(TEXT, nan), FUSE, "{root}/extract-features/test/text_probs.npy: row 1 is not a probability distribution: expected non-negative numbers that sum to 1, found a sum of nan, a minimum of nan; run the command that makes the file"),
    ("vectors to fuse are not numbers", array("extract-features/test/text_vectors.npy", nan), NETWORK, "text-only: the model gives NaN or infinity for ad 1; train it again"),
    ("vectors to learn from are not numbers", array(TRAINED, nan), NETWORK, "text-only: text_vectors of ads to learn from have NaN or infinity; run adcat extract-features again"),
    ("probabilities behind an answer are not numbers", array("fuse/max/validation/probs.npy", nan), [*PREDICT, "--calibrate"], "{root}/fuse/max/validation/probs.npy: row 1 is not a probability distribution: expected non-negative numbers that sum to 1, found a sum of nan, a minimum of nan; run the command that makes the file"),
    ("probabilities do not add up to 1", array(FUSED, lambda a: a * 2), EVALUATE, "{root}/fuse/max/test/probs.npy: row 0 is not a probability distribution: expected non-negative numbers that sum to 1, found a sum of 2, a minimum of 0.2; run the command that makes the file"),
    ("probabilities are negative", array(TEXT, lambda a: a * 0 + np.float32([2, -1, 0])), GROUPS, "{root}/extract-features/test/text_probs.npy: row 0 is not a probability distribution: expected non-negative numbers that sum to 1, found a sum of 1, a minimum of -1; run the command that makes the file"),
    ("ads are no Parquet", put(ADS, b"PAR1"), EVALUATE, "{root}/split/ads.parquet is not a valid table of ads: Parquet file size is 4 bytes, smaller than the minimum file footer (8 bytes); run the command that makes it"),
    ("ads lack a column", ads(label=None), EVALUATE, "{root}/split/ads.parquet is not a valid table of ads: 'Field \"label\" does not exist in schema'; run the command that makes it"),
    ("ads lack their titles", ads(title=None), TRAIN, "{root}/split/ads.parquet is not a valid table of ads: 'Field \"title\" does not exist in schema'; run the command that makes it"),
    ("an ad has no title", ads(title=pa.nulls(COUNT, pa.string())), TRAIN, "{root}/split/ads.parquet is not a valid table of ads: an ad has no title; run the command that makes it"),
    ("an ad has no label", ads(label=pa.nulls(COUNT, pa.int32())), EVALUATE, "{root}/split/ads.parquet is not a valid table of ads: an ad has no label; run the command that makes it"),
    ("a label is no category's", ads(label=pa.array([3] * COUNT)), EVALUATE, "{root}/split/ads.parquet has labels of other than 3 categories; run the command that makes it"),
    ("a label is negative", ads(label=pa.array([-1] * COUNT)), EVALUATE, "{root}/split/ads.parquet has labels of other than 3 categories; run the command that makes it"),
    ("labels are text", ads(label=pa.array(["a"] * COUNT)), EVALUATE, "{root}/split/ads.parquet is not a valid table of ads: Failed to parse string: 'a' as a scalar of type int32; run the command that makes it"),
    ("titles are no UTF-8", ads(title=pa.array([b"\xe5"] * COUNT).cast(pa.string(), safe=False)), TRAIN, "{root}/split/ads.parquet is not a valid table of ads: In column 2: Invalid: Invalid UTF8 sequence at string index 0; run the command that makes it"),
    ("categories are an object", put(NAMES, b"{}"), EVALUATE, "{root}/split/categories.json is not a valid list of categories: expected two names at least, each once; run the command that makes it"),
    ("categories are numbers", put(NAMES, b"[1, 2, 3]"), EVALUATE, "{root}/split/categories.json is not a valid list of categories: expected two names at least, each once; run the command that makes it"),
    ("a category stands twice", put(NAMES, b'["a", "b", "b"]'), EVALUATE, "{root}/split/categories.json is not a valid list of categories: expected two names at least, each once; run the command that makes it"),
    ("one category is left", put(NAMES, b'["a"]'), EVALUATE, "{root}/split/categories.json is not a valid list of categories: expected two names at least, each once; run the command that makes it"),
    ("a category is missing", put(NAMES, b'["a", "b"]'), EVALUATE, "{root}/split/ads.parquet has labels of other than 2 categories; run the command that makes it"),
    ("a category is too many", put(NAMES, b'["a", "b", "c", "d"]'), EVALUATE, "{root}/extract-features/test/text_probs.npy: expected a row for each of 4 ads, 4 columns, found (4, 3); run the command that makes it"),
    ("a fused model is a list", put("fuse/max/params.json", b"[]"), EVALUATE, "{root}/fuse/max/params.json is not a valid fused model: 'list' object is not a mapping; run the command that makes it"),
    ("a fused model of an unknown kind", put("fuse/max/params.json", b'{"policy": [], "reads": [], "parameters": {}}'), EVALUATE, "{root}/fuse/max/params.json is not a valid fused model: unhashable type: 'list'; run the command that makes it"),
    ("a fused model with unknown parameters", put("fuse/max/params.json", b'{"policy": "max", "reads": [], "parameters": {"x": 1}}'), PREDICT, "{root}/fuse/max/params.json is not a valid fused model: got an unexpected keyword argument 'x'; run the command that makes it"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("sound") / "w").root


@pytest.fixture
def root(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "w")


def check(root, words, message):
    before = artifacts(root)
    found = refusal(run(root, *words)).replace(str(root), "{root}")
    assert found == message
    assert artifacts(root) == before


@pytest.mark.parametrize(
    ("change", "words", "message"), [case[1:] for case in EDITED], ids=[case[0] for case in EDITED]
)
def test_what_was_edited_is_refused_with_the_command_that_makes_it_again(
    root, change, words, message
):
    change(root)
    check(root, words, message)


@pytest.mark.parametrize(
    ("change", "words", "message"), [case[1:] for case in SEALED], ids=[case[0] for case in SEALED]
)
def test_what_is_not_as_promised_is_refused_although_its_manifest_vouches_for_it(
    root, change, words, message
):
    change(root)
    seal(root)
    check(root, words, message)


def test_a_cache_that_lies_about_its_form_is_not_used(root):
    for content in ("[]", '{"ads.parquet": 1}', '{"ads.parquet": [1, 2]}', "[" * 100_000):
        (root / ".cache/split.json").write_text(content)
        assert run(root, "evaluate", "--json").exit_code == 0
