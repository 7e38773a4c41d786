"""Finds photos that show the same picture: saved again, scaled, cropped a little or with bars.

A photo is looked at in several views: whole and less a little of its border, with its uniform bars
and without. Of each view, coarse rows and columns of pixels give a difference hash of 128 bits
(Krawetz, 2013). Photos with views that differ in a few bits are looked at again, in colour: white
backgrounds and simple shapes have gradients in common, but rarely every colour.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

GRAY = np.array([0.299, 0.587, 0.114])
CELLS = 9  # of a view, in each direction
THUMBNAIL = 128  # pixels of the longer side, from which views are made
CROPS = (0, 0.015, 0.03, 0.045)  # of each side
ONE_SIDED_CROP = 0.05
MOST_IN_A_BAR = 10  # gray levels between its lightest and its darkest pixel
LEAST_VIEW = 32  # pixels of the thumbnail that are left between bars
LEAST_STEP = 2  # gray levels that count as a difference, so that noise does not
LEAST_CONTRAST = 8  # standard deviation of gray levels; plainer views tell nothing
LEAST_ONES = 12  # of the 128 bits, and as many zeros
MOST_BITS = 6  # that differ
MOST_LEVELS = 20  # that a cell differs by, of 255, mean of its colours
BLOCKS = 8  # of bits; pictures that differ in six bits have two of them in common
MIXED = np.random.default_rng(0).permutation(128)  # a block's bits come from all over the picture
NEIGHBOURS = 3

Views = NDArray[np.uint8]  # [views, CELLS, CELLS, 3]
Pairs = NDArray[np.int64]  # [2, pairs]


def views(image: "Image") -> Views:
    """A photo's views, of 9 x 9 cells each, without plain ones.

    Args:
      image: in RGB; it is made small.
    """
    from PIL.Image import Resampling

    image.thumbnail((THUMBNAIL, THUMBNAIL), Resampling.BOX)
    inner = _without_bars(np.asarray(image.convert("L"), np.int16))
    if inner is None:
        return np.zeros((0, CELLS, CELLS, 3), np.uint8)
    whole = (0, 0, *image.size)
    frames = dict.fromkeys((whole, inner))
    sides = [(c, c, c, c) for c in CROPS] + (ONE_SIDED_CROP * np.eye(4)).tolist()
    seen = np.stack([
        np.asarray(image.resize((CELLS, CELLS), Resampling.BOX, _cropped(frame, side)))
        for frame in frames for side in sides
    ])  # fmt: skip
    ones = _bits(seen).sum(axis=1)
    is_plain = (seen @ GRAY).std(axis=(1, 2)) < LEAST_CONTRAST
    return seen[~is_plain & (ones >= LEAST_ONES) & (ones <= 128 - LEAST_ONES)]


def _without_bars(gray: NDArray[np.int16]) -> tuple[int, int, int, int] | None:
    """The box without the lines of one gray level at its borders; None if nothing is left."""
    box = []
    for lines in (gray.T, gray):
        filled = np.flatnonzero(np.ptp(lines, axis=1) > MOST_IN_A_BAR)
        if not len(filled):
            return None
        box.append((int(filled[0]), int(filled[-1]) + 1))
    (left, right), (top, bottom) = box
    if min(right - left, bottom - top) < LEAST_VIEW:
        return 0, 0, gray.shape[1], gray.shape[0]
    return left, top, right, bottom


def _cropped(box: Sequence[int], sides: Sequence[float]) -> tuple[float, float, float, float]:
    """The box less these shares of its width and height."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return (
        left + sides[0] * width, top + sides[1] * height,
        right - sides[2] * width, bottom - sides[3] * height,
    )  # fmt: skip


def hashes(views: Views) -> NDArray[np.uint64]:
    """The hash of each view: [views, 2]."""
    return np.packbits(np.ascontiguousarray(_bits(views)[:, MIXED]), axis=1).view(np.uint64)


def _bits(views: Views) -> NDArray[np.bool_]:
    """Where it gets lighter to the right, and downwards: [views, 128]."""
    gray = views @ GRAY
    across = np.diff(gray[:, :-1], axis=2) > LEAST_STEP
    down = np.diff(gray[:, :, :-1], axis=1) > LEAST_STEP
    return np.concatenate([across.reshape(-1, 64), down.reshape(-1, 64)], axis=1)


def candidates(hashes: NDArray[np.uint64], photos: NDArray[np.int64]) -> Pairs:
    """Finds photos with nearly the same hash: each pair once, the lower number first.

    For any two blocks of bits the hashes are sorted by these and compared with their neighbours, so
    that time and memory grow with the number of hashes, however many are alike.

    Args:
      hashes: [n, 2].
      photos: the number of the photo that each belongs to: [n].
    """
    blocks, found = hashes.view(np.uint16), np.zeros((2, 0), np.int64)
    for pair in combinations(range(BLOCKS), 2):
        rest = [block for block in range(BLOCKS) if block not in pair]
        keys = np.ascontiguousarray(blocks[:, [*rest[:2], *pair]]).view(np.uint64)  # pair decides
        order = np.argsort(keys.ravel())
        for distance in range(1, NEIGHBOURS + 1):
            ends = np.stack([order[distance:], order[:-distance]])
            ends = ends[:, photos[ends[0]] != photos[ends[1]]]
            bits = np.bitwise_count(hashes[ends[0]] ^ hashes[ends[1]]).sum(axis=1)
            near = np.sort(photos[ends[:, bits <= MOST_BITS]], axis=0)
            found = np.unique(np.concatenate([found, near], axis=1), axis=1)
    return found


def show_the_same(one: Views, other: Views) -> bool:
    """Whether a view of a photo has the colours of a view of another one, cell by cell."""
    difference = np.abs(one[:, None].astype(np.int16) - other).mean(axis=-1)
    return bool((difference.max(axis=(2, 3)) <= MOST_LEVELS).any())
