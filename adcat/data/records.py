"""Reads text files record by record: rows of delimited fields, JSON objects on lines.

Python's CSV parser is used, not Arrow's, which is seven times as fast: where a quote is never
closed, Arrow's takes the rows that follow for one field and says nothing, and a long field stops
it. Cleaning the texts takes seven times as long as reading them here.
"""

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from adcat.errors import BadInputError

MORE_LINES = 100  # that a row with escaped quotes may span
OTHER_DELIMITERS = ",;\t|"
LONGEST_FIELD = 1 << 26  # characters; a quote that is not closed by then was opened by mistake


@contextlib.contextmanager
def decoded_lines(path: Path, file: IO[bytes]) -> Iterator[Iterator[str]]:
    """Opens the lines of an open file, with their ends, as text.

    Raises:
      BadInputError: it is neither UTF-8 nor UTF-16 with a byte-order mark; within the block.
    """
    encoding = _encoding(path)
    try:
        yield io.TextIOWrapper(file, encoding, newline="")
    except UnicodeDecodeError:
        raise BadInputError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} at byte offset "
            f"{_first_bad_byte(path, encoding)}\n"
            "expected UTF-8, or UTF-16 with a byte-order mark; convert it"
        ) from None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _first_bad_byte(path: Path, encoding: str) -> int:
    decoder, position = codecs.getincrementaldecoder(encoding)(), 0
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                kept_from_before = len(error.object) - len(block)
                return position - kept_from_before + error.start
            position += len(block)


def stated_delimiter(line: str) -> str:
    """The delimiter that a first line for spreadsheets states, such as `sep=;`; else nothing."""
    found = re.fullmatch(r'"?sep=(.)"?[\r\n]*', line, re.IGNORECASE)
    return found[1] if found else ""


def best_delimiter(line: str, usual: str, wanted: Sequence[str]) -> str:
    """The delimiter of a line of headers by which the most of those wanted are found."""

    def found(delimiter: str) -> int:
        headers = next(csv.reader([line], delimiter=delimiter), [])
        return sum(any(same_header(name, header) for header in headers) for name in wanted)

    return max([usual, *OTHER_DELIMITERS], key=found)


def split_rows(lines: Iterator[str], delimiter: str) -> Iterator[tuple[bool, list[str]]]:
    """Splits lines into rows: whether its quotation is broken, and its fields.

    A row spans several lines where a quoted field does. One with a broken quotation ends with its
    first line, and the next line is read as a row of its own: a quote that is never closed costs
    one row, not all that follow. If that row makes sense with quotes that backslashes escape, as
    some databases write them, it is read so. Blank lines between rows are skipped.
    """
    csv.field_size_limit(LONGEST_FIELD)
    source, width = _Lines(lines, delimiter), 0
    reader = csv.reader(source.feed(), delimiter=delimiter, strict=True)
    while True:
        source.taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield source.mended(width)
            reader = csv.reader(source.feed(), delimiter=delimiter, strict=True)
            continue
        if fields:
            width = width or len(fields)
            yield False, fields if len(fields) == width else source.escaped(width) or fields


class _Lines:
    """Lines that can be read again from within a row."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self.lines, self.delimiter = lines, delimiter
        self.again: list[str] = []  # lines to be read once more, the next one last
        self.taken: list[str] = []  # lines of the row that is being read

    def feed(self) -> Iterator[str]:
        """Yields the lines one by one, and keeps them as those of the row."""
        while (line := self.again.pop() if self.again else next(self.lines, None)) is not None:
            self.taken.append(line)
            yield line

    def mended(self, width: int) -> tuple[bool, list[str]]:
        """A row whose quotation is broken, and whether it stays so: then it is its first line."""
        if fields := self.escaped(width):
            return False, fields
        self.again.extend(reversed(self.taken[1:]))
        return True, self.taken[0].rstrip("\r\n").split(self.delimiter)

    def escaped(self, width: int) -> list[str]:
        """The row's fields if it has so many with backslashes as escapes, else nothing.

        Lines behind it are given back.
        """
        if '\\"' not in self.taken[0]:
            return []
        before = len(self.taken)
        lines = chain(tuple(self.taken), islice(self.feed(), MORE_LINES))
        reader = csv.reader(lines, delimiter=self.delimiter, escapechar="\\", strict=True)
        with contextlib.suppress(csv.Error):
            if len(fields := next(reader)) == width:
                self._give_back(reader.line_num)
                return fields
        self._give_back(before)
        return []

    def _give_back(self, start: int) -> None:
        self.again.extend(reversed(self.taken[start:]))
        del self.taken[start:]


def json_objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Reads the object on each line that is not blank; an empty one where there is none.

    Numbers come as text, as they are spelled: an id 0.10 stays that; but 1.0 is 1, NaN nothing.
    """
    for line in lines:
        if not line.isspace():
            yield _json_object(line)


def _json_object(line: str) -> dict[str, Any]:
    as_text = {"parse_int": str, "parse_float": lambda spelled: re.sub(r"\.0+$", "", spelled)}
    try:
        value = json.loads(line, **as_text, parse_constant=lambda _: "")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def json_text(value: Any) -> str | None:
    """A single value as text, None for a list or an object; half a surrogate pair is replaced."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict | list):
        return None
    return {None: "", True: "true", False: "false"}[value]


def same_header(one: str, other: str) -> bool:
    """Whether two headers differ in case and surrounding blanks at most."""
    return one.strip().casefold() == other.strip().casefold()


def json_value(ad: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The value that an object has under the first of some keys that it has, else None."""
    for name in names:
        keys = [name] if name in ad else [key for key in ad if same_header(key, name)]
        if len(keys) == 1:
            return ad[keys[0]]
    return None
