"""The ads that a network is trained or evaluated on, as memory-mapped arrays."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.splitting import cut
from adcat.fusion.policy_settings import PolicySettings
from adcat.types import Labels, Probs

Statistics: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]  # mean, variance
Block: TypeAlias = tuple[list[NDArray[np.float32]], NDArray[np.int32], NDArray[np.float32]]

RUN = 256  # ads that are read in one go: long enough for a disk, short enough to mix well
POOL_BYTES = 64 * 2**20  # of ads that are mixed with one another


@dataclasses.dataclass(frozen=True)
class Sample:
    """Some ads of a part: what a network reads of them, their categories and their weight."""

    inputs: Sequence[NDArray[np.float32]]  # each [ads of the part, dimensions]
    labels: Labels  # [ads of the part]
    weights: NDArray[np.float32]  # [ads of the part], the factors B_n
    rows: NDArray[np.int64]  # which ads of the part, ascending
    groups: NDArray[np.int64]  # [ads of the part], which duplicates share

    def __len__(self) -> int:
        return len(self.rows)

    def split(self, share: float, seed: int) -> tuple["Sample", "Sample"]:
        """Cuts the sample in two at random, groups whole; the first gets `share` of the ads."""
        first, second = cut(self.groups[self.rows], round(share * len(self)), seed)
        return (
            dataclasses.replace(self, rows=self.rows[first]),
            dataclasses.replace(self, rows=self.rows[second]),
        )

    def take(self, rows: NDArray[np.int64]) -> Block:
        """Reads inputs, categories and weights of these ads of the part."""
        inputs = [np.asarray(array[rows]) for array in self.inputs]
        return inputs, self.labels[rows].astype(np.int32), self.weights[rows]

    def blocks(self, ads: int = 8192) -> Iterator[Block]:
        """Reads all ads in order, at most `ads` at a time."""
        for start in range(0, len(self), ads):
            yield self.take(self.rows[start : start + ads])

    def shuffled(
        self, batch_size: int, rng: np.random.Generator, passes: int = 1
    ) -> Iterator[NDArray[np.int64]]:
        """Draws a random order of all ads, in pools of whole batches: ads [batches, batch size].

        A pool is made of runs of neighbouring ads drawn from everywhere, so that disks read runs
        and yet every batch is a mixture. The ads left in the end make a smaller batch.
        """
        runs = np.tile(np.arange(0, len(self), RUN), passes)
        row_bytes = 4 * sum(array.shape[1] for array in self.inputs)
        per_pool = max(1, POOL_BYTES // (row_bytes * RUN))
        rng.shuffle(runs)
        left = np.zeros(0, np.int64)
        for start in range(0, len(runs), per_pool):
            chosen = [self.rows[r : r + RUN] for r in runs[start : start + per_pool]]
            pool = np.concatenate([left, *chosen])
            rng.shuffle(pool)
            whole = len(pool) // batch_size * batch_size
            left = pool[whole:]
            if whole:
                yield pool[:whole].reshape(-1, batch_size)
        if len(left):
            yield left[None]

    def pool(self, rows: NDArray[np.int64]) -> Block:
        """Reads ads [batches, batch size] in the order of the disk, returns them as asked for."""
        order = np.argsort(rows, axis=None)
        inputs, labels, weights = self.take(rows.ravel()[order])
        back = np.argsort(order).reshape(rows.shape)
        return [array[back] for array in inputs], labels[back], weights[back]


def statistics(sample: Sample) -> list[Statistics]:
    """Mean and variance [dimensions] of every input over the sample's ads, in one pass."""
    sums = [np.zeros((2, array.shape[1])) for array in sample.inputs]
    for inputs, _, _ in sample.blocks():
        for total, array in zip(sums, inputs, strict=True):
            total += array.sum(axis=0, dtype=np.float64), np.square(array, dtype=np.float64).sum(0)
    means = [total / len(sample) for total in sums]
    return [(mean, np.maximum(square - mean**2, 0)) for mean, square in means]


def evenly(
    arrays: Mapping[str, Probs], labels: Labels, settings: PolicySettings
) -> NDArray[np.float32]:
    """B_n = 1: [n]."""
    return np.ones(len(labels), np.float32)


def boost(
    arrays: Mapping[str, Probs], labels: Labels, settings: PolicySettings
) -> NDArray[np.float32]:
    """B_n = C, or 1 + C, where the image is right, else 1 (thesis, section 4.5.2): [n]."""
    factor = settings.image_boost + (settings.boost_form == "one-plus-c")
    return np.where(_image_is_right(arrays, labels), factor, 1).astype(np.float32)


def boost_proportionally(
    arrays: Mapping[str, Probs], labels: Labels, settings: PolicySettings
) -> NDArray[np.float32]:
    """B_n = 1 + (1 - o_txt[n, y_n]) C where the image is right, else 1 (section 4.5.2): [n]."""
    confidence = arrays["text_probs"][np.arange(len(labels)), labels]
    boosted = 1 + (1 - confidence) * settings.image_boost
    return np.where(_image_is_right(arrays, labels), boosted, 1).astype(np.float32)


def _image_is_right(arrays: Mapping[str, Probs], labels: Labels) -> NDArray[np.bool_]:
    return arrays["image_probs"].argmax(axis=1) == labels
