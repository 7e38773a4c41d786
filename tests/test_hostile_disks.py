"""Disks that are full and folders that may not be written to: told, and nothing half-written."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import ADS, artifacts, delimited, draw_photos
from sealed import make_workspace
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.workspace.layout import Workspace
from adcat.workspace.photos import images_folder

DROP_FROM_BOUNDING_SET, MAY_OVERRIDE_PERMISSIONS = 24, 1  # prctl's, a capability's
ADCAT = [sys.executable, "-m", "adcat"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table of ads, and a workspace beside it."""
    folder = draw_photos(tmp_path_factory.mktemp("disks") / "data")
    (folder / "ads.csv").write_text(delimited(ADS), encoding="utf-8")
    make_workspace(folder.parent / "w")
    return folder


def bound_by_permissions():
    """Takes root's privilege to write anywhere; other users have none."""
    ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, MAY_OVERRIDE_PERMISSIONS, 0, 0, 0)


def read_only(root, *words):
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        return subprocess.run(
            [*ADCAT, "-w", root, *words],
            capture_output=True, text=True, check=False, preexec_fn=bound_by_permissions,
        )  # fmt: skip
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.fixture
def root(data, tmp_path):
    return shutil.copytree(data.parent / "w", tmp_path / "w")


@pytest.mark.parametrize(
    "words", [["split", "{data}/ads.csv"], ["fuse", "--policy", "max"]], ids=" ".join
)
def test_what_cannot_be_written_is_told(data, root, words):
    before = artifacts(root)
    done = read_only(root, *(word.format(data=data) for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"error: {re.escape(str(root))}/\S+: Permission denied\n", done.stderr)
    assert artifacts(root) == before


def test_a_read_only_workspace_can_be_read(root):
    done = read_only(root, "evaluate", "--json")
    assert done.returncode == 0, done.stderr
    assert [model["model"] for model in json.loads(done.stdout)["models"]] == [
        "text",
        "image",
        "max",
    ]


IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
SIZE = 4096  # kilobytes of a file system in memory that a workspace is copied to


def can_mount() -> bool:
    words = [*IN_A_NAMESPACE, "mount -t tmpfs none /mnt"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(words, capture_output=True, check=False).returncode
    )


def on_a_full_disk(data, mount, kilobytes, *words):
    """Runs a command where so much room is left; the exit code, stderr and what is left there."""
    script = f"""
        mount -t tmpfs -o size={SIZE}k none "$1"
        cp -a "$2/w" "$1"
        head -c $(( ($(stat -f -c %a "$1") * $(stat -f -c %S "$1")) - {kilobytes} * 1024 )) /dev/zero > "$1/filler"
        shift 2
        code=0
        "$@" || code=$?
        rm "$MOUNT/filler"
        cp -a "$MOUNT/w" "$OUTPUT"
        exit $code
    """
    output = mount.with_name("left")
    environment = {
        "MOUNT": str(mount),
        "OUTPUT": str(output),
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    }
    words = [*ADCAT, "-w", mount / "w", *words]
    done = subprocess.run(
        [*IN_A_NAMESPACE, script, "sh", mount, data.parent, *words],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    return done, output


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")
@pytest.mark.parametrize("kilobytes", [0, pytest.param(12, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "words",
    [
        ["split", "{data}/ads.csv"],
        ["train-text", "--model", "tfidf"],
        ["fuse", "--policy", "max"],
        pytest.param(["train-text", "--epochs", "1"], marks=pytest.mark.soak),
        pytest.param(["evaluate"], marks=pytest.mark.soak),
        pytest.param(["error-groups"], marks=pytest.mark.soak),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(data, tmp_path, words, kilobytes):
    (tmp_path / "mount").mkdir()
    words = [word.format(data=data) for word in words]
    done, left = on_a_full_disk(data, tmp_path / "mount", kilobytes, *words)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    assert "No space left on device" in message or "is the disk full?" in message
    assert artifacts(left) == artifacts(data.parent / "w")


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        *(
            pytest.param(words, marks=pytest.mark.soak)
            for words in (["status", "--json"], ["predict", "{data}/ads.csv", "--model", "text"])
        ),
    ],
)
def test_a_reader_that_goes_away_ends_a_command_quietly(finished, words):
    words = [word.format(data=finished.root.parent) for word in words]
    with subprocess.Popen(
        [*ADCAT, "-w", finished.root, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        told = process.stderr.read().splitlines()
        assert [line for line in told if not line.endswith("done")] == []  # progress
    assert process.returncode == 1


NOT_UTF8 = os.fsdecode(b"S\xe5ld")


def test_a_name_that_is_not_utf_8_is_told(data, tmp_path):
    for words in (["-w", tmp_path / NOT_UTF8, "status"], ["split", tmp_path / NOT_UTF8]):
        found = CliRunner().invoke(app, [str(word) for word in words])
        assert found.exit_code == 1
        assert found.stderr == (
            f"error: {tmp_path}/S\\udce5ld: expected a name in UTF-8; rename the file or folder\n"
        )


def test_a_folder_whose_name_is_not_utf_8_can_be_worked_in(data, tmp_path, monkeypatch):
    shutil.copytree(data, tmp_path / NOT_UTF8)
    monkeypatch.chdir(tmp_path / NOT_UTF8)
    for words in (["split", "ads.csv"], ["train-text", "--epochs", "1"], ["status"]):
        found = CliRunner().invoke(app, words)
        assert found.exit_code == 0, found.output
    assert images_folder(Workspace(Path("artifacts")).split) == tmp_path / NOT_UTF8


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "--json"],
        ["--version"],
        *(
            pytest.param(words, marks=pytest.mark.soak)
            for words in (["evaluate"], ["evaluate", "--help"])
        ),
    ],
)
def test_results_that_cannot_be_printed_are_told(root, words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*ADCAT, "-w", root, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == "error: No space left on device; make room and run the same command again"
    )
