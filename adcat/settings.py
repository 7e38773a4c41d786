"""Settings: one frozen dataclass per step, the only place where a default is written.

From a field follow the command-line option, its `--help` line, its bounds check and its place in
the artifact's manifest. A class that holds the thesis' published values has a class method
`thesis(given)` that returns them as keyword arguments; `--preset thesis` then appears by itself.
"""

import dataclasses
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    flag: str = "",
    dry_run: Any = None,
) -> Any:
    """Makes a dataclass field into an option.

    Args:
      default: its value where the user says nothing; the only place that value is written.
      help: its line in `--help`.
      low: the lowest value allowed.
      high: the highest value allowed.
      flag: the option's name where it differs from the field's.
      dry_run: its value in a dry run unless it is off (0, None), where its own would cost time or
        ask for more ads than there are.
    """
    metadata = {"help": help, "min": low, "max": high, "flag": flag, "dry_run": dry_run}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def argument(help: str, *, default: Any = dataclasses.MISSING) -> Any:
    """Makes a dataclass field into a positional argument; required where it has no default."""
    metadata = {"help": help, "positional": True}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def seed_option() -> Any:
    """The `--seed` that every command has."""
    return option(0, "Seed of every random choice.", low=0, high=2**31 - 1)
