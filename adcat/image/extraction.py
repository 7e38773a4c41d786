"""Runs trained networks over photos: vectors and probabilities in one pass."""

import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.data.thread_map import THREADS, Item, map_ahead
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
    extractor: Extractor, paths: Sequence[str], batch_size: int
) -> Iterator[tuple[Vectors, Probs]]:
    """Streams vectors [b, dimension] and probabilities [b, categories] of photos, in their order.

    Args:
      extractor: the classifier.
      paths: the photos.
      batch_size: photos that are in work at a time.

    Raises:
      BadInputError: a photo is missing or cannot be decoded.
    """
    return run(extractor.forward, extractor.model.read, paths, batch_size)  # pyright: ignore[reportReturnType]


def run(
    forward: Forward, read: Callable[[Item], Images], items: Sequence[Item], batch_size: int
) -> Iterator[list[NDArray[np.float32]]]:
    """Streams what a network makes of photos, in their order: [b, ...] each.

    Several small batches are in work at once: while one waits, for a photo or for the end of a
    small layer, the others keep all cores busy.

    Args:
      forward: the network.
      read: reads one photo.
      items: what it is called with, once per photo.
      batch_size: photos that are in work at a time.
    """
    size = -(-batch_size // THREADS)
    batches = (items[start : start + size] for start in range(0, len(items), size))
    return map_ahead(lambda batch: forward(np.stack([read(item) for item in batch])), batches)


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
