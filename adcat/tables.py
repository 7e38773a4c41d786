"""A small table as a value, and the forms that it is read in: terminal, CSV, Markdown.

A step builds a `Table` once; `adcat.cli` shows it and `write_table` files it.
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and how its values are written for people (`str.format`)."""

    heading: str
    form: str = "{}"

    def text(self, value: Cell) -> str:
        """The value as people read it; nothing for None."""
        return "" if value is None else self.form.format(value)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values under columns."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def texts(self) -> list[list[str]]:
        """The cells as people read them, row by row."""
        return [
            [column.text(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a step has to say when it is done."""

    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()


def percent(heading: str) -> Column:
    """A column of fractions that people read as percentages with two decimals."""
    return Column(heading, "{:.2%}")


def write_table(folder: Path, name: str, table: Table) -> None:
    """Writes `name.csv` with the plain values and `name.md` as people read it."""
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.heading for column in table.columns])
        writer.writerows(table.rows)
    (folder / f"{name}.md").write_text(_markdown(table), encoding="utf-8")


def write_records(path: Path, records: Sequence[Mapping[str, Cell]]) -> None:
    """Writes dictionaries with the same keys as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def _markdown(table: Table) -> str:
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
    """One row; what would end a cell or a line early is escaped."""
    safe = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(safe) + " |"
