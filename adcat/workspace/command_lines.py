"""The command that makes an artifact."""

import contextlib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEFAULT_WORKSPACE = "artifacts"
SEARCH = "attend-search"
OF_NAME = "@"  # between a step and the name of the classifier that it is of
SHARDS = "shards"  # the folder of what several processes make of a share each
VECTORS = ("--image-vectors", "--text-vectors")
_OTHER_WORDS = {SEARCH: ["attend", "--search"]}  # where the artifact's name is not the command's


def shortest(root: Path, name: str) -> str:
    """The command that makes an artifact, with only the options that it needs."""
    step, variant = _step_and_variant(name)
    words = list(_OTHER_WORDS.get(step, [step]))
    if step == "split":
        words.append("ADS")
    if step == "fuse" and (root / name).exists():  # but what it was made with is lost
        words += ["--policy", "POLICY", "--name", variant]
    elif step == "fuse":
        words += ["--policy", variant]
    if step in ("train-text", "train-image") and variant:
        words += ["--name", variant]
    if name.startswith(SHARDS):
        words += ["--shard", Path(name).name.replace("-of-", "/")]
    if step == "attend":
        point, _, over = variant.partition("-")
        own_name = ["--name", variant]
        words += ["--insert-at", point, "--over", over] if over in ("wh", "c") else own_name
    return _typed(root, words)


def like(record: Mapping[str, Any], root: Path, name: str) -> str:
    """The command that a manifest records, for the workspace where it is now."""
    step = _OTHER_WORDS.get(name, _step_and_variant(name))[0]
    words: list[str] = []
    with contextlib.suppress(ValueError):  # quotes that somebody edited
        words = shlex.split(str(record.get("command_line", "")))[1:]
    while words and words[0].startswith("-"):  # as `-w DIR` and `--workspace=DIR`
        del words[: 2 if words[0] in ("-w", "--workspace") else 1]
    # With vectors made elsewhere extract-features makes a classifier, and without them the rest.
    of_vectors = any(word.startswith(VECTORS) for word in words)
    makes_it = (words[:1] == [step]) != of_vectors
    return _typed(root, words) if makes_it else shortest(root, name)


def _step_and_variant(name: str) -> list[str]:
    """What `fuse/pool` and `train-text@words` consist of; the variant is empty without one."""
    return [*re.split(f"[/{OF_NAME}]", name.removeprefix(f"{SHARDS}/"), maxsplit=1), ""][:2]


def _typed(root: Path, words: Sequence[str]) -> str:
    where = [] if str(root) == DEFAULT_WORKSPACE else ["-w", str(root)]
    return shlex.join(["adcat", *where, *words])
