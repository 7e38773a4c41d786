import dataclasses
import importlib
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from adcat.cli.app import COMMANDS, app

HEAVY = ("tensorflow", "keras", "fasttext", "hyperopt", "sklearn", "scipy", "pyarrow", "matplotlib")
ROOT_PATH = "adcat.commands."


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def settings_of(command):
    return importlib.import_module(ROOT_PATH + command.replace("-", "_")).Settings


def test_the_command_line_starts_without_the_heavy_libraries():
    code = f"import sys, adcat.cli.app; print(sorted(set({HEAVY}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_lists_every_command():
    result = run("--help")
    assert result.exit_code == 0
    assert all(re.search(rf"^  {command} ", result.output, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    for field in dataclasses.fields(settings_of(command)):
        assert " ".join(field.metadata["help"].split()) in text
        if not field.metadata.get("positional"):
            assert (field.metadata["flag"] or "--" + field.name.replace("_", "-")) in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_seed(command):
    assert "seed" in {field.name for field in dataclasses.fields(settings_of(command))}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("split", "export", "status")])
def test_a_missing_artifact_is_one_line_that_names_the_command(command, tmp_path):
    result = run("-w", tmp_path / "none", command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(r"error: .* is missing; make it: adcat -w \S+ \S+.*\n", result.stderr)


def test_the_version_is_printed():
    assert re.fullmatch(r"adcat \d+\.\d+\.\d+\n", run("--version").output)


def test_the_workspace_comes_from_the_environment_too(tmp_path):
    result = CliRunner(env={"ADCAT_WORKSPACE": str(tmp_path / "here")}).invoke(app, ["evaluate"])
    assert str(tmp_path / "here") in result.stderr
