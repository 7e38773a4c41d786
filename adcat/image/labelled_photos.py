"""Photos with their categories, read when they are needed."""

import dataclasses
from collections.abc import Iterator, Sequence

from adcat.data.images import Photos, stream_batches
from adcat.image.augmentation import augmented_view
from adcat.image.classifier import ImageModel
from adcat.learning.examples import Examples, Inputs, Rows
from adcat.types import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """Where photos lie, and the categories of their ads."""

    paths: Sequence[str]  # [n]
    labels: Labels  # [n]

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
