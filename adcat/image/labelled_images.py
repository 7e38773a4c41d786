"""Photos with their categories, read when they are needed."""

import dataclasses
from collections.abc import Iterator, Sequence

from adcat.data.images import Images, stream_batches
from adcat.image.augmentation import augmented_crop
from adcat.image.classifier import ImageModel
from adcat.learning.examples import Examples, Inputs, Rows
from adcat.types import Labels


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImages:
    """Where photos lie, and the categories of their ads."""

    paths: Sequence[str]  # [n]
    labels: Labels  # [n]

    def __len__(self) -> int:
        return len(self.labels)


def augmented_images(images: LabelledImages, side: int, seed: int) -> Examples:
    """Photos in another random crop each epoch, for training."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        def read(row: int) -> Images:
            return augmented_crop(images.paths[row], side, (seed, epoch, row))

        return ((batch,) for batch in stream_batches(read, batches))

    return Examples(images.labels, stream)


def central_images(images: LabelledImages, model: ImageModel) -> Examples:
    """Photos as they are predicted from, for validation."""

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        del epoch  # there is one such crop

        def read(row: int) -> Images:
            return model.read(images.paths[row])

        return ((batch,) for batch in stream_batches(read, batches))

    return Examples(images.labels, stream)
