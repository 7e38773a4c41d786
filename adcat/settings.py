"""Settings: one frozen dataclass per command, the only place where a default is written.

From a field follow the command-line option, its line in `--help`, its bounds check and its place in
the artifact's manifest. What a settings class may have besides:

* `panel`: the heading that its own options stand under in `--help`; `panels`: their order.
* `selector`: the field that decides which others are read, such as `policy`; and the class method
  `reads(choice, field)`: whether a choice reads a field.
* `needs`: the fields that are read only where others are on, such as `tune`, or off: `!tune`,
  or where one of several is: `image_vectors|text_vectors`.
* `published`: the thesis' values by field, or by choice and field; `--preset thesis` then appears
  by itself.
* `defaults`: of those fields whose default depends on the choice, by choice and field.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

# What a user names: a path, or the address of something in a store, such as s3://bucket/photos.
Place: TypeAlias = Path | str

_ADDRESS = re.compile(r"(?i)([a-z][a-z0-9+.-]+)://(.*)", re.S)
_PORT = re.compile(r"[^:]*:\d+")
_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")  # whose user is where a file lies


def place(text: str) -> Place:
    """What somebody typed: an address as it is, which `Path` would shorten, else a path."""
    scheme, _, rest = split_address(text)
    if scheme == "file":
        return Path(unquote("/" + rest.partition("/")[2]))
    return text if scheme else Path(text)


def split_address(text: str) -> tuple[str, str, str]:
    """The scheme of an address, who asks (with a password, perhaps), and what for.

    All are empty where it is none. A password may have slashes, as the secrets of S3 do.
    """
    found = _ADDRESS.fullmatch(text)
    if not found:
        return "", "", ""
    (scheme, rest), (before, _, after) = found.groups(), found[2].rpartition("@")
    first = before.partition("/")[0]
    is_user = "/" not in before or (":" in first and not _PORT.fullmatch(first))
    user, asked = (before, after) if is_user else ("", rest)
    return scheme.lower(), user, asked


def without_credentials(word: str) -> str:
    """An address, perhaps behind `--option=`, without user, password and what follows a `?`."""
    found = re.fullmatch(r"(--[a-z-]+=)?([a-zA-Z][a-zA-Z0-9+.-]+://.*)", word, re.S)
    if not found:
        return word
    scheme, user, asked = split_address(found[2])
    container = f"{user.partition(':')[0]}@" if user and scheme in _CONTAINERS else ""
    return f"{found[1] or ''}{scheme}://{container}{asked.partition('?')[0]}"


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    panel: str = "",
    completes: Literal["", "models", "fuse", "attend"] = "",
    dry_run: Any = None,
) -> Any:
    """Makes a dataclass field into an option.

    Args:
      default: its value where the user gives none; the only place that value is written.
      help: its line in `--help`.
      low: the lowest value allowed.
      high: the highest value allowed.
      panel: its heading in `--help` where that is not its class's.
      completes: which names in the workspace the shell completes it with; "" for none.
      dry_run: its value in a dry run unless it is off (0, None), where its own would cost time or
        ask for more ads than there are.
    """
    return _field(
        default, help=help, min=low, max=high, panel=panel, completes=completes, dry_run=dry_run
    )


def argument(
    help: str, *, default: Any = dataclasses.MISSING, completes: Literal["", "models"] = ""
) -> Any:
    """Makes a dataclass field into a positional argument; required where it has no default."""
    return _field(default, help=help, positional=True, completes=completes)


def seed_option() -> Any:
    """The `--seed` of a command that draws at random."""
    return option(
        0,
        "Seed of all random choices; trained models also depend on the processor.",
        low=0,
        high=2**31 - 1,
        panel="Options",
    )


def models_argument(verb: str) -> Any:
    """The models that a command is about, by default all."""
    names = "text, image, or the name of a fused or an attention model; by default all"
    return argument(f"Models to {verb}: {names}.", default=[], completes="models")


def model_option(verb: str, panel: str = "") -> Any:
    """The one model that a command is about, by default the best."""
    help = f"Model to {verb}; by default the one that evaluate chooses."
    return option("", help, completes="models", panel=panel)


def flag(field: str) -> str:
    """A field's option as it is typed."""
    return "--" + field.replace("_", "-")


def classifier_name() -> Any:
    """The `--name` of a command that trains a classifier."""
    return option(
        "",
        "Name of the classifier, for one beside the first; extract-features runs them all.",
        completes="models",
    )


def folds_option() -> Any:
    """The `--folds` of a command that trains a classifier."""
    return option(
        None,
        "Out-of-fold probabilities of the training ads, for what learns from them: that many more "
        "trainings, each without a part of the ads; by default 5 for fewer than 100,000 training "
        "ads, else 0 (none).",
        low=0,
        high=100,
        dry_run=2,
    )


def spark_option(panel: str) -> Any:
    """The `--spark` of a command whose work Spark can do."""
    return option(
        "",
        "Let Spark do the work (adcat[spark]; its machines share all folders): the master, such "
        "as spark://HOST:7077, yarn or local[4], or a session that there is.",
        panel=panel,
        dry_run="",
    )


def _field(default: Any, **metadata: Any) -> Any:
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
