"""Two commands at once in one workspace, as processes of their own."""

import contextlib
import json
import signal
import time

import pytest
from killing import start, wait_for
from pipeline import adcat
from typer.testing import CliRunner

from adcat.cli.app import app

FOREVER = ("train-text", "--epochs", 10**9)
SEARCH = ("fuse", "--policy", "nn", "--tune", 10**6, "--max-epochs", 1)


@contextlib.contextmanager
def running(workspace, *words, until):
    """A command at work; it is killed in the end."""
    with start(workspace, *words) as process:
        wait_for(process, lambda: any((workspace.root / ".partial").glob(until)))
        yield process
        process.send_signal(signal.SIGKILL)
        process.communicate()


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])


def refused(workspace, *words):
    result = run(workspace, *words)
    assert result.exit_code == 1
    return result.stderr


def test_writers_of_one_artifact_exclude_each_other_and_a_dead_one_does_not(copy):
    with running(copy, *FOREVER, until="train-text/draft/manifest.json"):
        assert refused(copy, "train-text").endswith(
            f"error: another adcat is writing {copy.text_model.path}; wait for it, or use another "
            "workspace\n"
        )
        adcat(copy, "fuse", "--policy", "max")  # another artifact's
    adcat(copy, "train-text", "--epochs", 1)


@pytest.mark.soak
def test_what_is_read_is_not_replaced(copy):
    before = copy.features.manifest().digest
    with running(copy, *SEARCH, until="fuse/nn/*/trials.jsonl"):
        expected = f"another adcat is reading {copy.features.path}; wait for it"
        assert expected in refused(copy, "extract-features")
        assert f"reading {copy.split.path}" in refused(copy, "split", copy.root.parent / "ads.csv")
        adcat(copy, "evaluate", "--json")  # several may read
        assert copy.features.check().digest == before
    adcat(copy, "extract-features")


@pytest.mark.soak
def test_a_writer_that_is_done_waits_for_a_reader_that_came_meanwhile(copy):
    with start(copy, "train-text", "--epochs", 2000) as writer:
        wait_for(
            writer, lambda: any((copy.root / ".partial").glob("train-text/draft/.checkpoints/*"))
        )
        before = copy.text_model.manifest().digest
        with copy.text_model.staging_area.reading():
            wait_for(writer, lambda: (copy.root / ".partial/train-text/draft/history.csv").exists())
            time.sleep(0.5)
            assert writer.poll() is None
            assert copy.text_model.check().digest == before
        assert writer.wait() == 0, writer.stderr.read()
    assert copy.text_model.check().digest != before


def test_status_and_a_second_command_see_what_is_being_written(copy):
    with running(copy, *FOREVER, until="train-text/draft/manifest.json") as process:
        found = json.loads(adcat(copy, "status", "--json").stdout)
        (staging,) = found["unfinished"]
        assert (staging["artifact"], staging["state"]) == ("train-text", "being written")
        assert process.poll() is None
    assert json.loads(adcat(copy, "status", "--json").stdout)["unfinished"] == []


@pytest.mark.soak
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_looking_does_not_disturb_a_writer_that_starts(copy, times):
    with start(copy, "train-text", "--epochs", 1) as process:
        while process.poll() is None:
            adcat(copy, "status", *["--verify"] * (times > 1))
        assert process.returncode == 0, process.stderr.read()
