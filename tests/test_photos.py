"""Photos that changed or went away after `split`: every command that reads photos says so."""

import contextlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from handmade import make_split
from pipeline import draw_ads, write_table
from typer.testing import CliRunner

from adcat.cli.app import COMMANDS, app
from adcat.errors import StaleArtifactError
from adcat.files import write_json
from adcat.workspace.ads import image_paths, photos_of
from adcat.workspace.digests import Look
from adcat.workspace.layout import Workspace
from adcat.workspace.photos import check_photos, photo_changes
from adcat.workspace.shards import Shard

RUNS = {
    "split": None,  # looks at the photos afresh
    "train-text": ("--model", "tfidf"),
    "train-image": ("--backbone", "efficientnet-lite0", "--stage", "head", "--image-size", 32),
    "extract-features": (),
    "fuse": ("--policy", "max"),
    "attend": ("--stage", "attention", "--epochs", 1),
    "similar": (),
    "evaluate": (),
    "error-groups": (),
    "predict": ("--title", "volvo"),
    "export": ("exported", "--model", "product-max"),
    "status": (),
}
READ_NONE = ("train-text", "fuse", "predict")
CHANGED = r"photos in \S+: [\d,]+ changed since the split, such as \S+; type: adcat"
WATCHED = []  # sets of paths, for those that are opened
MEANWHILE = []  # photos that change when another one is opened


@sys.addaudithook
def _watch(event, arguments):
    if event == "open":
        for paths in WATCHED:
            paths.add(str(arguments[0]))
    if event == "open" and MEANWHILE and str(arguments[0]).endswith(".jpg"):
        with MEANWHILE.pop().open("ab") as photo:
            photo.write(b"more")


@contextlib.contextmanager
def watching():
    """Yields the paths that are opened in the block."""
    WATCHED.append(set())
    yield WATCHED[-1]
    WATCHED.clear()


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])


@pytest.fixture
def split(tmp_path):
    """Makes a split of 20 ads, in the folder of their photos."""
    ads = draw_ads(tmp_path, 20)

    def make(*options):
        write_table(tmp_path / "ads.csv", ads)
        workspace = Workspace(tmp_path / "w")
        result = run(workspace, "split", tmp_path / "ads.csv", *options)
        assert result.exit_code == 0, result.output
        return workspace.split

    return make


def photos(workspace):
    return workspace.root.parent / "photos"


def change(path):
    """Another file of the same length, which still is a photo."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.fixture
def moved(copy):
    """The finished workspace, its photos beside it."""
    manifest = json.loads((copy.split / "manifest.json").read_text())
    manifest["record"]["images"] = str(copy.root.parent)
    write_json(copy.split / "manifest.json", manifest)
    return copy


@pytest.mark.parametrize("command", [name for name in COMMANDS if RUNS[name] is not None])
def test_whichever_command_opens_a_photo_says_that_it_changed(moved, command, monkeypatch):
    if command == "extract-features":  # it keeps what is current
        shutil.rmtree(moved.features.path)
    for photo in photos(moved).iterdir():
        change(photo)
    monkeypatch.chdir(moved.root.parent)
    with watching() as opened:
        result = run(moved, command, *RUNS[command])
    has_read = any(path.startswith(f"{photos(moved)}/") for path in opened)
    said = re.findall(CHANGED, " ".join(result.output.split()))
    assert len(said) == has_read
    assert has_read == (command not in READ_NONE)
    shows = ("similar", "evaluate", "error-groups", "status")
    assert result.exit_code == (1 if has_read and command not in shows else 0)


@pytest.mark.parametrize(
    "words",
    [
        ["extract-features"],
        ["attend", *RUNS["attend"]],
        pytest.param(["attend", *RUNS["attend"], "--search"], marks=pytest.mark.soak),
        pytest.param(["train-image", *RUNS["train-image"]], marks=pytest.mark.soak),
    ],
)
def test_a_photo_that_changes_while_photos_are_read_is_noticed_at_the_end(moved, words):
    if words == ["extract-features"]:
        shutil.rmtree(moved.features.path)
    check_photos(moved.split)
    before = sorted(moved.root.rglob("manifest.json"))
    MEANWHILE.append(photos(moved) / "59.jpg")
    result = run(moved, *words)
    assert not MEANWHILE
    assert result.exit_code == 1
    assert re.findall(CHANGED, " ".join(result.output.split()))
    assert sorted(moved.root.rglob("manifest.json")) == before  # and nothing to be resumed


def test_a_shard_looks_at_its_own_photos_only(moved):
    shutil.rmtree(moved.features.path)
    gone = Path(image_paths(moved.split, "test")[-1])
    gone.unlink()
    assert run(moved, "extract-features", "--shard", "1/2").exit_code == 0
    result = run(moved, "extract-features", "--shard", "2/2")
    assert result.exit_code == 1
    assert f"1 is gone since the split, such as photos/{gone.name}" in result.stderr
    found = [photos_of(moved.split, Shard(number, 2).rows) for number in (1, 2)]
    assert (found[0] ^ found[1]).all()
    assert [photo_changes(moved.split, among=of_shard) for of_shard in found] == [
        {}, {f"photos/{gone.name}": "gone"}
    ]  # fmt: skip


def test_an_untouched_photo_is_not_read_again(split):
    found = split()
    with watching() as opened:
        assert photo_changes(found) == {}
    assert not [path for path in opened if path.endswith(".jpg")]


def test_what_changed_and_what_is_gone_is_counted_by_photos(split):
    found = split()
    folder = found.root.parent / "photos"
    (folder / "0.jpg").write_bytes(b"other")
    (folder / "1.jpg").unlink()
    (folder / "2.jpg").rename(folder / "moved.jpg")
    (folder / "3.jpg").unlink()
    (folder / "3.jpg").mkdir()
    with pytest.raises(StaleArtifactError) as refused:
        check_photos(found)
    assert str(refused.value) == (
        f"photos in {found.root.parent}: 1 changed and 3 are gone since the split, such as "
        f"photos/0.jpg; type: adcat -w {found.root} split ADS"
    )
    shutil.rmtree(folder)
    assert set(photo_changes(found).values()) == {"gone"}


def test_a_folder_that_is_gone_is_asked_for(split, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    found = split("--images", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere")
    with pytest.raises(StaleArtifactError, match=r"20 are gone .* --images DIR$"):
        check_photos(found)


@pytest.mark.parametrize("kept", [True, False])
def test_a_copied_photo_is_the_same_and_its_time_is_remembered(split, kept):
    found = split()
    if not kept:
        (found.root / ".cache/photos.json").unlink()  # as in a workspace of an older adcat
    os.utime(found.root.parent / "photos/0.jpg", (0, 0))
    for expected in ({"0.jpg"} if kept else {f"{i}.jpg" for i in range(20)}, set()):
        with watching() as opened:
            assert photo_changes(found) == {}
        assert {Path(path).name for path in opened if path.endswith(".jpg")} == expected


def test_without_a_check_size_and_time_tell(split):
    found, digest = split("--image-check", "none"), lambda: found.manifest().digest
    assert photo_changes(found) == {}
    before = digest()
    change(found.root.parent / "photos/0.jpg")
    assert photo_changes(found) == {"photos/0.jpg": "changed"}
    split("--image-check", "none")
    assert photo_changes(found) == {}
    assert digest() != before  # so that what was made from it is stale


def test_a_photo_without_a_recorded_digest_only_has_to_be_there(tmp_path):
    """As in a split that an older adcat made with --image-check none."""
    workspace = Workspace(tmp_path / "w")
    make_split(workspace, ["a", "b"], {"train": [0, 1]}, images=tmp_path)
    (tmp_path / "train-0.png").write_bytes(b"")
    assert photo_changes(workspace.split) == {"train-1.png": "gone"}


def test_ads_without_a_photo_have_none_that_could_change(tmp_path):
    ads = draw_ads(tmp_path, 20)
    ads[0]["image"], ads[1]["image"] = "", "photos/none.jpg"
    write_table(tmp_path / "ads.csv", ads)
    workspace = Workspace(tmp_path / "w")
    result = run(workspace, "split", tmp_path / "ads.csv", "--keep-incomplete")
    assert result.exit_code == 0, result.output
    change(tmp_path / "photos/5.jpg")
    assert photo_changes(workspace.split) == {"photos/5.jpg": "changed"}


def test_every_byte_finds_a_change_that_kept_size_and_time(split):
    found = split()
    photo = found.root.parent / "photos/7.jpg"
    time = photo.stat().st_mtime_ns
    change(photo)
    os.utime(photo, ns=(time, time))
    assert photo_changes(found) == {}
    assert photo_changes(found, Look(every_byte=True)) == {"photos/7.jpg": "changed"}
    assert photo_changes(found) == {"photos/7.jpg": "changed"}  # it is not forgotten


def test_status_does_not_even_remember_what_it_saw(split):
    found = split()
    folder = found.root.parent / "photos"
    os.utime(folder / "0.jpg", (0, 0))
    change(folder / "1.jpg")
    cache = found.root / ".cache/photos.json"
    before = cache.read_bytes()
    assert "1 changed since the split" in run(Workspace(found.root), "status", "--json").output
    assert cache.read_bytes() == before


def test_a_cache_that_lies_about_its_form_is_not_used(split):
    found = split()
    table = found.manifest().files["ads.parquet"]
    for stamps in ("[]", "5", "[1, {}]", "null", "[" * 100_000):
        (found.root / ".cache/photos.json").write_text(f'{{"ads": "{table}", "stamps": {stamps}}}')
        assert photo_changes(found) == {}
    (found.root / ".cache/photos.json").write_text("[]")
    assert photo_changes(found) == {}
