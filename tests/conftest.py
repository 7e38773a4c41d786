"""What all tests share."""

import shutil

import pytest
from hypothesis import settings

from adcat.workspace.layout import Workspace

# A machine may be slow and busy; a test says what is true, not how fast. Drawn examples are the
# same at every run, so that a red run can be repeated.
settings.register_profile("adcat", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("adcat")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A small workspace with a policy, an evaluation and error groups; not to be changed."""
    from pipeline import adcat, make_workspace

    made = make_workspace(tmp_path_factory.mktemp("finished"), "product-max")
    for command in ("evaluate", "error-groups"):
        adcat(made, command)
    return made


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of it that a test may change; the ads lie in `copy.root.parent`."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.root.parent, folder)
    return Workspace(folder / finished.root.name)
