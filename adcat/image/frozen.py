"""The outputs of a frozen network: computed once, and stored."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.image.augmentation import augmented_crop
from adcat.image.classifier import ImageModel
from adcat.image.extraction import append_rows, run
from adcat.image.inference import Forward
from adcat.image.labelled_images import LabelledImages
from adcat.learning.training_loop import Run


@dataclasses.dataclass(frozen=True, slots=True)
class Crops:
    """Several crops of every photo: the central one, then random ones."""

    model: ImageModel
    images: LabelledImages
    count: int
    seed: int

    def __len__(self) -> int:
        return self.count * len(self.images)

    def read(self, k: int) -> Images:
        """Reads crop k // n of photo k % n: [side, side, 3]."""
        crop, row = divmod(k, len(self.images))
        if crop == 0:
            return self.model.read(self.images.paths[row])
        return augmented_crop(self.images.paths[row], self.model.side, (self.seed, crop, row))


def run_once(
    forward: Forward, crops: Crops, shape: Sequence[int], path: Path, training: Run
) -> NDArray[np.float32]:
    """Runs a frozen network over crops of photos and stores its outputs: [crops, *shape].

    Args:
      forward: the network.
      crops: its inputs.
      shape: of the output for one crop.
      path: PART.KIND, such as `train.vectors`; its length says where an interrupted run resumes.
      training: the training that the outputs are for.
    """
    title, size = f"{path.suffix[1:]}, {path.stem}", training.schedule.batch_size

    def batches(done: int) -> Iterator[NDArray[np.float32]]:
        """The outputs for the crops after the first `done`."""
        with training.progress.task(title, len(crops), "images", done) as task:
            for (outputs,) in run(forward, crops.read, range(done, len(crops)), size):
                yield outputs
                task.advance(len(outputs))

    return append_rows(path, math.prod(shape), batches).reshape(-1, *shape)
