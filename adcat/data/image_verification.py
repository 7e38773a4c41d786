"""Checks the image files that a table of ads names, each once, before any training."""

import contextlib
import dataclasses
import functools
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from adcat.data.fetching import THREADS, Absence, Store, local_name
from adcat.data.image_names import cause, locate, names_in, signature
from adcat.data.images import open_image, opened, problem_in
from adcat.data.rejections import Reason
from adcat.data.similar_images import Pairs, Views, candidates, hashes, show_the_same, views
from adcat.data.thread_map import map_ahead
from adcat.files import file_stamp, image_digest
from adcat.progress import Progress, Task

Check: TypeAlias = Literal["full", "header", "none", "few"]

FEW = 64  # photos of a store
AHEAD = 16 * THREADS  # photos that one which the store keeps waiting does not hold up
IMAGES_PER_TASK = 64
VIEWS_KEPT = 16384  # of as many photos, about 4 KB each


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an image, if anything; otherwise what tells later that it changed."""

    reason: Reason | None
    cause: str = ""  # of that, as far as it is known
    name: str | None = None  # of the file, below the images folder
    digest: str | None = None  # of its bytes, or its stamp if they were not read
    stamp: str | None = None  # its size and modification time
    hashes: bytes = b""  # of its views, if it was decoded


@dataclasses.dataclass(frozen=True)
class ImageVerification:
    """How far the images of a folder are looked into."""

    images: Path | Store  # what their names are relative to; one that leads out of it is refused
    # `full` decodes an image, `header` reads its first bytes, `none` sees the file, and so does
    # `few`, which fetches no more than the first ones from a store
    check: Check
    progress: Progress
    separator: str = ""  # between the names of a cell that has several
    fetched: Path | None = None  # where images of a store are put, once all are there
    begun: Path | None = None  # where they wait; what an interrupted run left is not read again

    @property
    def folder(self) -> Path:
        """Where the images lie once they are verified."""
        folder = self.fetched if isinstance(self.images, Store) else self.images
        assert folder
        return folder

    def verify(self, cells: Sequence[str]) -> list[Verdict]:
        """Checks the images that these cells name, each cell once, in parallel and in order.

        Raises:
          BadInputError: a store does not answer, or lets nothing be read.
        """
        if isinstance(self.images, Store):
            return self._fetch(self.images, cells)
        root, chunks = self.folder.resolve(), range(0, len(cells), IMAGES_PER_TASK)

        def verified(start: int) -> list[Verdict]:
            """Checks the cells of one task."""
            some = cells[start : start + IMAGES_PER_TASK]
            return [_verify(root, cell, self.check, self.separator) for cell in some]

        verdicts: list[Verdict] = []
        with self._threads("checking images", len(cells), "images") as (threads, task):
            for chunk in threads.map(verified, chunks):
                verdicts += chunk
                task.advance(len(chunk))
        return verdicts

    def _fetch(self, store: Store, cells: Sequence[str]) -> list[Verdict]:
        """Fetches the images that these cells name, and checks them."""
        assert self.begun
        self.begun.mkdir(parents=True, exist_ok=True)
        root, decoding = self.begun.resolve(), threading.Semaphore(os.cpu_count() or 1)

        def checked(name: str) -> Verdict:
            """Fetches an image, and checks it once a core is free."""
            path = root / local_name(name)
            if not path.exists():  # several ads may name it among others
                photo = store.photo(name)
                if isinstance(photo, Absence):
                    return Verdict(photo.reason, photo.cause)
                new = root / f".{threading.get_ident()}"  # which another thread never sees begun
                new.write_bytes(photo)
                new.replace(path)
            with decoding:
                return _check(root, path.name, check, "")

        check: Check = "full" if self.check == "few" else self.check
        some = cells[:FEW] if self.check == "few" else cells
        verdicts: list[Verdict] = []
        with self._threads("fetching images", len(some), "images") as (_, task):
            for verdict in map_ahead(
                lambda cell: _first_sound(names_in(cell, self.separator), checked),
                some,
                AHEAD,
                THREADS,
            ):
                verdicts.append(verdict)
                task.advance(1)
        shutil.move(root, self.folder)
        return verdicts + [Verdict(None, "", local_name(cell)) for cell in cells[len(some) :]]

    def similar(self, verdicts: Sequence[Verdict]) -> Pairs:
        """Finds sound images that show the same picture, as indices of verdicts: [2, pairs]."""
        prints = [verdict.hashes for verdict in verdicts]
        numbers = np.repeat(np.arange(len(prints)), [len(of_one) // 16 for of_one in prints])
        pairs = candidates(np.frombuffer(b"".join(prints), np.uint64).reshape(-1, 2), numbers)
        same = np.zeros(pairs.shape[1], bool)

        @functools.lru_cache(VIEWS_KEPT)
        def seen(number: int) -> Views:
            """The views of the photo of this verdict."""
            return views(open_image(self.folder / (verdicts[number].name or "")))

        if len(same):
            with self._threads("comparing similar images", len(same), "pairs") as (threads, task):
                compared = threads.map(lambda *pair: show_the_same(*map(seen, pair)), *pairs)
                for position, is_same in enumerate(compared):
                    same[position] = is_same
                    task.advance(1)
        return pairs[:, same]

    @contextlib.contextmanager
    def _threads(
        self, title: str, total: int, unit: str
    ) -> Iterator[tuple[ThreadPoolExecutor, Task]]:
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow's, of damaged metadata
            ThreadPoolExecutor(os.cpu_count()) as threads,
            self.progress.task(title, total, unit) as task,
        ):
            yield threads, task


def _verify(root: Path, cell: str, check: Check, separator: str) -> Verdict:
    names = names_in(cell, separator)
    return _first_sound(names, lambda name: _check(root, name, check, separator))


def _first_sound(names: Sequence[str], check: Callable[[str], Verdict]) -> Verdict:
    """Checks the images that a cell names until one is sound; otherwise the first is told of."""
    verdicts = []
    for name in names:
        verdicts.append(check(name))
        if verdicts[-1].reason is None:
            return verdicts[-1]
    return verdicts[0]


def _check(root: Path, image: str, check: Check, separator: str) -> Verdict:
    path = locate(root, image)
    if isinstance(path, Reason):
        return Verdict(path, cause(root, image, path, separator))
    try:
        stamp, prints = file_stamp(path), b""  # the stamp first: a later change then shows
        if check == "full":
            prints = hashes(views(open_image(path))).tobytes()
        elif check == "header":
            with opened(path):
                pass
        digest = stamp if check in ("none", "few") else image_digest(path)
    except Exception as error:  # decoders raise nearly anything on a damaged file
        return Verdict(Reason.IMAGE_UNREADABLE, signature(path) or problem_in(error))
    is_usual = not Path(image).is_absolute() and (root / image).exists()
    name = image if is_usual else str(path.relative_to(root))
    return Verdict(None, "", name, digest, stamp, prints)
