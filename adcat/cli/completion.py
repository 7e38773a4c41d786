"""What the shell completes from the workspace: names of models and of variants."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import typer

from adcat.workspace.layout import Workspace
from adcat.workspace.models import all_models


def completer(which: str) -> Callable[[typer.Context], list[str]] | None:
    """Lists the names of all models, or of the models of one command; nothing for ""."""

    def names(ctx: typer.Context) -> list[str]:
        """The names in the workspace that the command line states."""
        with contextlib.suppress(OSError, ValueError):  # a completion that fails says nothing
            workspace = Workspace(Path(ctx.find_root().params["workspace"]))
            if which == "models":
                return [model.name for model in all_models(workspace)]
            return [artifact.path.name for artifact in workspace.variants(which)]
        return []

    return names if which else None
