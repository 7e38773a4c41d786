"""Photos with their categories, read when they are needed."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adcat.data.images import Images
from adcat.data.thread_map import map_ahead
from adcat.image.augmentation import augmented_crop
from adcat.image.classifier import ImageModel
from adcat.learning.examples import Examples, Inputs, Rows
from adcat.learning.schedule import CROP_AREA
from adcat.types import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImages:
    """Where photos lie, and the categories of their ads."""

    paths: Sequence[str]  # [n]
    labels: Labels  # [n]

    def __len__(self) -> int:
        return len(self.labels)


def augmented_images(
    images: LabelledImages, side: int, seed: int, area: float = CROP_AREA
) -> Examples:
    """Photos in another random crop each epoch, of this share at least, for training."""

    def read(row: int, epoch: int) -> Images:
        return augmented_crop(images.paths[row], side, (seed, epoch, row), area)

    return _read(images, read)


def central_images(images: LabelledImages, model: ImageModel) -> Examples:
    """Photos as they are predicted from, for validation."""
    return _read(images, lambda row, _: model.read(images.paths[row]))


def _read(images: LabelledImages, read: Callable[[int, int], Images]) -> Examples:
    """Photos that are read by row and epoch."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        return map_ahead(lambda rows: (np.stack([read(row, epoch) for row in rows]),), batches)

    return Examples(images.labels, stream)
