import dataclasses
import importlib
import inspect
import os
import re
import subprocess
import sys
from typing import ClassVar, Literal

import numpy as np
import pytest
import typer
from handmade import certain, make_features, make_split
from typer.testing import CliRunner

from adcat.cli.app import COMMANDS, app, errors_told
from adcat.cli.help import SettingsCommand
from adcat.cli.options import build, options_read_by, parameters
from adcat.settings import flag, option, seed_option
from adcat.workspace.layout import STEPS, Workspace

HEAVY = ("tensorflow", "keras", "fasttext", "hyperopt", "sklearn", "scipy", "pyarrow", "matplotlib",
         "openvino")  # fmt: skip
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
        assert " ".join(field.metadata["help"].rstrip(".").split()) in text
        if not field.metadata.get("positional"):
            assert f"{flag(field.name)} " in text


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_help_fits_80_columns_whole_and_has_no_control_codes(words):
    output = run(*words, "--help").output
    assert max(map(len, output.splitlines())) <= 80
    assert "..." not in re.sub(r"ARGS\]\.\.\.|MODELS\]?\.\.\.", "", output)
    assert "\x1b" not in output


def test_a_command_takes_a_seed_where_something_is_random():
    seeded = {c for c in COMMANDS if "seed" in settings_of(c).__dataclass_fields__}
    assert set(COMMANDS) - seeded == {"export", "status"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_preset_is_on_every_command_of_the_chain(command):
    offered = "  --preset thesis" in run(command, "--help").output
    assert offered == (command in STEPS and command != "similar")


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_help_ends_with_what_to_type_first(words):
    lines = run(*words).output.splitlines()[-4:]
    assert lines[0].strip() == "First steps:"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["adcat", "split"], ["adcat", "train-text"], ["adcat", "status"],
    ]  # fmt: skip


def headings(*words):
    """The options under each heading of the help."""
    found, heading = {}, ""
    for line in run(*words, "--help").output.splitlines():
        if match := re.fullmatch(r"(\S.*):", line):
            heading = match[1]
        elif heading and (match := re.match(r"  --([a-z0-9-]+)", line)):
            found.setdefault(heading, []).append(match[1])
    return found


def test_the_options_stand_under_headings_the_deciding_one_first():
    found = headings("train-text")
    assert list(found) == [
        "Text model", "fastText", "TF-IDF with logistic regression", "Convolutional network",
        "Search", "Options",
    ]  # fmt: skip
    assert found["Text model"] == [
        "model",
        "augment-noise",
        "name",
        "folds",
        "fields",
        "text-cleaning",
    ]
    assert found["Search"] == ["tune", "tune-algorithm", "jobs", "spark", "tune-fraction"]
    assert found["Options"] == ["seed", "preset", "dry-run", "help"]


@pytest.mark.parametrize("words", [("--model", "cnn", "--help"), ("--help", "--model=cnn")])
def test_the_help_of_a_choice_shows_what_it_reads(words):
    output = run("train-text", *words).output
    shown = set(re.findall(r"^  --([a-z0-9-]+)", output, re.MULTILINE))
    read = {flag(name)[2:] for name in options_read_by(settings_of("train-text"))["cnn"]}
    assert shown == {*read, "preset", "dry-run", "help"}
    assert "With --model" not in output


@dataclasses.dataclass(frozen=True)
class Shape:
    """Settings with a choice that decides which others are read."""

    selector: ClassVar = "shape"
    published: ClassVar = {"line": {"length": 7.0}}
    defaults: ClassVar = {
        "line": {"length": 9.0},
        "square": {"length": 2.0},
        "box": {"length": 2.0, "height": 5.0},
    }
    needs: ClassVar = {"colour": "filled", "border": "!filled"}

    shape: Literal["line", "square", "box", "dot"] = option("line", "The shape.")
    length: float = option(1.0, "Its length.")
    height: float = option(1.0, "Its height.")
    seed: int = seed_option()

    filled: bool = option(False, "Whether it is filled.")
    colour: str = option("red", "What it is filled with.")
    border: int = option(1, "Width of its border.")

    @staticmethod
    def reads(shape, field):
        unread = {"dot": {"length", "height"}, "box": set()}
        return field not in {"seed", *unread.get(shape, {"height"})}


@pytest.fixture
def shapes():
    """Runs a command that prints its settings."""
    drawn = typer.Typer(rich_markup_mode=None, add_completion=False)

    def draw(ctx: typer.Context, **values):
        given = {name for name in values if ctx.get_parameter_source(name).name == "COMMANDLINE"}
        typer.echo(build(Shape, values, given.__contains__, ctx.fail))

    ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    draw.__signature__ = inspect.Signature([ctx, *parameters(Shape)])
    draw.__annotations__ = {p.name: p.annotation for p in draw.__signature__.parameters.values()}
    drawn.command(cls=type("Draw", (SettingsCommand,), {"settings": Shape}))(draw)
    return lambda *words: CliRunner().invoke(drawn, words)


def test_help_says_who_reads_an_option_and_no_default_that_is_not_used(shapes):
    text = " ".join(shapes("--help").output.split())
    assert "Its length. With every --shape but dot. [default: (by shape)]" in text
    assert " . " not in text
    assert "Its height. With --shape box. [default: 5.0]" in text
    assert "--shape NAME --help shows its options only. [default: line]" in text


def test_the_help_of_a_choice_shows_its_defaults(shapes):
    text = " ".join(shapes("--shape", "box", "--help").output.split())
    assert "[default: line]" in text
    assert "Its length. [default: 2.0]" in text
    assert "Its height. [default: 5.0]" in text
    assert "--height" not in shapes("--shape", "line", "--help").output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "--height 1",
            "is an option of --shape box, not of line\n"
            "--shape line reads --shape, --length, --filled, --colour, --border",
        ),
        (
            "--length 1 --shape dot",
            "is an option of --shape line, square, box, not of dot\n"
            "--shape dot reads --shape, --filled, --colour, --border",
        ),
        (
            "--seed 1",
            "is not read by any\n"
            "--shape line reads --shape, --length, --filled, --colour, --border",
        ),
        ("--colour red", "has no effect without --filled"),
        ("--border 2 --filled", "has no effect with --filled"),
    ],
)  # fmt: skip
def test_an_option_that_the_choice_does_not_read_is_refused(shapes, words, told):
    result = shapes(*words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: {words.split()[0]} {told}\n")


def complete(line, **env):
    """What the shell completes the last word of a line with."""
    words = line.split(" ")
    env |= {
        "_ADCAT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner(env=env).invoke(app, [], prog_name="adcat")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("adcat pre", ["predict"]),
        ("adcat --version spl", ["split"]),
        ("adcat fuse --policy poo", ["pool", "pool-aux"]),
        ("adcat train-text --model t", ["tfidf"]),
        ("adcat -w {root} evaluate ", ["text", "image", "max", "our-own"]),
        ("adcat -w {root} error-groups text m", ["max"]),
        ("adcat -w {root} predict --model o", ["our-own"]),
        ("adcat -w {root} export out --model i", ["image"]),
        ("adcat -w {root} fuse --name ", ["max", "our-own"]),
        ("adcat -w {root}/none evaluate ", []),
        ("adcat -w {root}/split/ads.parquet evaluate ", []),
        ("adcat status --nonsense ", []),
    ],
)
def test_the_shell_completes_names(tmp_path, line, found):
    workspace = Workspace(tmp_path / "w")
    labels = {part: [0, 1] for part in ("train", "validation", "test")}
    make_split(workspace, ["Cyklar", "Möbler"], labels)
    probs = {part: dict.fromkeys(("text", "image"), certain([0, 1], 2)) for part in labels}
    make_features(workspace, probs)
    for name in ("max", "our-own"):
        (workspace.root / "fuse" / name).mkdir(parents=True)
    assert complete(line.format(root=workspace.root)) == found
    if "evaluate" in line and found:
        assert complete("adcat evaluate ", ADCAT_WORKSPACE=str(workspace.root)) == found


def test_completion_starts_without_the_heavy_libraries(tmp_path):
    code = (
        "import atexit, sys; from adcat.__main__ import main\n"
        f"atexit.register(lambda: print(sorted(set({HEAVY}) & set(sys.modules))))\n"
        "sys.argv = ['adcat']; main()"
    )
    words = {"COMP_WORDS": "adcat evaluate ", "COMP_CWORD": "2", "ADCAT_WORKSPACE": str(tmp_path)}
    env = {**os.environ, **words, "_ADCAT_COMPLETE": "complete_bash"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert (found.stdout.split(), found.stderr) == (["[]"], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_finds_out_how_to_complete(shell):
    env = {
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        "_ADCAT_COMPLETE": f"source_{shell}",
    }
    result = CliRunner(env=env).invoke(app, [], prog_name="adcat")
    assert result.exit_code == 0
    assert "_ADCAT_COMPLETE" in result.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("split", "export", "status")])
def test_a_missing_artifact_is_one_line_that_names_the_command(command, tmp_path):
    result = run("-w", tmp_path / "none", command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(r"error: .* is missing; make it: adcat -w \S+ \S+.*\n", result.stderr)


def test_lack_of_memory_is_one_line(capsys):
    import tensorflow

    def told(allocate):
        with pytest.raises(SystemExit), errors_told():
            allocate()
        return capsys.readouterr().err

    end = "; end other programs or choose smaller settings, and run the same command again\n"
    array = told(lambda: np.empty((10**7, 10**8), np.float32))
    assert array.startswith("error: not enough memory: Unable to allocate 3.55 PiB")
    assert array.endswith(end)
    tensor = told(lambda: tensorflow.fill((10**7, 10**8), 1.0))
    assert tensor.startswith("error: not enough memory: ")
    assert tensor.endswith(end)
    assert tensor.count("\n") == 1
    assert told(lambda: bytearray(10**18)) == f"error: not enough memory{end}"


def test_the_version_is_printed():
    assert re.fullmatch(r"adcat \d+\.\d+\.\d+\n", run("--version").output)


def test_the_workspace_comes_from_the_environment_too(tmp_path):
    result = CliRunner(env={"ADCAT_WORKSPACE": str(tmp_path / "here")}).invoke(app, ["evaluate"])
    assert str(tmp_path / "here") in result.stderr
