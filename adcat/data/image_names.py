"""The file that an image's name in a table means, and why there is none.

The names come from other people: a file counts only if it is a regular one below the images folder.
"""

import functools
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

from adcat.data.rejections import Reason
from adcat.errors import BadInputError

DEEPEST = 8  # folders of another machine's path that may lie below the images folder
SEPARATORS = "|;, "  # that may stand between the names in a cell
FIELD = re.compile(r"{([^{}]+)}")  # of a pattern
SIGNATURES = {  # how files begin that are not readable photos
    rb".{4}ftyp(hei|hev|mif1|msf1)": "HEIC; convert it to JPEG",
    rb"\s*(<!doctype|<html)": "a web page",
    rb"\s*(<\?xml|<svg)": "SVG; convert it to PNG",
    rb"%PDF": "PDF; convert it to JPEG",
    rb"$": "an empty file",
}


def images_folder(table: Path, given: Path | None) -> Path:
    """The folder that image paths are relative to, resolved: what is given, or the table's own.

    Raises:
      BadInputError: what is given is not a folder.
    """
    folder = (given or table.parent).resolve()
    if given and not folder.is_dir():
        raise BadInputError(f"{folder} is not a folder; name the images folder: --images DIR")
    return folder


def fields_of(pattern: str) -> list[str]:
    """The columns that images are named after by a pattern such as `image_{imageid}.jpg`.

    Raises:
      BadInputError: it does not name any.
    """
    fields = list(dict.fromkeys(FIELD.findall(pattern)))
    if pattern and not fields:
        expected = "columns in braces, such as '{id}.jpg'"
        raise BadInputError(f"--image-pattern {pattern}: expected {expected}")
    return fields


def filled(pattern: str, values: Mapping[str, str | None]) -> str:
    """The image's name by a pattern; empty where a column has no value."""
    found = {field: (values[field] or "").strip() for field in fields_of(pattern)}
    return FIELD.sub(lambda field: found[field[1]], pattern) if all(found.values()) else ""


def names_in(cell: str, separators: str) -> list[str]:
    """The names in a table's cell, of which the first that can be read counts.

    Each of the characters in `separators` stands between names.
    """
    names = re.split(f"[{re.escape(separators)}]", cell) if separators else [cell]
    return [name.strip() for name in names if name.strip()] or [cell]


def locate(root: Path, image: str) -> Path | Reason:
    """Finds the regular file below the folder `root` that an image's name means, or what is wrong.

    Unicode's composed and decomposed letters are the same.

    Args:
      root: the images folder, resolved.
      image: a name that somebody else chose.
    """
    found = _locate(root, image)
    for form in ("NFC", "NFD"):
        if found == Reason.IMAGE_MISSING and not unicodedata.is_normalized(form, image):
            found = _locate(root, unicodedata.normalize(form, image))
    return found


def is_url(image: str) -> bool:
    """Whether an image's name is an address on the network, or holds the image itself."""
    return bool(re.match(r"(?i)[a-z][a-z0-9+.-]+://|data:", image))


def _locate(root: Path, image: str) -> Path | Reason:
    if is_url(image):
        return Reason.IMAGE_IS_URL
    try:
        path = (root / image).resolve()
    except (ValueError, RuntimeError):  # a NUL in the name, a link that leads to itself
        return Reason.IMAGE_MISSING
    if not path.is_relative_to(root):
        return Reason.IMAGE_OUTSIDE
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return Reason.IMAGE_MISSING
    if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
        return Reason.IMAGE_UNREADABLE
    return path


def cause(root: Path, image: str, reason: Reason, separators: str = "") -> str:
    """Why a name leads to no file, and what helps; empty where nothing is known.

    It says the same wherever the folder lies. `separators` are those that were given.
    """
    if reason == Reason.IMAGE_UNREADABLE:
        return "not a file"
    if reason == Reason.IMAGE_IS_URL:
        return ""
    found = next(chain(_links(root, image), _other_spellings(root, image, separators)), "")
    return found.encode(errors="backslashreplace").decode()  # a file's name need not be UTF-8


def _links(root: Path, image: str) -> Iterator[str]:
    path = root
    for part in Path(image).parts:
        path /= part
        if path.is_relative_to(root) and os.path.islink(path):  # noqa: PTH114 - of any length
            link = f"{path.relative_to(root)} is a link to {path.readlink()}"
            yield f"{link}; copy what it leads to"


def _other_spellings(root: Path, image: str, separators: str) -> Iterator[str]:
    """What to do so that a missing name is found; nothing where no spelling helps."""
    slashed = image.replace("\\", "/")
    spellings = {  # a name -> how it differs
        unquote(slashed): "; write / for \\ and decode what begins with %",
        slashed: "; write / for \\",
        unquote(image): "; decode what begins with %",
        image: "",  # last: where nothing differs, nothing is to be written otherwise
    }
    for name, also in spellings.items():
        if also and _is_file(root, name):
            yield f"there is {name}{also}"
        if _is_file(root.parent, name):
            yield f"there is {name} in the folder above{also}; name that with --images"
        for similar in filter(None, (_similar(root, inner) for inner in _below(name))):
            yield f"there is {similar}{also}; write the name as the file has it"
    for separator in SEPARATORS:
        names, enough = names_in(image, separator), all if separator == " " else any
        if len(names) > 1 and enough(_is_file(root, name) for name in names):
            yield f"several names; type: --image-separator '{separators}{separator}'"


def _below(name: str) -> list[str]:
    """What of a name may be relative to the images folder: of an absolute one each of its ends."""
    path = PureWindowsPath(name)  # which knows both kinds of slashes
    ends = [path.parts[start:] for start in range(1, len(path.parts))][-DEEPEST:]
    return ["/".join(end) for end in ends] if path.anchor else [name]


def _is_file(root: Path, image: str) -> bool:
    return isinstance(locate(root, image), Path)


def _similar(root: Path, image: str) -> str:
    """The file whose name differs in case or in its ending, if there is one."""
    path = Path(image)
    if _locate(root, str(path.parent)) != Reason.IMAGE_UNREADABLE:  # that is a folder
        return ""
    folder = root / path.parent
    by_name = _files(folder, folder.stat().st_mtime_ns)
    found = by_name.get(path.name.casefold()) or by_name.get(path.stem.casefold())
    name = str(path.with_name(found)) if found else ""
    return name if name and _is_file(root, name) else ""


@functools.lru_cache(maxsize=8)
def _files(folder: Path, changed: int) -> dict[str, str]:
    """The names in a folder, by their names and stems without case."""
    del changed  # when the folder did: part of the cache's key
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # it may not be listed
        return {}
    stems = {Path(name).stem.casefold(): name for name in names}
    return {**stems, **{name.casefold(): name for name in names}}


def signature(path: Path) -> str:
    """What an unreadable file is, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return ""
    found = (what for begins, what in SIGNATURES.items() if re.match(begins, start, re.I | re.S))
    return next(found, "")
