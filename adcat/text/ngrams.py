"""fastText's character n-grams of many words at once.

`get_subwords` returns them too, but word by word and with their spelling, which takes longer than
the rest of a prediction.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FNV_OFFSET, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)


def ngram_buckets(
    words: Sequence[str], minn: int, maxn: int, bucket: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The index in `words` and the bucket of each n-gram of each word: twice [n-grams].

    An n-gram is a run of minn to maxn characters of `<word>`, but not `<` or `>` alone. Its bucket
    is the FNV-1a hash of its UTF-8 bytes, which fastText takes as signed.
    """
    text = "".join(f"<{word}>" for word in words).encode()
    octets = np.frombuffer(text, np.int8).astype(np.int32).view(np.uint32)  # [bytes]
    starts = np.flatnonzero((octets & 0xC0) != 0x80)  # of the characters: [characters]
    widths = np.diff(starts, append=len(octets))
    lengths = np.array([len(word) + 2 for word in words], np.int64)
    position = np.repeat(np.arange(len(words)), lengths)
    first = np.arange(len(position))  # an n-gram for every character that it can begin with
    left = np.cumsum(lengths)[position] - first  # characters to the end of the word
    hashes = np.full(len(position), FNV_OFFSET)
    positions, buckets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for n in range(1, maxn + 1):
        long = left >= n
        position, left, first, hashes = position[long], left[long], first[long], hashes[long]
        last = first + n - 1
        for i in range(widths.max(initial=0)):
            here = np.flatnonzero(widths[last] > i)
            hashes[here] = (hashes[here] ^ octets[starts[last[here]] + i]) * FNV_PRIME
        if n >= minn:
            real = (left > 1) & (left < lengths[position]) if n == 1 else slice(None)
            positions.append(position[real])
            buckets.append((hashes[real] % np.uint32(bucket)).astype(np.int64))
    return np.concatenate(positions), np.concatenate(buckets)
