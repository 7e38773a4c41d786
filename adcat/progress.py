"""How long work tells that it moves, without knowing who listens.

Steps and methods get a `Progress`; `adcat.cli` passes one that draws on the terminal.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Task(Protocol):
    """One stretch of work whose length is known."""

    def advance(self, units: int, note: str = "") -> None:
        """Counts finished units; `note` is a short remark such as the last loss."""
        ...


class Progress(Protocol):
    """Receives what a step does while it does it."""

    def task(
        self, title: str, total: int, unit: str, done: int = 0
    ) -> contextlib.AbstractContextManager[Task]:
        """Opens a stretch of `total` units, of which `done` were done by an earlier run."""
        ...

    def say(self, line: str) -> None:
        """Tells one line: a decision that follows from the data, a warning."""
        ...


class _SilentTask:
    def advance(self, units: int, note: str = "") -> None:
        del units, note


class Silent:
    """A `Progress` that nobody hears."""

    @contextlib.contextmanager
    def task(self, title: str, total: int, unit: str, done: int = 0) -> Iterator[Task]:
        """Opens a stretch of work that is not shown."""
        del title, total, unit, done
        yield _SilentTask()

    def say(self, line: str) -> None:
        """Drops the line."""
        del line
