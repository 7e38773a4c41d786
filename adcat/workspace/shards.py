"""Shares of a command's work: what they are called, and whether all are there and fit together."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adcat.errors import BadInputError
from adcat.workspace.manifest import Manifest

WORTH_READING = 80  # characters of two values; digests are longer


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of several equal shares of the rows, numbered from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads `2/8`.

        Raises:
          BadInputError: it has another form.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise BadInputError(f"--shard {text}: expected a share such as 2/8, from 1/8 to 8/8")
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """As it stands in the names of files: `2-of-8`."""
        return f"{self.number}-of-{self.of}"

    def holds(self, row: int) -> bool:
        """Whether a row, counted from 1, is of this share of a stream: every eighth one."""
        return (row - self.number) % self.of == 0

    def rows(self, count: int) -> range:
        """This share of rows whose number is known, one after the other."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)


def shards_in(folder: Path, before: str = "", after: str = "") -> list[Shard]:
    """The shards that a folder has files or folders of, by what their names begin and end with."""
    pattern = re.compile(rf"{re.escape(before)}([1-9]\d*)-of-([1-9]\d*){re.escape(after)}")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = [
        Shard(int(match[1]), int(match[2])) for match in map(pattern.fullmatch, names) if match
    ]
    return sorted(shard for shard in found if shard.number <= shard.of)


def all_shards_for(cores: int) -> list[Shard]:
    """The shards that so many cores work on, four of them each: a lost or slow one costs little."""
    return [Shard(number, 4 * cores) for number in range(1, 4 * cores + 1)]


def all_of(found: Sequence[Shard], where: Path, how: str) -> list[Shard]:
    """Every shard that there must be where there are these.

    Args:
      found: at least one of them.
      where: they are.
      how: they are made.

    Raises:
      BadInputError: there are none, or some of another number.
    """
    numbers = sorted({shard.of for shard in found})
    if not numbers:
        raise BadInputError(f"{where}: no shards to merge were found; make them: {how}")
    if len(numbers) > 1:
        listed = " and ".join(map(str, numbers))
        raise BadInputError(f"{where}: there are shards of {listed}; remove those of one number")
    return [Shard(number, numbers[0]) for number in range(1, numbers[0] + 1)]


def difference(one: Manifest, other: Manifest) -> str:
    """What of its making one states that the other does not, in words; nothing if all is alike."""
    for mine, others in zip(_making(one), _making(other), strict=True):
        for name in sorted({*mine, *others}):
            if mine.get(name) != others.get(name):
                values = f"{name} {mine.get(name)}, not {others.get(name)}"
                return values if len(values) < WORTH_READING else f"another {name}"
    return ""


def _making(manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    """Settings, inputs, notes and versions, but the number of the shard."""
    content = json.loads(json.dumps(dataclasses.asdict(manifest), default=str))
    content["settings"].pop("shard", None)
    versions = {"adcat": manifest.adcat, **content["record"].get("packages", {})}
    return content["settings"], content["inputs"], content["notes"], versions
