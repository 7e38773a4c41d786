"""What runs tasks, and what a process makes once for them."""

import os
import sys

import pytest
from pipeline import adcat

from adcat.errors import BadInputError
from adcat.parallel.once import once_per_process
from adcat.parallel.tasks import ALONE
from adcat.parallel.workers import workers


def process(task):
    return os.getpid()


def test_one_job_is_this_process():
    with workers(1, "") as found:
        assert found == ALONE
        assert list(found.run(process, [0])) == [os.getpid()]
    with workers(2, "") as found:
        assert found.at_once == 2
        assert list(found.run(process, [0])) != [os.getpid()]


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


NETWORK = ("fuse", "--policy", "nn", "--fit-on", "validation", "--max-epochs", 3, "--folds", 0)


@pytest.mark.soak
@pytest.mark.parametrize("command", [("train-text", "--model", "tfidf", "--folds", 0), NETWORK])
def test_a_search_in_processes_is_that_of_one_process(copy, command):
    target = copy.fused("nn") if command == NETWORK else copy.text_model
    found = []
    for jobs in (1, 2):
        adcat(copy, *command, "--tune", 3, "--tune-algorithm", "random", "--jobs", jobs)
        found.append(((target / "trials.jsonl").read_bytes(), target.check().digest))
    assert found[0] == found[1]
