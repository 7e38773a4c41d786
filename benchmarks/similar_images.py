"""Finds near-duplicates among the hashes of as many photos as the thesis has; time and memory.

The hashes are drawn: eight views a photo, each a few bits away from the photo's own hash, and one
photo in a hundred with the hash of an earlier one, less up to four bits.

    python benchmarks/similar_images.py [--photos 900000]
"""

import argparse
import resource
import time

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from adcat.data.similar_images import candidates

VIEWS, PLANTED, BITS = 8, 100, 128
OWN, COPIED = 10, 4  # the most bits that a view and a copy differ by


def flipped(generator: Generator, hashes: NDArray[np.uint64], most: int) -> NDArray[np.uint64]:
    """The hashes with up to `most` bits of each turned over: [n, 2]."""
    changed = hashes.copy()
    for _ in range(most):
        bits = generator.integers(BITS, size=len(hashes))
        flips = np.uint64(1) << (bits % 64).astype(np.uint64)
        changed[np.arange(len(hashes)), bits // 64] ^= flips
    return changed


def main() -> None:
    """Draws the hashes, finds the pairs, prints a line."""
    options = argparse.ArgumentParser(description="Time and memory of the search by hashes.")
    options.add_argument("--photos", type=int, default=900_000)
    photos = options.parse_args().photos
    generator = np.random.default_rng(0)
    own = generator.integers(2**64, size=(photos, 2), dtype=np.uint64)
    copies = photos // PLANTED
    views = np.stack([own, *(flipped(generator, own, OWN) for _ in range(VIEWS - 1))], axis=1)
    views[-copies:, 0] = flipped(generator, own[:copies], COPIED)
    numbers = np.repeat(np.arange(photos), VIEWS)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    pairs = candidates(views.reshape(-1, 2), numbers)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = np.count_nonzero(pairs[1] - pairs[0] == photos - copies)
    print(f"{photos:,} photos with {VIEWS} views: {seconds:.0f} s of one core")
    print(f"peak {peak / 1024**2:.2f} GB, {(peak - before) / 1024**2:.2f} GB more than before")
    print(f"found {found:,} of {copies:,} copies, {pairs.shape[1] - found:,} other pairs")


if __name__ == "__main__":
    main()
