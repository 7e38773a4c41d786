"""The whole chain: what the README shows is run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adcat.cli.app import COMMANDS
from adcat.fusion.policies import POLICIES
from adcat.workspace.layout import Workspace

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Where the README's commands ran, and their output."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(PROJECT / "sample_data", folder / "sample_data")
    (commands,) = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    del environment["ADCAT_ENGINE"]  # the tests' own
    words = ["bash", "-euc", commands]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.soak
def test_the_chain_ends_with_models_that_beat_the_largest_category(chain):
    folder, _ = chain
    metrics = json.loads((folder / "artifacts/evaluate/metrics.json").read_text())
    top1 = {model["model"]: model["top1"] for model in metrics["models"]}
    assert {"text", "image", "product-max", "stack", "nn-validation"} <= set(top1)
    largest = 91 / 400
    assert all(share > largest + 0.2 for share in top1.values()), top1


@pytest.mark.soak
def test_the_chain_leaves_what_the_readme_promises(chain):
    folder, _ = chain
    for name in ("evaluate/report.html", "error-groups/galleries", "split/rejected.csv"):
        assert (folder / "artifacts" / name).exists()


@pytest.mark.soak
def test_stderr_has_no_noise_of_libraries_and_no_control_codes(chain):
    _, done = chain
    for noise in ("tensorflow", "cuda", "oneDNN", "absl", "Warning", "\x1b"):
        assert noise.lower() not in done.stderr.lower(), done.stderr


@pytest.mark.soak
def test_the_line_for_xargs_ends_like_one_process(chain, tmp_path):
    folder = shutil.copytree(chain[0], tmp_path / "copy")
    features = Workspace(folder / "artifacts").features
    before = features.check().digest
    shutil.rmtree(features.path)
    (line,) = re.findall(r"^seq .*extract-features.*$", README, re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {key: os.environ[key] for key in os.environ if key != "ADCAT_ENGINE"}
    words = ["bash", "-euc", line]
    subprocess.run(words, cwd=folder, env={**environment, "PATH": path}, check=True)
    assert features.check().digest == before


def test_one_range_of_python_is_said_everywhere():
    """The oldest and the newest Python that the locked dependencies have wheels for."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in README
    assert "(3, 11) <= sys.version_info < (3, 14)" in (PROJECT / "Makefile").read_text()


def test_make_says_which_python_it_needs_before_pip_does(tmp_path):
    newer = tmp_path / "newer"
    newer.write_text(
        f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 14, 1)\nexec(sys.argv[2])\n"
    )
    newer.chmod(0o755)
    words = ["make", "-C", PROJECT, "install", f"PYTHON={newer}", f"VENV={tmp_path}/venv"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"The locked dependencies need Python 3.11 to 3.13, {newer} is 3.14; "
        "type: make PYTHON=python3.13"
    )
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("name", [*COMMANDS, *POLICIES])
def test_the_readme_names_every_command_and_policy(name):
    assert re.search(rf"(\*\*|`){name}(\*\*|`)", README)
