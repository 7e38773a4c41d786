"""What a frozen network makes of photos: computed once, and stored."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.image.augmentation import augmented_view
from adcat.image.classifier import ImageModel
from adcat.image.extraction import append_rows, run
from adcat.image.inference import Forward
from adcat.image.labelled_images import LabelledImages
from adcat.progress import Progress


@dataclasses.dataclass(frozen=True, slots=True)
class Views:
    """Several views of every photo: the central one, then random ones."""

    model: ImageModel
    images: LabelledImages
    count: int
    seed: int

    def __len__(self) -> int:
        return self.count * len(self.images)

    def read(self, k: int) -> Images:
        """Reads view k // n of photo k % n: [side, side, 3]."""
        view, row = divmod(k, len(self.images))
        if view == 0:
            return self.model.read(self.images.paths[row])
        return augmented_view(self.images.paths[row], self.model.side, (self.seed, view, row))


def run_once(
    forward: Forward,
    views: Views,
    shape: Sequence[int],
    path: Path,
    batch_size: int,
    title: str,
    progress: Progress,
) -> NDArray[np.float32]:
    """Runs a frozen network over views of photos and stores what it makes of them: [views, ...].

    Args:
      forward: the network.
      views: what it is run over.
      shape: of what it makes of one view.
      path: the file, from whose length an interrupted run goes on.
      batch_size: photos that are in work at a time.
      title: what the progress calls it.
      progress: hears of every photo.
    """

    def batches(done: int) -> Iterator[NDArray[np.float32]]:
        with progress.task(title, len(views), "images", done) as task:
            for (made,) in run(forward, views.read, range(done, len(views)), batch_size):
                yield made
                task.advance(len(made))

    return append_rows(path, math.prod(shape), batches).reshape(-1, *shape)
