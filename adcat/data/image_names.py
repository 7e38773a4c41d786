"""The file that an image's name in a table means, and why there is none.

The names come from other people: a file counts only if it is a regular one below the images folder.
"""

import functools
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from adcat.data.rejections import Reason

SEPARATORS = "|;,"  # that may stand between the names in a cell
SIGNATURES = {  # how a file begins that is no photo that can be read
    rb".{4}ftyp(hei|hev|mif1|msf1)": "HEIC; convert it to JPEG",
    rb"\s*(<!doctype|<html)": "a web page",
    rb"\s*(<\?xml|<svg)": "SVG; convert it to PNG",
    rb"%PDF": "PDF; convert it to JPEG",
    rb"$": "an empty file",
}


def names_in(cell: str, separator: str) -> list[str]:
    """The names in a table's cell, of which the first that can be read counts."""
    names = cell.split(separator) if separator else [cell]
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


def cause(root: Path, image: str, reason: Reason) -> str:
    """Why there is no file of this name, and what helps; empty where no more is known."""
    if reason == Reason.IMAGE_MISSING:
        return next(_other_spellings(root, image), "")
    if reason == Reason.IMAGE_UNREADABLE:
        return "not a file"
    if reason == Reason.IMAGE_OUTSIDE and (root / image).is_symlink():
        return f"a link to {(root / image).readlink()}; copy the file itself"
    return ""


def _other_spellings(root: Path, image: str) -> Iterator[str]:
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
            yield f"there is {root.parent / name}{also}; type: --images {root.parent}"
        similar = _similar(root, name)
        if similar:
            yield f"there is {similar}{also}; write the name as the file has it"
    for separator in SEPARATORS:
        if any(_is_file(root, name) for name in names_in(image, separator) if name != image):
            yield f"several names; type: --image-separator '{separator}'"


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
    return str(path.with_name(found)) if found else ""


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
    with path.open("rb") as file:
        start = file.read(64)
    found = (what for begins, what in SIGNATURES.items() if re.match(begins, start, re.I | re.S))
    return next(found, "")
