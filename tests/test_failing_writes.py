"""A full disk, no permission: told in one line, and what was there before still is."""

import contextlib
import resource
import shutil
import subprocess
import sys

import pytest
from pipeline import adcat
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.files import read_json_lines
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace

ATTEND = ("attend", "--stage", "attention", "--epochs", 1, "--name", "new")
COMMANDS = {
    "split": ("split", "ads.csv"),
    "train-text": ("train-text", "--epochs", 3),
    "train-text tfidf": ("train-text", "--model", "tfidf"),
    "train-text cnn": ("train-text", "--model", "cnn", "--cnn-epochs", 1),
    "extract-features": ("extract-features",),
    "fuse": ("fuse", "--policy", "max", "--name", "product-max"),
    "fuse network": ("fuse", "--policy", "nn", "--max-epochs", 1, "--name", "product-max"),
    "attend": ATTEND,
    "similar": ("similar", "--k", 5),
    "evaluate": ("evaluate",),
    "error-groups": ("error-groups",),
}


SLOW = {"train-text cnn", "fuse network", "attend", "similar", "evaluate", "error-groups"}


@contextlib.contextmanager
def files_up_to(size):
    """Lets every write beyond so many bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(workspace, *words):
    words = [workspace.root.parent / word if word == "ads.csv" else word for word in words]
    return CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(workspace, target, before, result):
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert result.stderr.count("error: ") == 1
    assert content(target.path) == before
    found = (workspace.root / ".partial").rglob("draft")
    assert list(found) == []  # nothing is left but what a later run goes on with


def target_of(workspace, command):
    named = {"fuse": "fuse/product-max", "attend": "attend/new"}
    return Artifact(workspace.root, named.get(command, command))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.soak] * (name in SLOW)) for name in COMMANDS]
)
def test_a_failing_write_leaves_the_old_artifact(copy, tmp_path, name):
    workspace, words = copy, COMMANDS[name]
    target = target_of(workspace, words[0])
    if name == "extract-features":
        adcat(workspace, "train-text", "--epochs", 1)
    if name == "attend":
        adcat(workspace, *words, "--seed", 1)
    before = content(target.path)
    whole = Workspace(tmp_path / "whole" / workspace.root.name)
    shutil.copytree(workspace.root.parent, whole.root.parent)
    assert run(whole, *words).exit_code == 0
    largest = max(map(len, content(target_of(whole, words[0]).path).values()))
    for share in (0.02, 0.99):
        with files_up_to(int(largest * share)):
            result = run(workspace, *words)
        check(workspace, target, before, result)
    assert run(workspace, *words).exit_code == 0
    assert target.check().digest == target_of(whole, words[0]).check().digest


def test_a_search_on_a_full_disk_goes_on_once_there_is_room(copy, tmp_path):
    words = ("train-text", "--tune", 3, "--tune-fraction", 1, "--bucket", 1000)
    before = content(copy.text_model.path)
    with files_up_to(1000):  # less than the texts that fastText reads
        check(copy, copy.text_model, before, run(copy, *words))
    assert run(copy, *words).exit_code == 0
    trials = read_json_lines(copy.text_model / "trials.jsonl")
    assert [trial["status"] for trial in trials] == ["ok"] * 3


FILLING = """
import sys
from pathlib import Path
from adcat.files import create_array
try:
    create_array(Path(sys.argv[1]), 1000, 1000)[:] = 1
except OSError as error:
    print(error.strerror)
"""


def test_an_array_that_does_not_fit_on_the_disk_is_an_error_and_not_a_fatal_signal(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be made here")
    try:
        words = [sys.executable, "-c", FILLING, tmp_path / "array.npy"]
        done = subprocess.run(words, capture_output=True, text=True)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert done.stdout == "No space left on device\n"


def test_a_model_that_was_saved_only_in_part_is_noticed(tmp_path):
    """fastText itself says nothing, and the part that is lost may be smaller than the words."""
    import fasttext

    from adcat.text.fasttext_model import FastTextModel

    lines = "".join(f"__label__{i % 2} {'w' * 50}{i}\n" for i in range(500))
    (tmp_path / "lines.txt").write_text(lines)
    trained = fasttext.train_supervised(str(tmp_path / "lines.txt"), dim=2, bucket=0, verbose=0)
    model = FastTextModel(trained, 2)
    model.save(tmp_path)
    size = (tmp_path / "model.bin").stat().st_size
    with files_up_to(size - 1), pytest.raises(OSError, match="written only in part"):
        model.save(tmp_path)


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path):
    file = tmp_path / "file"
    file.write_text("where the workspace should be")
    result = CliRunner().invoke(app, ["-w", str(file), "split", str(tmp_path / "ads.csv")])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {file}")
