"""A small table as a value, shown on the terminal, written as CSV and Markdown.

A command builds a `Table` once; `adcat.cli` shows it and `write_table` writes it.
"""

import contextlib
import csv
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Cell: TypeAlias = str | int | float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and the format of its values (`str.format`)."""

    heading: str
    form: str = "{}"

    def text(self, value: Cell) -> str:
        """The formatted value; empty for None."""
        return "" if value is None else self.form.format(value)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values under columns."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def texts(self) -> list[list[str]]:
        """The formatted cells, row by row."""
        return [
            [column.text(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a command prints when it is done."""

    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()
    first: Sequence[str] = ()  # lines before the tables


def percent(heading: str) -> Column:
    """A column of fractions shown as percentages with two decimals."""
    return Column(heading, "{:.2%}")


def write_table(folder: Path, name: str, table: Table) -> None:
    """Writes `name.csv` with the plain values and `name.md` with the formatted ones."""
    headings = [column.heading for column in table.columns]
    with csv_writer(folder / f"{name}.csv", headings) as writer:
        writer.writerows(table.rows)
    (folder / f"{name}.md").write_text(markdown(table), encoding="utf-8")


def write_records(path: Path, records: Sequence[Mapping[str, Cell]]) -> None:
    """Writes dictionaries with the same keys as CSV."""
    with csv_writer(path, list(records[0])) as writer:
        writer.writerows(record.values() for record in records)


@contextlib.contextmanager
def csv_writer(path: Path, headings: Sequence[str]) -> Iterator[Any]:
    """Opens a CSV file whose first row are the headings."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(headings)
        yield writer


def markdown(table: Table) -> str:
    """The title and the formatted values as Markdown."""
    numeric = [
        any(isinstance(row[i], int | float) for row in table.rows)
        for i in range(len(table.columns))
    ]
    lines = [
        _line([column.heading for column in table.columns]),
        "|" + "|".join("--:" if right else "---" for right in numeric) + "|",
        *(_line(row) for row in table.texts()),
    ]
    return f"**{table.title}**\n\n" + "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    """One row, with escapes for what would end a cell or line early."""
    safe = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(safe) + " |"
