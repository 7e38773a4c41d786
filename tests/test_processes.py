import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import wait_for_ends

from adcat.data.images import UnreadableImageError
from adcat.errors import DivergedError, LostProcessError
from adcat.parallel.processes import THREADS, in_processes


def wait_for_file(path):
    while not path.exists():
        time.sleep(0.005)


def after(order):
    """Ends after another task, if it is to."""
    path, other = order
    if other:
        wait_for_file(other)
    path.touch()
    return path.name, os.getpid()


def test_results_come_in_the_order_of_the_tasks_whichever_is_done_first(tmp_path):
    first, second, third = (tmp_path / name for name in "abc")
    with in_processes(2) as run:
        results = list(run(after, [(first, third), (second, None), (third, None)]))
    assert [name for name, _ in results] == ["a", "b", "c"]
    assert results[1][1] == results[2][1] != results[0][1]


def process(task):
    return os.getpid()


def test_processes_stay_and_are_no_more_than_tasks():
    with in_processes(3) as run:
        assert list(run(process, [])) == []
        (pid,) = run(process, [0])
        assert list(run(process, [0])) == [pid] != [os.getpid()]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def fail_at_two(task):
    if task == 2:
        raise DivergedError("the loss is nan")
    return task


def test_an_error_is_raised_as_itself_after_the_results_before_it():
    done = []
    with pytest.raises(DivergedError) as raised, in_processes(2) as run:
        for result in run(fail_at_two, range(9)):
            done.append(result)
    assert done == [0, 1]
    assert str(raised.value) == "the loss is nan"
    assert "fail_at_two" in raised.value.__notes__[0]


def fail_at_a_photo(task):
    raise UnreadableImageError("a.jpg", "not in a known format")


def test_an_error_that_takes_two_arguments_is_raised_as_itself():
    with pytest.raises(UnreadableImageError) as raised, in_processes(1) as run:
        list(run(fail_at_a_photo, [0]))
    assert str(raised.value) == "a.jpg is not a readable photo: not in a known format"
    assert raised.value.problem == "not in a known format"


class OfALibraryError(Exception):
    def __init__(self, node, message):
        super().__init__(message)


def fail_in_a_library(task):
    raise OfALibraryError(None, "unknown to whoever reads it")


class ResourceExhaustedError(OfALibraryError):
    """Named as TensorFlow's."""


def exhaust(task):
    raise ResourceExhaustedError(None, "OOM when allocating\nat some place")


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        (fail_in_a_library, RuntimeError, "OfALibraryError: unknown to whoever reads it"),
        (exhaust, MemoryError, "OOM when allocating"),
    ],
)
def test_an_error_that_cannot_be_sent_is_told_in_words(task, kind, message):
    with pytest.raises(kind) as raised, in_processes(1) as run:
        list(run(task, [0]))
    assert str(raised.value) == message


def kill_itself_at_two(task):
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_process_that_is_killed_is_told_and_what_came_before_is_kept():
    done = []
    with (
        pytest.raises(LostProcessError, match=r"^a process .* was killed \(SIGKILL\), for lack of"),
        in_processes(2) as run,
    ):
        for result in run(kill_itself_at_two, range(9)):
            done.append(result)
    assert done == [0, 1]


def test_a_process_that_is_killed_while_it_has_nothing_to_do_is_told():
    with in_processes(1) as run:
        (pid,) = run(process, [0])
        os.kill(pid, signal.SIGKILL)
        while "Z" not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.005)
        with pytest.raises(LostProcessError):
            list(run(process, [0]))


def chatter(task):
    sys.stdout.write("out\n")
    sys.stderr.write("err\n")
    os.write(2, b"from C++")


def test_processes_print_nothing(capfd):
    with in_processes(1) as run:
        list(run(chatter, [0]))
    assert capfd.readouterr() == ("", "")


def held(task):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_is_left_to_whoever_waits_for_it():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with in_processes(1) as run:
            assert list(run(held, [0])) == [True]
        assert held(0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def threads(task):
    return [os.environ[name] for name in THREADS]


def test_each_process_takes_its_share_of_the_cores_unless_the_user_says_how_many(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv(THREADS[0], "5")
    with in_processes(3) as run:
        assert list(run(threads, [0])) == [["5", "2", "2"]]
    assert THREADS[1] not in os.environ


def never_end(folder):
    (folder / str(os.getpid())).touch()
    signal.pause()


HOLDING = """
import sys
from pathlib import Path
from test_processes import in_processes, never_end
with in_processes(2) as run:
    list(run(never_end, [Path(sys.argv[1])] * 2))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(tmp_path, number):
    command = [sys.executable, "-c", HOLDING, tmp_path]
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in background
    ) as parent:
        while len(list(tmp_path.iterdir())) < 2:
            assert parent.poll() is None
            time.sleep(0.005)
        parent.send_signal(number)
    wait_for_ends(int(path.name) for path in tmp_path.iterdir())
