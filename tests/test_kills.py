"""SIGKILL at any moment: the workspace is sound, and the same command ends in the same artifact."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import pytest
from killing import children, kill, measure, start, wait_for, wait_for_ends
from pipeline import adcat

from adcat.files import read_json_lines, sha256
from adcat.workspace.layout import Workspace

KILLS = 17  # of each case in the soak
SEALING = 12  # changes to files at the end of a command: manifest, both renames, what goes
SPLIT = ("split", "ads.csv", "--validation", 0.4, "--test", 0.3)
TEXT = ("train-text", "--epochs", 30, "--dim", 8)
EXTRACT = ("extract-features", "--batch-size", 4)
TUNE = ("--tune", 4, "--tune-fraction", 1)


@dataclasses.dataclass(frozen=True)
class Case:
    """A command, the artifact that it makes, and a command that made another such one before."""

    words: tuple
    target: str
    before: tuple = ()
    is_first: bool = False  # whether there are no features yet


CASES = {
    "split": Case(SPLIT, "split", before=(*SPLIT, "--seed", 1)),
    "train-text": Case(TEXT, "train-text", before=(*TEXT, "--seed", 1)),
    "train-text tuned": Case((*TEXT, *TUNE), "train-text"),
    "train-text tuned, at once": Case((*TEXT, *TUNE, "--jobs", 2), "train-text"),
    "train-text tfidf": Case(("train-text", "--model", "tfidf"), "train-text"),
    "train-text cnn": Case(("train-text", "--model", "cnn", "--cnn-epochs", 2), "train-text"),
    "train-image": Case(
        ("train-image", "--backbone", "efficientnet-lite0", "--stage", "head", "--image-size", 32),
        "train-image",
    ),
    "extract-features": Case(EXTRACT, "extract-features", is_first=True),
    "extract-features, a shard": Case(
        (*EXTRACT, "--shard", "1/2"), "shards/extract-features/1-of-2", is_first=True
    ),
    "extract-features, merged": Case(
        (*EXTRACT, "--merge"), "extract-features", (*EXTRACT, "--shard", "1/1"), is_first=True
    ),
    "extract-features, photos kept": Case(
        ("extract-features",), "extract-features", before=("train-text", "--epochs", 5, "--dim", 4)
    ),
    "fuse": Case(("fuse", "--policy", "max", "--name", "product-max"), "fuse/product-max"),
    "fuse tuned": Case(
        ("fuse", "--policy", "nn", "--name", "product-max", "--max-epochs", 2, *TUNE),
        "fuse/product-max",
    ),
    "fuse tuned, at once": Case(
        ("fuse", "--policy", "nn", "--name", "product-max", "--max-epochs", 2, *TUNE, "--jobs", 2),
        "fuse/product-max",
    ),
    "attend": Case(
        ("attend", "--stage", "attention", "--epochs", 2, "--name", "new"),
        "attend/new",
        before=("attend", "--stage", "attention", "--epochs", 1, "--name", "new"),
    ),
    "similar": Case(("similar",), "similar", before=("similar", "--k", 5)),
    "evaluate": Case(("evaluate",), "evaluate", before=("evaluate", "--compare", "thesis")),
    "error-groups": Case(("error-groups",), "error-groups", before=("error-groups", "--seed", 1)),
}


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A workspace before a command, and one in which it came to its end."""

    begun: Workspace
    whole: Workspace
    seconds: float
    changes: int


@pytest.fixture(scope="module")
def prepare(finished, tmp_path_factory):
    @functools.cache
    def make(name):
        case, folder = CASES[name], tmp_path_factory.mktemp("case")
        begun = copied(finished, folder / "begun")
        if case.is_first:
            shutil.rmtree(begun.features.path)
        if case.before:
            adcat(begun, *placed(case.before, begun))
        whole = copied(begun, folder / "whole")
        return Prepared(begun, whole, *measure(whole, *placed(case.words, whole)))

    return make


def copied(workspace, folder):
    shutil.copytree(workspace.root.parent, folder)
    return Workspace(folder / workspace.root.name)


def placed(words, workspace):
    return [workspace.root.parent / word if word == "ads.csv" else word for word in words]


def content(folder):
    """The digests of an artifact's files but for the manifest."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def check(name, prepared, workspace):
    """What is true after a kill, and after the same command once more."""
    case = CASES[name]
    workspaces = (prepared.begun, prepared.whole, workspace)
    before, expected, target = (w.root / case.target for w in workspaces)
    found = json.loads(adcat(workspace, "status", "--verify", "--json").stdout)["artifacts"]
    unsound = [one["artifact"] for one in found if not one["sound"]]
    names = [one["artifact"] for one in found]
    assert unsound == [name for name in names if not (workspace.root / name).exists()]
    workspace.repair()  # as any other command does first
    assert content(target) in (content(before), content(expected))
    adcat(workspace, *placed(case.words, workspace))
    assert content(target) == content(expected)
    assert [p for p in (workspace.root / ".partial").rglob("*.*") if p.suffix != ".lock"] == []


def draw(prepared, rng):
    """A moment: after some seconds, before a change to files, before one of the last of them."""
    return [
        {"after": rng.uniform(0, prepared.seconds)},
        {"before": int(rng.integers(prepared.changes))},
        {"before": int(rng.integers(max(0, prepared.changes - SEALING), prepared.changes))},
    ][rng.integers(3)]


def run(name, prepared, number, folder):
    """Kills a command once or twice, then looks; returns how often it was killed."""
    rng = np.random.default_rng([sorted(CASES).index(name), number])
    workspace = copied(prepared.begun, folder / "killed")
    words = placed(CASES[name].words, workspace)
    kills = [kill(workspace, *words, **draw(prepared, rng)) for _ in range(rng.integers(1, 3))]
    check(name, prepared, workspace)
    return sum(kills)


@pytest.mark.parametrize(
    "name",
    [
        "split",
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("train-text tuned", "fuse")),
    ],
)
def test_a_killed_command_does_no_harm(prepare, name, tmp_path):
    run(name, prepare(name), 0, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("name", CASES)
def test_kills_at_random_moments(prepare, name, number, tmp_path, record_property):
    record_property("kills", run(name, prepare(name), number, tmp_path))


NETWORK = ("fuse", "--policy", "nn", "--max-epochs", 2)
SEARCHES = {
    "train-text": ((*TEXT, "--tune", 20), "train-text", "model.bin"),
    "train-text at once": ((*TEXT, "--tune", 20, "--jobs", 3), "train-text", "model.bin"),
    "fuse": ((*NETWORK, "--tune", 20), "fuse/nn", "params.json"),
    "fuse at once": ((*NETWORK, "--tune", 20, "--jobs", 2), "fuse/nn", "params.json"),
}


@pytest.mark.soak  # killed once: see test_train_text.py
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_that_was_killed_three_times_ends_like_one_that_was_not(name, finished, tmp_path):
    words, target, model = SEARCHES[name]
    killed, whole = (copied(finished, tmp_path / name) for name in ("killed", "whole"))
    rng = np.random.default_rng(0)
    for trials in sorted(rng.integers(0, 20, 3)):

        def has_enough(trials=trials):
            logs = (killed.root / ".partial").rglob("trials.jsonl")
            return any(log.read_text().count("\n") >= trials for log in logs)

        with start(killed, *words) as process:
            wait_for(process, has_enough)
            started = children(process)
            process.kill()
            process.communicate()
        wait_for_ends(started)
    for workspace in (killed, whole):
        adcat(workspace, *words)
    found, expected = (content(w.root / target) for w in (killed, whole))
    assert found == expected
    assert len(read_json_lines(killed.root / target / "trials.jsonl")) == 20
    assert model in found
