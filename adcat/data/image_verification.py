"""Checks the image files that a table of ads names, each once, before anything is trained on them.

The names come from other people: a file is only opened once it is known to be a regular one below
the images folder.
"""

import dataclasses
import os
import re
import stat
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

from adcat.data.images import open_image, opened
from adcat.data.rejections import Reason
from adcat.files import file_stamp, image_digest
from adcat.progress import Progress

Check: TypeAlias = Literal["full", "header", "none"]

IMAGES_PER_TASK = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an image, if anything; otherwise what tells later that it changed."""

    reason: Reason | None
    digest: str | None = None  # of its bytes, or its stamp if they were not read
    stamp: str | None = None  # its size and modification time


def verify_images(
    folder: Path, images: Sequence[str], check: Check, progress: Progress
) -> list[Verdict]:
    """Checks images in parallel, in their order.

    Args:
      folder: what the images' names are relative to; one that leads out of it is refused.
      images: names of files, each once.
      check: `full` decodes every picture, `header` reads its first bytes only; both read the file
        for its digest. `none` only sees whether there is a file.
      progress: counts the images.
    """
    root = folder.resolve()
    chunks = [images[i : i + IMAGES_PER_TASK] for i in range(0, len(images), IMAGES_PER_TASK)]
    verdicts: list[Verdict] = []
    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, of damaged metadata
        ThreadPoolExecutor(os.cpu_count()) as threads,
        progress.task("checking images", len(images), "images") as task,
    ):
        for chunk in threads.map(lambda chunk: [_verify(root, i, check) for i in chunk], chunks):
            verdicts += chunk
            task.advance(len(chunk))
    return verdicts


def locate(root: Path, image: str) -> Path | Reason:
    """Finds the regular file below the folder `root` that an image's name means, or what is wrong.

    Args:
      root: the images folder, resolved.
      image: a name that somebody else chose.
    """
    if re.match(r"(?i)[a-z][a-z0-9+.-]+://|data:", image):
        return Reason.IMAGE_IS_URL
    try:
        path = (root / image).resolve()
    except (ValueError, RuntimeError):  # a NUL in the name, a link that leads to itself
        return Reason.IMAGE_MISSING
    if Path(image).is_absolute() or not path.is_relative_to(root):
        return Reason.IMAGE_OUTSIDE
    try:
        mode = path.stat().st_mode
    except OSError:
        return Reason.IMAGE_MISSING
    if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
        return Reason.IMAGE_UNREADABLE
    return path


def _verify(root: Path, image: str, check: Check) -> Verdict:
    found = locate(root, image)
    return Verdict(found) if isinstance(found, Reason) else _read(found, check)


def _read(path: Path, check: Check) -> Verdict:
    try:
        stamp = file_stamp(path)  # first: a later change then shows
        if check == "full":
            open_image(path)
        elif check == "header":
            with opened(path):
                pass
        return Verdict(None, stamp if check == "none" else image_digest(path), stamp)
    except Exception:  # decoders raise nearly anything on a damaged file
        return Verdict(Reason.IMAGE_UNREADABLE)
