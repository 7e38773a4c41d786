"""Checks the image files that a table of ads names, each once, before any training."""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

from adcat.data.image_names import cause, locate, names_in, signature
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
    cause: str = ""  # of that, as far as it is known
    name: str | None = None  # of the file, below the images folder
    digest: str | None = None  # of its bytes, or its stamp if they were not read
    stamp: str | None = None  # its size and modification time


def verify_images(
    folder: Path, images: Sequence[str], check: Check, progress: Progress, separator: str = ""
) -> list[Verdict]:
    """Checks images in parallel, in their order.

    Args:
      folder: what the images' names are relative to; one that leads out of it is refused.
      images: the cells that name files, each once.
      check: `full` decodes every picture, `header` reads its first bytes only; both read the file
        for its digest. `none` only sees whether there is a file.
      progress: counts the images.
      separator: stands between the names of a cell that has several.
    """
    root = folder.resolve()
    chunks = [images[i : i + IMAGES_PER_TASK] for i in range(0, len(images), IMAGES_PER_TASK)]
    verdicts: list[Verdict] = []
    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, of damaged metadata
        ThreadPoolExecutor(os.cpu_count()) as threads,
        progress.task("checking images", len(images), "images") as task,
    ):
        for chunk in threads.map(
            lambda chunk: [_verify(root, cell, check, separator) for cell in chunk], chunks
        ):
            verdicts += chunk
            task.advance(len(chunk))
    return verdicts


def _verify(root: Path, cell: str, check: Check, separator: str) -> Verdict:
    """Checks the images that a cell names until one is sound; otherwise the first is told of."""
    verdicts = []
    for name in names_in(cell, separator):
        verdicts.append(_check(root, name, check))
        if verdicts[-1].reason is None:
            return verdicts[-1]
    return verdicts[0]


def _check(root: Path, image: str, check: Check) -> Verdict:
    path = locate(root, image)
    if isinstance(path, Reason):
        return Verdict(path, cause(root, image, path))
    try:
        stamp = file_stamp(path)  # first: a later change then shows
        if check == "full":
            open_image(path)
        elif check == "header":
            with opened(path):
                pass
        digest = stamp if check == "none" else image_digest(path)
    except Exception as error:  # decoders raise nearly anything on a damaged file
        found = signature(path) or getattr(error, "problem", str(error))
        return Verdict(Reason.IMAGE_UNREADABLE, found)
    is_usual = not Path(image).is_absolute() and (root / image).exists()
    name = image if is_usual else str(path.relative_to(root))
    return Verdict(None, "", name, digest, stamp)
