"""Commands that are run as processes of their own, and interrupted or killed while they work."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate")

# Dies just before one of the changes that it makes to the workspace, or says how many there were.
WATCHED = """
import atexit, sys
sys.path.insert(0, sys.argv.pop(1))
from killing import die_before
made = die_before(int(sys.argv.pop(1)), sys.argv.pop(1))
atexit.register(lambda: print(f"changes: {made[0]}", file=sys.stderr))
from adcat.__main__ import main
main()
"""


def die_before(change, folder):
    """Lets this process die before a change to files below the folder, counted from 0."""
    made = [0]

    def watch(event, args):
        is_change = event in CHANGES or (event == "open" and _is_writing(args[2]))
        if is_change and str(folder) in str(args[0]):
            if made[0] == change:
                os.kill(os.getpid(), signal.SIGKILL)
            made[0] += 1

    sys.addaudithook(watch)
    return made


def _is_writing(flags):
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def start(workspace, *words, before=None):
    """Starts a command in a process group of its own, as a shell does."""
    command = [sys.executable, "-m", "adcat"]
    if before is not None:
        here = Path(__file__).parent
        command = [sys.executable, "-c", WATCHED, here, before, workspace.root]
    return subprocess.Popen(
        [str(word) for word in (*command, "-w", workspace.root, *words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in background
    )


def measure(workspace, *words):
    """Runs a command to its end: the seconds it takes, and how many changes it makes to files."""
    started = time.monotonic()
    with start(workspace, *words, before=-1) as process:
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return time.monotonic() - started, int(stderr.rpartition("changes: ")[2])


def kill(workspace, *words, after=None, before=None):
    """Kills a command and its group after so many seconds, or lets it die before a change.

    Returns whether it was killed: it may have come to its end.
    """
    with start(workspace, *words, before=before) as process:
        stderr = end(process, signal.SIGKILL, after)
    assert process.returncode in (0, -signal.SIGKILL), stderr
    return process.returncode != 0


def end(process, number, after):
    """Waits so long, then sends a signal to the process group; returns what stood on stderr."""
    try:
        return process.communicate(timeout=after)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, number)
        return process.communicate()[1]


def wait_for(process, condition):
    """Waits until something is true of a process that is at work."""
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def listens(process):
    """Whether a process waits for Ctrl-C: in a thread of its own."""
    return len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 1


def children(process):
    """The processes that a process started."""
    lists = Path(f"/proc/{process.pid}/task").glob("*/children")
    return {int(pid) for path in lists for pid in path.read_text().split()}


def wait_for_ends(pids):
    """Waits until none of these processes is left."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                time.sleep(0.005)
