"""Features from shards: what a single process makes, and nothing from shards that do not fit."""

import functools
import json
import shutil
import sys
from unittest import mock

import numpy as np
import pytest
from handmade import Made
from killing import kill, start
from pipeline import adcat, draw_ads, small_image_model, write_table
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.image import classifier
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import MANIFEST
from adcat.workspace.shards import Shard

SHARDS = [f"{number}/4" for number in range(1, 5)]
SMALL = ("--batch-size", 4)


def refused(workspace, *words):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])
    assert result.exit_code == 1, result.output
    return result.stderr.removeprefix("error: ").rstrip("\n")


def extract(workspace, *words):
    """As typed, so that the manifest has the command."""
    typed = ["adcat", "-w", workspace.root, "extract-features", *words]
    with mock.patch.object(sys, "argv", list(map(str, typed))):
        return adcat(workspace, "extract-features", *words)


def content(artifact):
    """The bytes of an artifact's files but for its manifest, and its digest."""
    files = (path for path in artifact.path.rglob("*") if path.suffix == ".npy")
    found = {path.relative_to(artifact.path): path.read_bytes() for path in files}
    return found, artifact.check().digest


def folder(workspace, shard):
    return workspace.classifier("image").shard(Shard.parse(shard))


@pytest.fixture
def without(copy):
    """A workspace without features."""
    shutil.rmtree(copy.features.path)
    return copy


@pytest.fixture(scope="module")
def four(finished, tmp_path_factory):
    """A workspace with four shards and without features; not to be changed."""
    made = Workspace(shutil.copytree(finished.root, tmp_path_factory.mktemp("four") / "w"))
    shutil.rmtree(made.features.path)
    for shard in SHARDS:
        extract(made, *SMALL, "--shard", shard)
    return made


@pytest.fixture
def sharded(four, tmp_path):
    """A copy of it that a test may change."""
    return Workspace(shutil.copytree(four.root, tmp_path / "w"))


@pytest.mark.parametrize("options", [SMALL, (*SMALL, "--image-layer", "mixed7")])
def test_shards_are_merged_into_what_one_process_writes(without, options):
    extract(without, *options)
    expected = content(without.features)
    shutil.rmtree(without.features.path)
    for shard in (3, 1, 4, 2):
        extract(without, *options, "--shard", f"{shard}/4")
    extract(without, *options, "--merge")
    assert content(without.features) == expected
    assert not (without.root / "shards").exists()
    assert "image: kept" in extract(without, *options, "--merge").stdout


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A classifier on a network that was left as it is, of ads some of which lack a photo."""
    made = tmp_path_factory.mktemp("frozen")
    ads = draw_ads(made)
    for ad in ads[::7]:
        ad["image"] = ""
    (made / ads[1]["image"]).write_bytes(b"no photo")
    write_table(made / "ads.csv", ads)
    workspace = Workspace(made / "w")
    parts = ("--validation", 0.3, "--test", 0.4, "--exact")
    adcat(workspace, "split", made / "ads.csv", *parts, "--keep-incomplete")
    adcat(workspace, "train-text", "--epochs", 5, "--dim", 4)
    words = ("--backbone", "efficientnet-lite0", "--stage", "head", "--image-size", 32)
    adcat(workspace, "train-image", *words, "--views", 2, "--folds", 2)
    return workspace


@pytest.mark.soak
@pytest.mark.parametrize("layer", ["vectors", "block10_add"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_so_are_those_of_networks_that_were_left_as_they_are(frozen, tmp_path, layer, is_kept):
    """Whether what the network makes of the photos was kept where it was trained or not."""
    options, found = (*SMALL, "--image-layer", layer), []
    for shards in ([], ["2/2", "1/2"]):
        workspace = Workspace(shutil.copytree(frozen.root, tmp_path / str(len(shards))))
        if not is_kept:
            shutil.rmtree(workspace.root / ".cache/vectors")
        for shard in shards:
            extract(workspace, *options, "--shard", shard)
        extract(workspace, *options, *["--merge"] * bool(shards))
        found.append(content(workspace.features))
    assert found[0] == found[1]
    assert len(found[0][0]) == 12
    probs = np.load(workspace.features / "train/image_probs.npy")
    out_of_fold = np.load(workspace.image_model / "train_probs.npy")
    np.testing.assert_array_equal(probs[np.isfinite(probs[:, 0])], out_of_fold)


@pytest.mark.soak
def test_two_at_once_of_which_one_is_killed_and_resumed(without):
    small = ("--batch-size", 1, "--shard")
    with start(without, "extract-features", *small, "2/2") as other:
        assert kill(without, "extract-features", *small, "1/2", before=80)  # of three a photo
        _, stderr = other.communicate()
        assert other.returncode == 0, stderr
    found = json.loads(adcat(without, "status", "--json").stdout)
    (unfinished,) = found["unfinished"]
    assert found["next"] == unfinished["command"]
    assert unfinished["artifact"] == "shards/extract-features/1-of-2"
    assert unfinished["command"].endswith("extract-features --batch-size 1 --shard 1/2")
    begun = list((without.root / ".partial").rglob("*.rows"))
    assert all(int(rows.read_text()) > 0 for rows in begun)
    assert begun
    extract(without, *small, "1/2")
    assert not list((without.root / ".partial").rglob("*.rows"))
    extract(without, "--batch-size", 1, "--merge")
    merged = content(without.features)
    shutil.rmtree(without.features.path)
    extract(without, "--batch-size", 1)
    assert content(without.features) == merged


def test_one_process_that_made_all_leaves_no_shards(sharded):
    staging = f".partial/{folder(sharded, '1/9').name}"
    (sharded.root / staging).mkdir(parents=True)
    extract(sharded)
    assert not (sharded.root / "shards").exists()
    assert not (sharded.root / staging).exists()


def test_what_is_done_is_not_done_again(sharded):
    before = folder(sharded, "2/4").manifest().record
    assert "2-of-4 is up to date" in extract(sharded, *SMALL, "--shard", "2/4").stdout
    assert folder(sharded, "2/4").manifest().record == before
    extract(sharded, "--shard", "2/4")  # with other settings
    assert folder(sharded, "2/4").manifest().record != before


def test_a_missing_shard_is_named(sharded):
    path = folder(sharded, "3/4").path
    shutil.rmtree(path)
    assert refused(sharded, "extract-features", *SMALL, "--merge") == (
        f"{path} is missing; make it: adcat -w {sharded.root} extract-features --shard 3/4"
    )
    assert not sharded.features.exists()


def test_a_torn_shard_is_named(sharded):
    path = folder(sharded, "3/4") / "train/vectors.npy"
    path.write_bytes(path.read_bytes()[:-8])
    assert refused(sharded, "extract-features", *SMALL, "--merge") == (
        f"{path} was edited; make it again: "
        f"adcat -w {sharded.root} extract-features --batch-size 4 --shard 3/4"
    )
    extract(sharded, *SMALL, "--shard", "3/4")
    extract(sharded, *SMALL, "--merge")


def image_model(workspace, seed):
    """Puts another image classifier into the place of the first."""
    with workspace.image_model.write(Made(seed), [workspace.split]) as staging:
        classifier.save(small_image_model(3), staging.folder)


def test_a_shard_of_another_model_is_named(sharded):
    image_model(sharded, seed=1)
    for shard in ("1/4", "2/4", "4/4"):
        extract(sharded, *SMALL, "--shard", shard)
    assert refused(sharded, "extract-features", *SMALL, "--merge") == (
        f"{folder(sharded, '3/4').path} was made from an older train-image (seed 0 became 1); make "
        f"it again: adcat -w {sharded.root} extract-features --batch-size 4 --shard 3/4"
    )


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("settings", "batch_size"), 8, "was made with batch_size 8, not 4 as "),
        (("notes", "image_engine"), "openvino-bfloat16",
         "was made with image_engine openvino-bfloat16, not tensorflow-float32 as "),
        (("record", "packages", "keras"), "2.0", "was made with keras 2.0, not "),
        (("settings", "shard"), "1/4", "is not shard 3/4; type: "),
    ],
)  # fmt: skip
def test_a_shard_of_other_settings_or_versions_is_named(sharded, keys, value, said):
    path = folder(sharded, "3/4") / MANIFEST
    manifest = json.loads(path.read_text())
    *outer, last = keys
    functools.reduce(dict.__getitem__, outer, manifest)[last] = value
    path.write_text(json.dumps(manifest))
    told = refused(sharded, "extract-features", *SMALL, "--merge")
    assert told.startswith(f"{path.parent} {said}")
    command = f"adcat -w {sharded.root} extract-features --batch-size 4 --shard 3/4"
    assert told.endswith(command)


def test_a_merge_has_the_options_of_the_shards(sharded):
    where = sharded.classifier("image").shards
    for options, said in (
        ((), "--batch-size 4, not 32"),
        ((*SMALL, "--image-layer", "mixed7"), "--image-layer vectors, not mixed7"),
    ):
        assert refused(sharded, "extract-features", *options, "--merge") == (
            f"the shards in {where} were made with {said}; give --merge the same options"
        )


def test_shards_of_two_numbers_are_not_mixed(sharded):
    extract(sharded, *SMALL, "--shard", "1/3")
    assert refused(sharded, "extract-features", *SMALL, "--merge") == (
        f"{sharded.classifier('image').shards}: there are shards of 3 and 4; "
        "remove those of one number"
    )


def test_what_does_not_go_together(without):
    where = without.classifier("image").shards
    assert refused(without, "extract-features", "--merge") == (
        f"{where}: no shards to merge were found; make them: adcat -w {without.root} "
        "extract-features --shard 1/N, and so on to N/N"
    )
    told = refused(without, "extract-features", "--shard", "1/2", "--modality", "text")
    assert "no classifier that is asked for runs a network over photos" in told
    assert "leave --dry-run out" in refused(without, "extract-features", "--merge", "--dry-run")
    adcat(without, "extract-features", "--shard", "1/2", "--dry-run")
    assert not where.exists()


def test_a_named_classifier_has_shards_of_its_own(copy):
    named = copy.classifier("image", "second")
    with named.model.write(Made(1), [copy.split]) as staging:
        classifier.save(small_image_model(3), staging.folder)
    before = copy.features.check().digest
    for shard in ("1/2", "2/2"):
        said = extract(copy, "--shard", shard).stdout
        assert "image: kept from an earlier run" in said
        assert f"second {shard}: {named.shards}" in said
    assert "second: " in extract(copy, "--merge").stdout
    merged = content(named.features)
    assert copy.features.check().digest == before
    shutil.rmtree(named.features.path)
    extract(copy)
    assert content(named.features) == merged


def test_status_says_what_is_missing_and_then_to_merge(without):
    extract(without, *SMALL, "--shard", "2/3")
    command = f"adcat -w {without.root} extract-features --batch-size 4"
    found = json.loads(adcat(without, "status", "--json").stdout)
    assert found["next"] == f"{command} --shard 1/3"
    assert found["shards"][0]["missing"] == ["1/3", "3/3"]
    said = " ".join(adcat(without, "status").stdout.split())
    assert "shards of extract-features: 1 of 3 are there; missing, edited or stale: 1/3" in said
    with folder(without, "1/3").write(Made()):  # as if it were being made
        found = json.loads(adcat(without, "status", "--json").stdout)
    assert found["next"] == f"{command} --shard 3/3"
    for shard in ("1/3", "3/3"):
        extract(without, *SMALL, "--shard", shard)
    assert json.loads(adcat(without, "status", "--json").stdout)["next"] == f"{command} --merge"
    extract(without, *SMALL, "--merge")
    assert json.loads(adcat(without, "status", "--json").stdout)["shards"] == []
