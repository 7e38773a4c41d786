"""What the tests of hostile input share: ten sound ads, bad ones beside them, and their outcome."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from typer.testing import CliRunner

from adcat.cli.app import app

COLUMNS = ("id", "title", "description", "category", "image")
ADS = [
    (f"ad{i}", f"Soffa {i}", "Fin, lite sliten", ("Möbler", "Cyklar")[i % 2], f"{i}.png")
    for i in range(10)
]


@dataclasses.dataclass(frozen=True)
class Case:
    """Something bad, and what is expected of the command that meets it."""

    name: str
    make: Callable[..., object]
    message: str = ""  # all that stderr holds but progress, without `error: `; exit 1
    rejected: Sequence[tuple[int, str, str]] = ()  # row, id, reason; exit 0


def ids(cases):
    return [case.name for case in cases]


def run(workspace, *words, input=None):
    """Runs a command; a traceback is a failure."""
    found = CliRunner().invoke(app, ["-w", str(workspace), *map(str, words)], input=input)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def refusal(found):
    """The error message of a command that exits with 1 and has no result."""
    assert (found.exit_code, found.stdout) == (1, ""), found.output
    return found.stderr.partition("error: ")[2].removesuffix("\n")


def draw_photos(folder: Path) -> Path:
    folder.mkdir()
    for i in range(len(ADS)):
        Image.new("RGB", (4, 4), (20 * i, 0, 0)).save(folder / f"{i}.png")
    return folder


def delimited(rows, header=COLUMNS, delimiter=",", end="\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    return text.getvalue()


def write_table(path: Path, rows) -> Path:
    """Writes a table in the format of the path's suffix."""
    ads = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ads), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, ads)), encoding="utf-8")
    else:
        delimiter = {".csv": ",", ".tsv": "\t"}[path.suffix]
        path.write_bytes(delimited(rows, delimiter=delimiter).encode())
    return path


def read_rejected(split: Path):
    with (split / "rejected.csv").open(newline="", encoding="utf-8") as file:
        return [(int(row), id_, reason) for row, id_, reason, *_ in list(csv.reader(file))[1:]]


def artifacts(root: Path) -> dict[str, bytes]:
    """What stands in a workspace, but for what is hidden."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("[!.]*"))
        if path.is_file() and not path.relative_to(root).as_posix().startswith(".")
    }
