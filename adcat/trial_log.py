"""Logs of finished trials: JSON lines, each written when its trial has ended."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append(log: Path, trial: Mapping[str, Any]) -> None:
    """Adds a line."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(trial, sort_keys=True) + "\n")


def read(log: Path) -> list[dict[str, Any]]:
    """Reads the finished trials; a line that a kill cut short is taken out of the file."""
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
        os.truncate(log, sum(map(len, lines)))  # a kill right now costs no other line
    return [json.loads(line) for line in lines]
