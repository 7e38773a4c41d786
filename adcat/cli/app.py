"""The command line: parses, calls one command, prints what it returns. No other logic."""

import contextlib
import errno
import importlib
import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

if os.environ.get("NO_COLOR") or not (sys.stdout.isatty() and sys.stderr.isatty()):
    os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"  # typer reads it when it is imported

import typer

from adcat import __version__
from adcat.cli.dry_run import dry_run
from adcat.cli.help import SettingsCommand
from adcat.cli.options import build, parameters
from adcat.cli.terminal import Terminal, prepare, show, stream, tell
from adcat.errors import AdcatError, BadInputError
from adcat.tables import Report
from adcat.workspace.command_lines import DEFAULT_WORKSPACE
from adcat.workspace.layout import STEPS, Workspace

COMMANDS = (*STEPS, "predict", "export", "status")

REMEDIES = {
    errno.ENOSPC: "; make room and run the same command again",
    errno.ENOLCK: "; this disk cannot lock files: put the workspace on another (-w DIR)",
}
LESS_MEMORY = "end other programs or choose smaller settings, and run the same command again"

FIRST_STEPS = """\b
First steps:
  adcat split ADS    ADS: a table of ads, such as sample_data/ads.csv
  adcat train-text   train a first classifier
  adcat status       see what has been made and what to type next
"""

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, epilog=FIRST_STEPS
)


def _version(ctx: typer.Context, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        typer.echo(f"adcat {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    ctx: typer.Context,
    workspace: Annotated[
        Path,
        typer.Option(
            "--workspace",
            "-w",
            metavar="DIR",
            envvar="ADCAT_WORKSPACE",
            help="Folder of all artifacts.",
        ),
    ] = Path(DEFAULT_WORKSPACE),
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Put second-hand ads into the right category from their text and photo."""
    del version
    prepare()
    ctx.obj = Workspace(workspace)


def _add(name: str) -> None:
    """Adds a command: its settings are the options, its docstring is the help."""
    module = importlib.import_module(f"adcat.commands.{name.replace('-', '_')}")
    step = getattr(module, name.replace("-", "_"))
    document = getattr(module, "document", None)

    def run(ctx: typer.Context, **values: Any) -> None:
        as_json, is_dry = values.pop("json", False), values.pop("dry_run", False)
        settings = build(module.Settings, values, lambda field: _is_given(ctx, field), ctx.fail)
        with errors_told():
            _check_names([ctx.obj.root, *vars(settings).values()])
            if is_dry:
                show(dry_run(step, ctx.obj, settings, Terminal()))
                return
            if name != "status":
                ctx.obj.repair()
            if as_json:
                typer.echo(json.dumps(document(ctx.obj, settings, Terminal()), indent=2))  # pyright: ignore[reportOptionalCall]
            else:
                result = step(ctx.obj, settings, Terminal())
                show(result) if isinstance(result, Report) else stream(result)

    options = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    options += parameters(module.Settings)
    if document:
        options.append(_JSON)
    if name in STEPS:
        options.append(_DRY_RUN)
    run.__signature__ = inspect.Signature(options)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {option.name: option.annotation for option in options}
    command = type(name, (SettingsCommand,), {"settings": module.Settings})
    app.command(name, cls=command, help=inspect.getdoc(step), no_args_is_help=False)(run)


def _flag(name: str, help: str) -> inspect.Parameter:
    """An option that is not a setting of the command."""
    option = typer.Option(f"--{name.replace('_', '-')}", help=help)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=False, annotation=Annotated[bool, option])


_JSON = _flag("json", "Print one JSON document; write nothing.")
_DRY_RUN = _flag("dry_run", "Try the command on a few ads of each part; write nothing.")


def _is_given(ctx: typer.Context, field: str) -> bool:
    source = ctx.get_parameter_source(field)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _check_names(values: Iterable[Any]) -> None:
    """Checks names of files: fastText and Parquet's library open none that are not UTF-8.

    Raises:
      BadInputError: one is not.
    """
    for name in map(str, values):
        if name != name.encode(errors="ignore").decode():
            raise BadInputError(f"{name}: expected a name in UTF-8; rename the file or folder")


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Turns an expected failure into a message on stderr and an exit code."""
    try:
        yield
    except BrokenPipeError:  # as in `adcat … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes what is left when it ends
        sys.exit(1)
    except Exception as error:
        if not (told := _told(error)):
            raise
        tell(f"error: {told}")
        sys.exit(1)


def _told(error: Exception) -> str:
    """An expected failure in words; nothing where it is none."""
    if isinstance(error, AdcatError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}{REMEDIES.get(error.errno or 0, '')}"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        reason = f"{error}".partition("\n")[0]  # TensorFlow's error is the one known by its name
        return f"not enough memory{': ' * bool(reason)}{reason}; {LESS_MEMORY}"
    return ""


for _name in COMMANDS:
    _add(_name)
