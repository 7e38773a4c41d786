"""The command that makes an artifact."""

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEFAULT_WORKSPACE = "artifacts"
SEARCH = "attend-search"
_OTHER_WORDS = {SEARCH: ["attend", "--search"]}  # where the artifact's name is not the command's


def shortest(root: Path, name: str) -> str:
    """The command that makes an artifact, with only the options that it needs."""
    step, _, variant = name.partition("/")
    words = list(_OTHER_WORDS.get(step, [step]))
    if step == "split":
        words.append("ADS")
    if step == "fuse":
        words += ["--policy", variant]
    if step == "attend":
        point, _, over = variant.partition("-")
        words += ["--insert-at", point, "--over", over]
    return _typed(root, words)


def like(record: Mapping[str, Any], root: Path, name: str) -> str:
    """The command that a manifest records, for the workspace where it is now."""
    step = _OTHER_WORDS.get(name, name.split("/"))[0]
    words: list[str] = []
    with contextlib.suppress(ValueError):  # quotes that somebody edited
        words = shlex.split(str(record.get("command_line", "")))
    return _typed(root, words[words.index(step) :]) if step in words else shortest(root, name)


def _typed(root: Path, words: Sequence[str]) -> str:
    where = [] if str(root) == DEFAULT_WORKSPACE else ["-w", str(root)]
    return shlex.join(["adcat", *where, *words])
