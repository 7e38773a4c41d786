"""The outputs of a frozen network: computed once, and stored."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.image.augmentation import augmented_crop
from adcat.image.backbones import VECTORS
from adcat.image.classifier import ImageModel
from adcat.image.extraction import append_rows, run
from adcat.image.inference import Engine, Forward, compiled
from adcat.image.labelled_images import LabelledImages
from adcat.probabilities import softmax
from adcat.progress import Progress
from adcat.types import Probs, Vectors

BLOCK = 8192  # vectors in memory at a time


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
    forward: Callable[[], Forward],
    crops: Crops,
    shape: Sequence[int],
    path: Path,
    batch_size: int,
    progress: Progress,
) -> NDArray[np.float32]:
    """Runs a frozen network over crops of photos and stores its outputs: [crops, *shape].

    Args:
      forward: compiles the network, where there is anything left to run it over.
      crops: its inputs.
      shape: of the output for one crop.
      path: PART.KIND, such as `train.vectors`; its length says where an interrupted run resumes.
      batch_size: photos that are in work at a time.
      progress: counts the crops.
    """

    def batches(done: int) -> Iterator[NDArray[np.float32]]:
        """The outputs for the crops after the first `done`."""
        left, title = range(done, len(crops)), f"{path.suffix[1:]}, {path.stem}"
        if left:
            with progress.task(title, len(crops), "images", done) as task:
                for (outputs,) in run(forward(), crops.read, left, len(crops), batch_size):
                    yield outputs
                    task.advance(len(outputs))

    return append_rows(path, math.prod(shape), batches).reshape(-1, *shape)


def frozen_vectors(
    model: ImageModel,
    engine: Engine,
    crops: Crops,
    path: Path,
    batch_size: int,
    progress: Progress,
) -> Vectors:
    """Runs the network over photos once, its weights as they are: [crops × n, dimension].

    Args:
      model: the network.
      engine: runs it.
      crops: of the photos.
      path: where the vectors are kept.
      batch_size: photos that are in work at a time.
      progress: counts them.
    """

    def forward() -> Forward:
        return compiled(model.network, model.layer, engine=engine)

    return run_once(forward, crops, [model.dimension], path, batch_size, progress)


def stream_stored(
    model: ImageModel,
    engine: Engine,
    paths: Sequence[str],
    path: Path,
    batch_size: int,
    progress: Progress,
    done: int = 0,
) -> Iterator[tuple[Vectors, Probs]]:
    """Streams vectors [b, dimension] and probabilities [b, categories] of photos, in their order.

    Args:
      model: a classifier whose network was left as it is.
      engine: runs it.
      paths: the photos.
      path: where the vectors of their central crops that the last layer reads are kept, as far as
        they were made; those of another layer are kept beside them.
      batch_size: photos that are in work at a time.
      progress: counts those that are missing there.
      done: photos to pass by.
    """
    images = LabelledImages(paths, np.zeros(len(paths), np.int64))

    def kept(of: ImageModel) -> Vectors:
        file = path.with_suffix(f".{of.layer}")
        return frozen_vectors(of, engine, Crops(of, images, 1, 0), file, batch_size, progress)

    vectors, last = kept(model), kept(model.at(VECTORS))
    kernel, bias = model.last_layer.get_weights()
    for start in range(done, len(paths), BLOCK):
        rows = slice(start, min(start + BLOCK, len(paths)))
        yield np.array(vectors[rows]), softmax(np.array(last[rows]) @ kernel + bias)
