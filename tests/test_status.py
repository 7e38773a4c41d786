"""What `adcat status` says of a workspace."""

import dataclasses
import json
import os
import re
import shutil

import pytest
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.errors import AdcatError
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace


@dataclasses.dataclass(frozen=True)
class Choice:
    seed: int = 0
    dim: int = 10


INPUTS = {
    "split": [],
    "train-text": ["split"],
    "train-image": ["split"],
    "extract-features": ["split", "train-text", "train-image"],
    "fuse/max": ["split", "extract-features"],
    "evaluate": ["split", "extract-features", "fuse/max"],
    "error-groups": ["split", "extract-features", "fuse/max"],
}


def artifact(workspace, name):
    return {a.name: a for a in [*workspace.artifacts(), workspace.fused("max")]}[name]


def make(workspace, name, choice=Choice(), text="content"):
    inputs = [artifact(workspace, source) for source in INPUTS[name]]
    with artifact(workspace, name).write(choice, inputs) as staging:
        (staging.folder / "file.txt").write_text(text)


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w")
    for name in INPUTS:
        make(made, name)
    return made


def run(workspace, *words):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "status", *words])
    assert result.exit_code == 0, result.output
    return result


def look(workspace, *words):
    return json.loads(run(workspace, "--json", *words).stdout)


def states(workspace, *words):
    return {a["artifact"]: a["state"] for a in look(workspace, *words)["artifacts"]}


def whys(workspace):
    return {a["artifact"]: a["why"] for a in look(workspace)["artifacts"] if a["why"]}


def files(root):
    """Everything with its time."""
    return {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}


def test_a_workspace_that_is_not_there_begins_with_split(tmp_path):
    nowhere = Workspace(tmp_path / "nowhere")
    found = look(nowhere)
    assert {a["state"] for a in found["artifacts"]} == {"missing"}
    assert [a["artifact"] for a in found["artifacts"]] == [
        "split", "train-text", "train-image", "extract-features", "fuse/stack", "evaluate",
        "error-groups",
    ]  # fmt: skip
    assert found["next"] == f"adcat -w {nowhere.root} split ADS"
    assert not nowhere.root.exists()


def test_the_next_command_follows_the_chain(tmp_path):
    workspace, seen = Workspace(tmp_path / "w"), []
    for name in INPUTS:
        seen.append(look(workspace)["next"].removeprefix(f"adcat -w {workspace.root} "))
        make(workspace, name)
    assert seen == [
        "split ADS", "train-text", "train-image", "extract-features", "fuse --policy stack",
        "evaluate", "error-groups",
    ]  # fmt: skip
    assert look(workspace)["next"] is None
    assert "everything is current" in run(workspace).stdout


def test_the_table_shows_state_size_and_age(workspace):
    (workspace.split / "file.txt").write_text("edited")
    shown = run(workspace).stdout
    assert re.search(r"split +damaged +[\d.]+ k?B +\d+ s +split/file.txt was edited", shown)
    assert re.search(r"fuse/max +stale +[\d.]+ k?B +\d+ s +split/file.txt was edited", shown)
    assert re.search(r"^next: \S", shown, re.MULTILINE)


def test_every_artifact_is_told_with_its_size_and_its_command(workspace):
    for one in look(workspace)["artifacts"]:
        folder = workspace.root / one["artifact"]
        assert one["bytes"] == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        assert one["sound"]
        assert 0 <= one["seconds_old"] < 3600
        assert one["command"]


def test_a_new_split_makes_all_that_follows_stale_and_the_reason_is_the_setting(workspace):
    make(workspace, "split", Choice(seed=1, dim=20))
    assert states(workspace) == dict.fromkeys(INPUTS, "stale") | {"split": "current"}
    reason = "train-text was made from an older split (dim 10 became 20, seed 0 became 1)"
    assert whys(workspace)["train-text"] == reason
    assert look(workspace)["next"] == f"adcat -w {workspace.root} train-text"


def test_other_data_with_the_same_settings_is_an_older_input(workspace):
    make(workspace, "split", text="other rows")
    assert whys(workspace)["train-image"] == "train-image was made from an older split"


def test_what_follows_tells_the_root_of_its_staleness(workspace):
    make(workspace, "train-text", Choice(dim=20))
    reason = "extract-features was made from an older train-text (dim 10 became 20)"
    behind = ("extract-features", "fuse/max", "evaluate", "error-groups")
    assert whys(workspace) == dict.fromkeys(behind, reason)


def test_an_input_that_is_gone_makes_stale_and_names_itself(workspace):
    shutil.rmtree(workspace.text_model.path)
    found = states(workspace)
    assert (found["train-text"], found["train-image"]) == ("missing", "current")
    assert whys(workspace)["fuse/max"] == "train-text is missing"
    assert look(workspace)["next"] == f"adcat -w {workspace.root} train-text"


def test_an_equal_run_leaves_everything_current(workspace):
    make(workspace, "split")
    assert set(states(workspace).values()) == {"current"}


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}'])
def test_an_unreadable_manifest_is_damage(workspace, content):
    (workspace.features / "manifest.json").write_text(content)
    assert states(workspace)["extract-features"] == "damaged"


def test_a_manifest_that_names_itself_is_damage(workspace):
    path = workspace.split / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "inputs": {"split": "0"}}))
    assert whys(workspace)["split"].endswith(
        "names the artifact itself among what it was made from"
    )


def test_only_verify_sees_an_edit_that_left_size_and_time_as_they_were(workspace):
    path = workspace.features / "file.txt"
    times = path.stat()
    path.write_text("CONTENT")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert states(workspace)["extract-features"] == "current"
    assert states(workspace, "--verify")["extract-features"] == "damaged"
    assert states(workspace)["extract-features"] == "current"  # it changes nothing


def test_it_agrees_with_the_check_of_every_command(workspace):
    make(workspace, "train-text", Choice(dim=20))
    (workspace.fused("max") / "file.txt").unlink()
    for name, state in states(workspace).items():
        try:
            artifact(workspace, name).check()
            is_sound = True
        except AdcatError:
            is_sound = False
        assert is_sound == (state == "current"), name


def test_it_changes_nothing(workspace):
    make(workspace, "split", Choice(seed=1))
    shutil.rmtree(workspace.root / ".cache")
    before = files(workspace.root)
    for options in ([], ["--verify"], ["--json"]):
        run(workspace, *options)
    assert files(workspace.root) == before


def test_what_a_killed_command_left_is_told_and_not_mended(workspace):
    shutil.copytree(workspace.split.path, workspace.root / ".partial/split/draft")
    workspace.split.path.rename(workspace.root / ".partial/split.old")
    before = files(workspace.root)
    found = look(workspace, "--verify")
    assert found["artifacts"][0]["state"] == "damaged"
    assert found["artifacts"][0]["why"] == (
        "split was being replaced by a command that was killed; any other command mends it"
    )
    assert found["unfinished"] == []
    assert files(workspace.root) == before
    workspace.repair()
    assert set(states(workspace).values()) == {"current"}


def interrupt(workspace, choice):
    inputs = [workspace.split]
    writing = workspace.image_model.write(choice, inputs, resume=True)
    with pytest.raises(ZeroDivisionError), writing as staging:
        (staging.checkpoints / "state").write_text("half way")
        raise ZeroDivisionError


def test_an_unfinished_draft_waits_for_the_same_command(workspace):
    shutil.rmtree(workspace.image_model.path)
    interrupt(workspace, Choice(seed=7))
    (staging,) = look(workspace)["unfinished"]
    assert (staging["artifact"], staging["state"]) == ("train-image", "waiting")
    assert staging["bytes"] > 0
    assert look(workspace)["next"] == staging["command"]
    assert f"resume: {staging['command']}" in run(workspace).stdout
    make(workspace, "split", Choice(seed=1))
    (staging,) = look(workspace)["unfinished"]
    assert staging["state"] == "outdated"
    assert f"its inputs changed since; remove: {staging['folder']}" in run(workspace).stdout


def test_what_is_being_written_is_told(workspace):
    with workspace.image_model.write(Choice(seed=7), [workspace.split]):
        (staging,) = look(workspace)["unfinished"]
        assert (staging["artifact"], staging["state"]) == ("train-image", "being written")
        assert "being written now: train-image" in run(workspace).stdout
    assert look(workspace)["unfinished"] == []


def test_the_first_draft_of_a_variant_is_seen(workspace):
    with workspace.fused("new").write(Choice(), [workspace.split]):
        assert [staging["artifact"] for staging in look(workspace)["unfinished"]] == ["fuse/new"]


def test_the_next_command_is_that_of_the_last_time_in_this_workspace(workspace, monkeypatch):
    typed = ["adcat", "-w", "else where", "train-text", "--model", "tfidf"]
    monkeypatch.setattr("sys.argv", typed)
    make(workspace, "train-text")
    make(workspace, "split", Choice(seed=1))
    assert look(workspace)["next"] == f"adcat -w {workspace.root} train-text --model tfidf"


def test_the_last_time_is_found_whatever_the_workspace_is_called(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "split")
    for where in (["-w", "split"], ["--workspace=split"]):
        monkeypatch.setattr("sys.argv", ["adcat", *where, "split", "ads.csv"])
        make(workspace, "split")
        (workspace.split / "file.txt").write_text("edited")
        assert look(workspace)["next"] == f"adcat -w {workspace.root} split ads.csv"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("fuse/mine", "fuse --policy POLICY --name mine"),
        ("attend/mine-too", "attend --name mine-too"),
        ("attend/c-wh", "attend --insert-at c --over wh"),
    ],
)
def test_a_model_with_a_name_of_its_own_is_made_again_under_that(workspace, name, command):
    model = Artifact(workspace.root, name)
    with model.write(Choice(), [workspace.features]):
        pass
    (model / "manifest.json").write_text("edited")
    assert look(workspace)["next"] == f"adcat -w {workspace.root} {command}"


def test_a_copy_without_its_cache_is_sound(workspace, tmp_path):
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copy.root, ignore=shutil.ignore_patterns(".cache", ".partial"))
    assert set(states(copy).values()) == {"current"}
