"""Tasks in processes of this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pipeline import adcat

from adcat.errors import AdcatError, BadInputError
from adcat.parallel.once import once_per_process
from adcat.parallel.processes import in_processes
from adcat.parallel.workers import workers


def process_of(number):
    return number, os.getpid()


def refuse(number):
    if number == 2:
        raise BadInputError("2 is wrong")
    return number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_order_from_other_processes():
    found = list(in_processes(2)(process_of, range(6)))
    assert [number for number, _ in found] == list(range(6))
    processes = {process for _, process in found}
    assert os.getpid() not in processes
    assert len(processes) <= 2


def test_the_error_of_a_task_is_raised_after_the_results_before_it():
    results = in_processes(2)(refuse, [0, 1, 2, 3])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(BadInputError, match=r"^2 is wrong$"):
        next(results)


def test_a_killed_process_is_told_of():
    with pytest.raises(AdcatError, match=r"^a process of --jobs was killed, .*fewer --jobs$"):
        list(in_processes(2)(die, [1]))


def test_a_value_is_made_once_for_a_key():
    made = []
    for key in ("a", "a", "b", "b", "a"):
        assert once_per_process(key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b", "a"]


def test_without_spark_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    told = r"^--spark needs Spark, which is not installed; type: pip install 'adcat\[spark\]'$"
    with pytest.raises(BadInputError, match=told), workers(1, "local[2]"):
        pass


WAITING = """
import sys, time
sys.path.insert(0, sys.argv[1])
from adcat.parallel.processes import in_processes
from test_processes import mark
if __name__ == "__main__":
    list(in_processes(2)(mark, sys.argv[2:]))
"""


def mark(path):
    """Says which process it is, and works for ever."""
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(0.1)


def is_alive(process):
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_processes_end_with_the_one_that_started_them(tmp_path):
    script, marks = tmp_path / "wait.py", [tmp_path / "a", tmp_path / "b"]
    script.write_text(WAITING)
    parent = subprocess.Popen([sys.executable, script, Path(__file__).parent, *marks])
    while not all(path.exists() and path.read_text() for path in marks):
        assert parent.poll() is None
        time.sleep(0.05)
    children = [int(path.read_text()) for path in marks]
    assert all(map(is_alive, children))
    parent.kill()
    parent.wait()
    while any(map(is_alive, children)):
        time.sleep(0.05)


NETWORK = ("fuse", "--policy", "nn", "--fit-on", "validation", "--max-epochs", 3, "--folds", 0)


@pytest.mark.parametrize(
    "command",
    [
        ("train-text", "--model", "tfidf", "--folds", 0),
        pytest.param(NETWORK, marks=pytest.mark.soak),  # compiles networks in three processes
    ],
)
def test_a_search_in_processes_is_that_of_one_process(copy, command):
    target = copy.fused("nn") if command == NETWORK else copy.text_model
    found = []
    for jobs in (1, 2):
        adcat(copy, *command, "--tune", 3, "--tune-algorithm", "random", "--jobs", jobs)
        found.append(((target / "trials.jsonl").read_bytes(), target.check().digest))
    assert found[0] == found[1]
