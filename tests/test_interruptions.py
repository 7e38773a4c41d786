"""Ctrl-C at any moment: one line, exit code 130, a sound workspace."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from killing import children, end, listens, start, wait_for, wait_for_ends
from pipeline import adcat

from adcat.cli.interruption import MESSAGE


def is_sound(workspace):
    """Whether everything that was there still is, as it was."""
    workspace.repair()  # as any command but `status` does first
    found = json.loads(adcat(workspace, "status", "--verify", "--json").stdout)
    return all(one["state"] == "current" for one in found["artifacts"])


def check(workspace, process, after=None):
    """Interrupts a process and looks at what it says and leaves."""
    stderr = end(process, signal.SIGINT, after)
    assert process.returncode == 130, stderr
    *before, last = stderr.splitlines()
    assert last == MESSAGE
    for line in before:
        assert line.startswith("training") or line.endswith("done") or " s left" in line, stderr
    assert is_sound(workspace)


def staging(workspace, pattern):
    """Waits for a file of a staging folder."""
    return lambda: any((workspace.root / ".partial").glob(pattern))


@pytest.mark.parametrize("model", ["fasttext", pytest.param("cnn", marks=pytest.mark.soak)])
def test_while_fasttext_trains_in_cpp(copy, model):
    words = ("--model", model, "--epochs", 10**9) if model == "fasttext" else ("--model", "cnn")
    if model == "cnn":
        words += ("--cnn-embedding-epochs", 10**8)
    with start(copy, "train-text", *words) as process:
        wait_for(process, staging(copy, "train-text/*/.checkpoints/t*.txt"))
        check(copy, process, after=1)


@pytest.mark.soak
@pytest.mark.parametrize("jobs", [1, 2])
def test_while_a_network_is_searched(copy, jobs):
    words = ("--tune", 10**6, "--max-epochs", 2, "--jobs", jobs)
    with start(copy, "fuse", "--policy", "nn", *words) as process:
        wait_for(process, staging(copy, "fuse/nn/*/trials.jsonl"))
        started = children(process)
        check(copy, process, after=0.1)
    assert len(started) == (0 if jobs == 1 else 3)  # one is of Python's own
    wait_for_ends(started)


@pytest.mark.soak
def test_while_a_network_is_trained_in_one_call(copy):
    slow = ("--hidden-layers", 3, "--hidden-units", 4000, "--batch-size", 1)
    with start(copy, "fuse", "--policy", "nn", *slow) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_for(process, lambda: "libtensorflow" in maps.read_text())
        check(copy, process, after=3)


@pytest.mark.soak
def test_while_threads_read_photos(copy):
    words = ("--weights", "none", "--stage", "head", "--image-size", 75, "--views", 500)
    with start(copy, "train-image", *words) as process:
        wait_for(process, lambda: any(copy.root.glob(".cache/vectors/*/*/train*.vectors")))
        check(copy, process, after=0.5)


IMPORTING = """
from adcat.cli.interruption import listen
listen()
print("listening", flush=True)
from adcat.learning.runtime import import_tensorflow
import_tensorflow()
input()
"""


@pytest.mark.parametrize("after", [0.3, 1.2])
def test_while_tensorflow_is_imported(after):
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == f"{MESSAGE}\n"


def test_while_the_command_line_is_imported(copy):
    with start(copy, "status") as process:
        wait_for(process, lambda: listens(process))
        check(copy, process, after=0)


def test_one_that_is_to_be_ignored_is_ignored(copy):
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "from adcat.cli.interruption import listen; listen();"
        "import os; os.kill(os.getpid(), signal.SIGINT); print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "still here\n"


@pytest.mark.soak
@pytest.mark.parametrize("number", range(60))
def test_at_random_moments(copy, number):
    rng = np.random.default_rng(number)
    commands = [
        ("split", copy.root.parent / "ads.csv", "--seed", 1),
        ("train-text", "--epochs", 10**9),
        ("train-text", "--model", "cnn", "--cnn-epochs", 10**6),
        ("train-text", "--model", "tfidf", "--tune", 10**6),
        ("train-image", "--weights", "none", "--stage", "all", "--image-size", 75),
        ("fuse", "--policy", "nn", "--max-epochs", 10**6),
        ("fuse", "--policy", "pool-aux", "--tune", 10**6, "--max-epochs", 2),
        ("evaluate", "--compare", "thesis"),
        ("similar",),
        ("error-groups", "--ads", 20),
        ("predict", copy.root.parent / "ads.csv"),
    ]
    with start(copy, *commands[number % len(commands)]) as process:
        wait_for(process, lambda: listens(process))
        stderr = end(process, signal.SIGINT, after=rng.uniform(0, 20))
        if process.returncode != 0:  # it may have come to its end
            assert process.returncode == 130, stderr
            assert stderr.endswith(f"{MESSAGE}\n")
            assert "Traceback" not in stderr
            assert is_sound(copy)
