"""What a network is trained on and scored with: inputs that are read when they are needed."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Labels
from adcat.image.augmentation import augmented_view
from adcat.image.classifier import ImageModel
from adcat.image.decoding import Photos, stream_batches

Rows: TypeAlias = NDArray[np.int64]  # of the ads in a batch: [b]
Inputs: TypeAlias = tuple[NDArray[np.float32], ...]  # one array [b, ...] per input of a network


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """Where photos lie, and the categories of their ads."""

    paths: Sequence[str]  # [n]
    labels: Labels  # [n]

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, slots=True)
class Examples:
    """Ads with their categories.

    `stream(batches, epoch)` yields a network's inputs for each batch of rows; what it yields for
    an ad depends on nothing but its row and the epoch.
    """

    labels: Labels
    stream: Callable[[Sequence[Rows], int], Iterator[Inputs]]

    def __len__(self) -> int:
        return len(self.labels)


def augmented_photos(photos: LabelledPhotos, side: int, seed: int) -> Examples:
    """Photos in another random view each epoch, for training."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        def read(row: int) -> Photos:
            return augmented_view(photos.paths[row], side, (seed, epoch, row))

        return ((batch,) for batch in stream_batches(read, batches))

    return Examples(photos.labels, stream)


def central_photos(photos: LabelledPhotos, model: ImageModel) -> Examples:
    """Photos as they are predicted from, for validation."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        del epoch  # there is one such view

        def read(row: int) -> Photos:
            return model.read(photos.paths[row])

        return ((batch,) for batch in stream_batches(read, batches))

    return Examples(photos.labels, stream)


def stored(outputs: NDArray[np.float32], labels: Labels) -> Examples:
    """What a frozen network made of one or several views of every photo.

    Args:
      outputs: [views × n, ...], view by view; epochs take the views in turn.
      labels: [n]
    """
    n = len(labels)

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        view = epoch % (len(outputs) // n)
        return ((np.asarray(outputs[view * n + rows]),) for rows in batches)

    return Examples(labels, stream)
