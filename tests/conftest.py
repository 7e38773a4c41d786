"""What all tests share."""

import fcntl
import functools
import os
import shutil

import pytest
import typer.testing
from hypothesis import settings
from pipeline import adcat, make_workspace, uncompiled

from adcat.workspace.layout import Workspace

# A machine may be slow and busy; a test says what is true, not how fast. Drawn examples are the
# same at every run, so that a red run can be repeated.
settings.register_profile("adcat", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("adcat")

# The command line is put together once, not for every test.
typer.testing._get_command = functools.cache(typer.testing._get_command)
# Compiling for OpenVINO and comparing takes longer than a few photos; its own tests ask for it.
os.environ.setdefault("ADCAT_ENGINE", "tensorflow")


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """`shared(name, make)`: a folder that is made once, for all processes of a test run."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def get(name, make):
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def finished(shared):
    """A small workspace with a policy, an evaluation and error groups; not to be changed."""

    def make(folder):
        made = make_workspace(folder, "product-max")
        for command in ("evaluate", "error-groups"):
            adcat(made, command)

    return Workspace(shared("finished", make) / "w")


@pytest.fixture(scope="session")
def with_models(shared):
    """A small workspace with models of every kind; not to be changed."""

    def make(folder):
        policies = ("max", "product-max", "log-linear", "top3", "concat", "text-only", "image-only")
        made = make_workspace(folder, *policies)
        with uncompiled():
            adcat(made, "attend", "--stage", "attention", "--epochs", 1)

    return Workspace(shared("with_models", make) / "w")


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of it that a test may change; the ads lie in `copy.root.parent`."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.root.parent, folder)
    return Workspace(folder / finished.root.name)
