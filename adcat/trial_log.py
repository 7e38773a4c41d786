"""Logs of finished trials: JSON lines, each written when its trial has ended."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append(log: Path, trial: Mapping[str, Any]) -> None:
    """Adds a line."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(trial, sort_keys=True) + "\n")


def read(log: Path) -> list[dict[str, Any]]:
    """Reads the finished trials; a line that a kill cut short is taken out of the file."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
        log.write_text("".join(lines), encoding="utf-8")
    return [json.loads(line) for line in lines]
