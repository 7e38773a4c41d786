"""How long work reports its progress, without knowing who shows it.

Commands and methods take a `Progress`; `adcat.cli` passes one that draws on the terminal.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Task(Protocol):
    """A piece of work of known length."""

    def advance(self, units: int, note: str = "") -> None:
        """Adds finished units; `note` is a short remark such as the last loss."""
        ...


class Progress(Protocol):
    """Receives the progress of a command."""

    def task(
        self, title: str, total: int, unit: str, done: int = 0
    ) -> contextlib.AbstractContextManager[Task]:
        """Opens a task of `total` units, of which an earlier run did `done`."""
        ...

    def say(self, line: str) -> None:
        """Reports a line: a decision that follows from the data, or a warning."""
        ...


class _SilentTask:
    def advance(self, units: int, note: str = "") -> None:
        del units, note


class Silent:
    """A `Progress` that shows nothing."""

    @contextlib.contextmanager
    def task(self, title: str, total: int, unit: str, done: int = 0) -> Iterator[Task]:
        """Opens a task that is not shown."""
        del title, total, unit, done
        yield _SilentTask()

    def say(self, line: str) -> None:
        """Drops the line."""
        del line
