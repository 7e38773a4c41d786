import dataclasses
import errno
import fcntl
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.errors import BadInputError, BusyError, MissingArtifactError, StaleArtifactError
from adcat.files import link_or_copy
from adcat.types import MODALITIES
from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models


@dataclasses.dataclass(frozen=True)
class Choice:
    seed: int = 0


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "w")


def write(artifact, text, inputs=(), choice=Choice(), file="a.txt"):
    with artifact.write(choice, inputs) as staging:
        (staging.folder / file).write_text(text)
    return artifact.manifest()


def hidden_files(workspace):
    return sorted(
        path.name
        for path in (workspace.root / ".partial").rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def test_a_missing_artifact_names_the_command(workspace, tmp_path, monkeypatch):
    expected = r"w/split is missing; make it: adcat -w .* split ADS"
    with pytest.raises(MissingArtifactError, match=expected):
        workspace.split.check()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingArtifactError, match=r"adcat fuse --policy product-max$"):
        Workspace(Path("artifacts")).fused("product-max").check()


def test_the_manifest_tells_settings_inputs_files_and_notes(workspace):
    first = write(workspace.split, "one")
    with workspace.text_model.write(Choice(3), [workspace.split]) as staging:
        (staging.folder / "model.txt").write_text("weights")
        staging.notes["fitted_on"] = "train"
    manifest = workspace.text_model.check()
    assert manifest.settings == {"seed": 3}
    assert manifest.inputs == {"split": first.digest}
    assert list(manifest.files) == ["model.txt"]
    assert manifest.notes == {"fitted_on": "train"}
    assert {"created", "seconds", "packages", "command_line"} <= set(manifest.record)


def test_a_failed_write_leaves_the_old_artifact_and_nothing_else(workspace):
    write(workspace.split, "old")
    with pytest.raises(ZeroDivisionError), workspace.split.write(Choice()) as staging:
        (staging.folder / "a.txt").write_text("new")
        raise ZeroDivisionError
    assert (workspace.split / "a.txt").read_text() == "old"
    workspace.split.check()
    assert hidden_files(workspace) == []


def test_an_artifact_made_from_an_older_one_is_refused_through_any_number_of_steps(workspace):
    write(workspace.split, "one")
    write(workspace.text_model, "weights", [workspace.split])
    write(workspace.features, "vectors", [workspace.text_model])
    workspace.features.check()
    write(workspace.split, "two")
    with pytest.raises(
        StaleArtifactError, match=r"train-text was made from an older split; make it again: adcat"
    ):
        workspace.features.check()
    with pytest.raises(StaleArtifactError):
        write(workspace.fused("max"), "probs", [workspace.features])


def test_the_command_to_type_first_is_named(workspace):
    """The features are older than the split too, but made from a model that has to come first."""
    write(workspace.split, "one")
    write(workspace.text_model, "weights", [workspace.split])
    write(workspace.features, "vectors", [workspace.split, workspace.text_model])
    write(workspace.split, "two")
    with pytest.raises(StaleArtifactError, match=r"make it again: adcat -w \S+ train-text$"):
        workspace.features.check()


def test_an_equal_run_makes_nothing_stale(workspace):
    write(workspace.split, "one")
    write(workspace.text_model, "weights", [workspace.split])
    write(workspace.split, "one")
    workspace.text_model.check()


def test_other_settings_make_another_artifact(workspace):
    assert (
        write(workspace.split, "one").digest
        != write(workspace.split, "one", choice=Choice(1)).digest
    )


@pytest.mark.parametrize("edit", ["longer text", "two"], ids=["other size", "same size"])
def test_an_edited_file_is_noticed(workspace, edit):
    write(workspace.split, "one")
    (workspace.split / "a.txt").write_text(edit)
    with pytest.raises(StaleArtifactError, match=r"a\.txt was edited; make it again"):
        workspace.split.check()


def test_a_deleted_file_is_noticed(workspace):
    write(workspace.split, "one")
    (workspace.split / "a.txt").unlink()
    with pytest.raises(StaleArtifactError, match="was edited"):
        workspace.split.check()


def test_a_copied_workspace_is_sound(workspace, tmp_path):
    write(workspace.split, "one")
    write(workspace.text_model, "weights", [workspace.split])
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copy.root, copy_function=shutil.copyfile)
    copy.text_model.check()
    shutil.rmtree(copy.root / ".cache")
    copy.text_model.check()


def test_contents_are_read_again_only_where_size_or_time_changed(workspace, monkeypatch):
    write(workspace.split, "one")
    workspace.split.check()
    monkeypatch.setattr("hashlib.file_digest", None)  # reading would now fail
    workspace.split.check()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}'])
def test_a_broken_manifest_is_an_error_that_names_the_command(workspace, content):
    write(workspace.split, "one")
    (workspace.split / "manifest.json").write_text(content)
    with pytest.raises(StaleArtifactError, match=r"not a manifest of adcat; make it again: adcat"):
        workspace.split.check()


def test_a_manifest_of_a_newer_adcat_is_refused(workspace):
    write(workspace.split, "one")
    path = workspace.split / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(StaleArtifactError, match="has schema 99"):
        workspace.split.check()


def test_two_writers_exclude_each_other(workspace):
    with (
        workspace.split.write(Choice()),
        pytest.raises(BusyError, match="another adcat is writing"),
        workspace.split.write(Choice()),
    ):
        pass
    write(workspace.split, "one")  # the lock went with its owner


def test_an_interrupted_run_finds_its_work_again_and_another_run_does_not(workspace):
    def attempt(choice, fail):
        with workspace.split.write(choice, resume=True) as staging:
            found = [path.name for path in staging.checkpoints.iterdir()]
            (staging.checkpoints / "half").write_text("work")
            if fail:
                raise KeyboardInterrupt
        return found

    with pytest.raises(KeyboardInterrupt):
        attempt(Choice(), fail=True)
    assert attempt(Choice(1), fail=False) == []
    assert attempt(Choice(), fail=False) == ["half"]
    assert [path.name for path in workspace.split.path.iterdir()] == ["manifest.json"]
    assert hidden_files(workspace) == []


def test_a_kill_between_the_two_renames_is_mended(workspace):
    write(workspace.split, "one")
    workspace.split.path.rename(workspace.root / ".partial" / "split.old")
    workspace.repair()
    workspace.split.check()
    assert (workspace.split / "a.txt").read_text() == "one"


def test_a_reader_waits_while_an_artifact_is_being_replaced(workspace):
    made = write(workspace.fused("max"), "one")
    aside = workspace.root / ".partial/fuse/max.old"
    with (
        (workspace.root / ".partial/fuse/max.reading.lock").open() as file,
        ThreadPoolExecutor() as threads,
    ):
        fcntl.flock(file, fcntl.LOCK_EX)  # as a writer does for its two renames
        workspace.fused("max").path.rename(aside)
        checked = threads.submit(workspace.fused("max").check)
        listed = threads.submit(workspace.variants, "fuse")
        time.sleep(0.1)
        aside.rename(workspace.fused("max").path)
        fcntl.flock(file, fcntl.LOCK_UN)
        assert checked.result() == made
        assert listed.result() == [workspace.fused("max")]


@pytest.mark.soak
def test_drafts_that_are_sealed_while_they_are_listed_do_no_harm(workspace):
    def write_often():
        for seed in range(300):
            with workspace.split.write(Choice(seed), resume=True):
                pass

    with ThreadPoolExecutor() as threads:
        writing = threads.submit(write_often)
        while not writing.done():
            assert len(workspace.split.staging_area.unfinished()) <= 1
        writing.result()


def test_a_disk_without_hard_links_gets_a_copy(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "a").write_text("content")
    (tmp_path / "b").write_text("old")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "content"


READING = """
import fcntl, sys
from pathlib import Path
fcntl.flock = fcntl.lockf
from adcat.workspace.artifact import reading
from adcat.workspace.layout import Workspace
with reading([Workspace(Path(sys.argv[1])).split]):
    print("reading", flush=True)
    sys.stdin.read()
"""


def test_locks_that_want_a_file_open_for_reading_and_writing_work(workspace, monkeypatch):
    """NFS keeps `flock` as a lock of the file's bytes, which a shared one must be able to read."""
    write(workspace.split, "one")
    words = [sys.executable, "-c", READING, workspace.root]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True) as reader:
        assert reader.stdout.readline() == "reading\n"
        monkeypatch.setattr("fcntl.flock", fcntl.lockf)
        with pytest.raises(BusyError, match="another adcat is reading"):
            write(workspace.split, "two")
        reader.communicate()
    write(workspace.split, "two")


def test_a_disk_without_locks_is_named_with_the_remedy(workspace, monkeypatch):
    def refuse(file, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "split", "ads.csv"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: {workspace.root}/.partial/split.writing.lock: No locks available; this disk "
        "cannot lock files: put the workspace on another (-w DIR)"
    )


def test_a_kill_after_both_renames_is_mended(workspace):
    write(workspace.split, "old")
    shutil.copytree(workspace.split.path, workspace.root / ".partial" / "split.old")
    write(workspace.split, "new")
    assert (workspace.split / "a.txt").read_text() == "new"
    assert not (workspace.root / ".partial" / "split.old").exists()


def test_a_read_only_workspace_can_be_read(workspace):
    write(workspace.split, "one")
    shutil.rmtree(workspace.root / ".cache")
    (workspace.root / ".cache").write_text("a file where the folder should be")
    workspace.split.check()


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "-a", "a/b", ".a"])
def test_a_model_name_cannot_leave_its_folder(workspace, name):
    with pytest.raises(BadInputError, match="not a valid model name"):
        workspace.fused(name)


PIECES = ["attend-", "fuse-", "text", "image", "c-wh", "x", "-"]


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)))
def test_two_models_never_have_one_name(tmp_path_factory, names):
    """Neither of those that commands make, nor of folders that somebody has copied."""
    workspace = Workspace(tmp_path_factory.mktemp("w"))
    (workspace.features.path / "test").mkdir(parents=True)
    for modality in MODALITIES:
        (workspace.features / f"test/{modality}_probs.npy").touch()
    for name in names:
        for make in (workspace.fused, workspace.attention):
            with suppress(BadInputError):
                make(name).path.mkdir(parents=True, exist_ok=True)
        (workspace.root / "fuse" / name).mkdir(parents=True, exist_ok=True)
    models = all_models(workspace)
    assert len({model.name for model in models}) == len(models)


def test_an_attention_model_has_the_name_that_it_is_given_after_attend(workspace):
    for name in ("c-wh", "attend-c-wh", "whole"):
        workspace.attention(name).path.mkdir(parents=True, exist_ok=True)
    assert [model.name for model in all_models(workspace)] == ["attend-c-wh", "attend-whole"]
    for name in ("text", "image", "attend-c-wh"):
        with pytest.raises(BadInputError, match=f"'{name}' is not a valid .* not text, image or"):
            workspace.fused(name)


def test_variants_are_listed_by_name(workspace):
    for name in ("sum-max", "max"):
        write(workspace.fused(name), "probs")
    assert [artifact.name for artifact in workspace.variants("fuse")] == [
        "fuse/max",
        "fuse/sum-max",
    ]
    assert workspace.variants("attend") == []
