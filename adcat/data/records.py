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
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from adcat.errors import BadInputError

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


def split_rows(lines: Iterator[str], delimiter: str) -> Iterator[tuple[bool, list[str]]]:
    """Splits lines into rows: whether its quotation is broken, and its fields.

    A row spans several lines where a quoted field does. One with a broken quotation ends with its
    first line, and the next line is read as a row of its own: a quote that is never closed costs
    one row, not all that follow. Blank lines between rows are no rows.
    """
    csv.field_size_limit(LONGEST_FIELD)
    again: list[str] = []  # lines to be read once more, the next one last
    taken: list[str] = []  # lines of the row that is being read

    def feed() -> Iterator[str]:
        while (line := again.pop() if again else next(lines, None)) is not None:
            taken.append(line)
            yield line

    reader = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield True, taken[0].rstrip("\r\n").split(delimiter)
            again.extend(reversed(taken[1:]))
            reader = csv.reader(feed(), delimiter=delimiter, strict=True)
            continue
        if fields:
            yield False, fields


def json_objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Reads the object on each line that is not blank; an empty one where there is none.

    Numbers come as text, as they are spelled: an id 0.10 stays that.
    """
    for line in lines:
        if not line.isspace():
            yield _json_object(line)


def _json_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
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
