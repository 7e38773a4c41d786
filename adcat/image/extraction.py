"""Runs trained networks over photos: vectors and probabilities in one pass."""

import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.data.thread_map import THREADS, map_ahead
from adcat.files import lock
from adcat.image.classifier import ImageModel
from adcat.image.inference import TENSORFLOW, Engine, Forward, compiled
from adcat.types import Probs, Vectors


@dataclasses.dataclass(frozen=True, slots=True)
class Extractor:
    """A trained classifier, compiled."""

    model: ImageModel
    forward: Forward  # photos -> vectors, probabilities

    @property
    def dimension(self) -> int:
        """The length of an image vector."""
        return self.model.dimension


def extractor(model: ImageModel, engine: Engine = TENSORFLOW) -> Extractor:
    """Compiles a classifier with the weights that it has now."""
    return Extractor(model, compiled(model.network, *model.outputs, engine=engine))


def stream_features(
    extractor: Extractor, paths: Sequence[str], batch_size: int, done: int = 0
) -> Iterator[tuple[Vectors, Probs]]:
    """Streams vectors [b, dimension] and probabilities [b, categories] of photos, in their order.

    Args:
      extractor: the classifier.
      paths: the photos.
      batch_size: photos that are in work at a time.
      done: photos to pass by.

    Raises:
      BadInputError: a photo is missing or cannot be decoded.
    """
    read, rows = extractor.model.read, range(done, len(paths))
    return run(extractor.forward, lambda k: read(paths[k]), rows, len(paths), batch_size)  # pyright: ignore[reportReturnType]


def run(
    forward: Forward, read: Callable[[int], Images], rows: range, count: int, batch_size: int
) -> Iterator[list[NDArray[np.float32]]]:
    """Streams what a network makes of photos, in their order: [b, ...] each.

    Several small batches are in work at once: while one waits, for a photo or for the end of a
    small layer, the others keep all cores busy. What a photo's outputs are rounded to depends on
    its batch; so that is the same whatever rows are asked for.

    Args:
      forward: the network.
      read: reads photo k.
      rows: the photos to be run over.
      count: how many photos there are.
      batch_size: photos that are in work at a time.
    """
    size = -(-batch_size // THREADS)
    starts = range(rows.start - rows.start % size, rows.stop if rows else 0, size)

    def batch(start: int) -> list[NDArray[np.float32]]:
        return forward(np.stack([read(k) for k in range(start, min(start + size, count))]))

    for start, outputs in zip(starts, map_ahead(batch, starts), strict=True):
        yield [values[max(rows.start - start, 0) : rows.stop - start] for values in outputs]


def append_rows(path: Path, columns: int, batches: Callable[[int], Iterator[Vectors]]) -> Vectors:
    """Fills a file with rows of float32, from where an interrupted run stopped.

    The length of the file says how many rows are done.

    Args:
      path: the file.
      columns: values in a row.
      batches: called with the number of rows done; yields the others: [b, columns] each.

    Returns:
      All rows, memory-mapped: [rows, columns].
    """
    with path.open("ab") as file:
        lock(file, fcntl.LOCK_EX)  # another command may be filling it
        done = file.seek(0, os.SEEK_END) // (4 * columns)
        file.truncate(4 * columns * done)
        for batch in batches(done):
            file.write(np.ascontiguousarray(batch, np.float32).data)
    return np.memmap(path, np.float32, "r").reshape(-1, columns)


def appended_rows(path: Path, columns: int) -> Vectors:
    """The rows that `append_rows` has written so far: [rows, columns]."""
    done = path.stat().st_size // (4 * columns) if path.exists() else 0
    if not done:
        return np.empty((0, columns), np.float32)
    return np.memmap(path, np.float32, "r", shape=(done, columns))
