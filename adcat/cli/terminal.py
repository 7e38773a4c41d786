"""What the terminal shows: results on stdout, progress and remarks on stderr.

Names of categories and files come from anybody. Whatever of them a terminal would obey, or show as
something else, comes out as the escape that JSON has for it.
"""

import contextlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator

import typer
from rich import box
from rich import progress as bars
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from adcat.progress import Task
from adcat.tables import Report, Table

SECONDS_BETWEEN_LINES = 10  # of progress, where stderr is not a terminal
# Control characters but the end of a line, marks that turn the direction of writing around, blanks
# without a width, other ends of a line, bytes that are not text.
UNSEEN = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text without what a terminal would obey; it stays JSON if it was."""
    return UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def prepare() -> None:
    """Makes the standard streams write any text, whatever the system's character set."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def tell(line: str) -> None:
    """Prints an error or a remark on stderr."""
    typer.echo(visible(line), err=True)


def _console(stderr: bool) -> Console:
    """A console without control codes where they would end up in a file."""
    stream = sys.stderr if stderr else sys.stdout
    plain = bool(os.environ.get("NO_COLOR")) or not stream.isatty()
    return Console(
        file=stream,
        force_terminal=not plain,
        width=160 if plain else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def show(report: Report) -> None:
    """Prints what a step has to say on stdout."""
    console = _console(stderr=False)
    for line in report.first:
        console.print(_on_one_line(line), soft_wrap=True)
    for table in report.tables:
        console.print(_rich(table))
    for line in report.lines:
        console.print(_on_one_line(line), soft_wrap=True)


def stream(lines: Iterable[str]) -> None:
    """Prints lines on stdout as they come, each at once."""
    for line in lines:
        sys.stdout.write(f"{visible(line)}\n")
        sys.stdout.flush()


def _rich(table: Table) -> RichTable:
    shown = RichTable(
        title=Text(table.title, "table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for i, column in enumerate(table.columns):
        numeric = any(isinstance(row[i], int | float) for row in table.rows)
        justify = "right" if numeric else "left"
        shown.add_column(column.heading, justify=justify, overflow="fold")  # nothing is cut off
    for row in table.texts():
        shown.add_row(*(Text(_on_one_line(cell)) for cell in row))
    return shown


def _on_one_line(text: str) -> str:
    return visible(text).replace("\n", r"\n")


class Terminal:
    """Draws progress on stderr: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self) -> None:
        self._console = _console(stderr=True)

    @contextlib.contextmanager
    def task(self, title: str, total: int, unit: str, done: int = 0) -> Iterator[Task]:
        """Shows title, share done, units per second and the time left."""
        title = _on_one_line(title)
        if not self._console.is_terminal:
            task = _Lines(title, total, unit, done)
            yield task
            task.end()
            return
        with bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=True,
        ) as progress:
            row = progress.add_task(title, total=total, completed=done, rate="", note="")
            yield _Bar(progress, row, unit)

    def say(self, line: str) -> None:
        """Prints the line."""
        self._console.print(visible(line), soft_wrap=True)


class _Bar:
    """A task drawn as a bar."""

    def __init__(self, progress: bars.Progress, row: bars.TaskID, unit: str) -> None:
        self._progress, self._row, self._unit = progress, row, unit

    def advance(self, units: int, note: str = "") -> None:
        speed = self._progress.tasks[self._row].speed
        rate = f"{speed:,.0f} {self._unit}/s" if speed else ""
        self._progress.update(self._row, advance=units, rate=rate, note=note)


class _Lines:
    """A task that prints a line now and then."""

    def __init__(self, title: str, total: int, unit: str, done: int) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._before = done
        self._started = self._said = time.monotonic()

    def advance(self, units: int, note: str = "") -> None:
        self._done += units
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            left = (self._total - self._done) / max(self._rate(), 1e-9)
            self._say(f"{left:,.0f} s left  {note}")

    def end(self) -> None:
        self._say("done")

    def _rate(self) -> float:
        return (self._done - self._before) / max(time.monotonic() - self._started, 1e-9)

    def _say(self, end: str) -> None:
        count = f"{self._done:,}/{self._total:,} {self._unit}"
        line = f"{self._title}: {count}, {self._rate():,.0f} {self._unit}/s, {end}"
        typer.echo(line.rstrip(), err=True)
