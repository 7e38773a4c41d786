"""Runs `evaluate` and reads what it wrote."""

import csv
import re
from html import unescape

from typer.testing import CliRunner

from adcat.cli.app import app


def run(workspace, *words):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate", *words])
    assert result.exit_code == 0, result.output
    return read_page(workspace)


def read_page(workspace):
    page = (workspace.evaluation / "report.html").read_text()
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


def read_table(workspace, name):
    with (workspace.evaluation / f"tables/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def names(workspace, folder):
    return {path.stem for path in (workspace.evaluation / folder).iterdir()}
