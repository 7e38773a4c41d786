"""The nearest ads of ads, by the cosine of their vectors, and what they have in common."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.probabilities import highest
from adcat.types import Vectors

BLOCK = 4096  # ads that are compared with as many others at a time

Cosines: TypeAlias = NDArray[np.float32]
Positions: TypeAlias = NDArray[np.int64]


class Nearest(NamedTuple):
    """The ads nearest to a block of the ads that are looked at."""

    ads: slice  # the block
    cosines: Cosines  # nearest first [b, k]
    positions: Positions  # of the nearest among the candidates [b, k]


def blocks(rows: NDArray[np.integer]) -> list[NDArray[np.integer]]:
    """Rows in blocks of nearly equal size, `BLOCK` at most."""
    return np.array_split(rows, max(1, -(-len(rows) // BLOCK)))


def directions(vectors: Vectors) -> Vectors:
    """Vectors of length 1, so that their products are cosines; those of length 0 stay as they are.

    Raises:
      ValueError: a value is not finite.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("expected finite numbers")
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def nearest(
    queries: Vectors, candidates: Iterable[Vectors], k: int, own: Positions
) -> tuple[Cosines, Positions]:
    """The k nearest candidates of each query, nearest first; ties: the first in order.

    Args:
      queries: directions [q, dimension].
      candidates: directions of others, block after block [c, dimension]; k and an ad's own at
        least.
      k: how many to find.
      own: where each query itself is among the candidates, which is passed over, or -1: [q].

    Returns:
      Their cosines, and their positions in the order of the candidates: [q, k] each.
    """
    best = np.full((len(queries), k), -np.inf, np.float32)
    positions = np.full((len(queries), k), -1)
    memory = np.empty(len(queries) * BLOCK, np.float32)  # to get it anew takes longer than products
    start = 0
    for block in candidates:
        cosines = memory[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=cosines)
        here = np.flatnonzero((own >= start) & (own < start + len(block)))
        cosines[here, own[here] - start] = -np.inf
        keep = _keep_of_few if np.isinf(best).any() else _keep_of_many
        keep(best, positions, cosines, start)
        start += len(block)
    return best, positions


def _keep_of_few(best: Cosines, positions: Positions, cosines: Cosines, start: int) -> None:
    """Sorts all that a block has into the best so far, which may be fewer than k."""
    numbers = np.broadcast_to(start + np.arange(cosines.shape[1]), cosines.shape)
    values, where = np.hstack([best, cosines]), np.hstack([positions, numbers])
    order = highest(values, best.shape[1])
    best[:], positions[:] = (np.take_along_axis(of, order, axis=1) for of in (values, where))


def _keep_of_many(best: Cosines, positions: Positions, cosines: Cosines, start: int) -> None:
    """Sorts those of a block that are above the last of the best, soon a few, into these."""
    rows, columns = np.divmod(np.flatnonzero(cosines > best[:, -1:]), cosines.shape[1])
    changed, of = np.unique(rows, return_inverse=True)
    k = best.shape[1]
    queries = np.concatenate([np.repeat(np.arange(len(changed)), k), of])
    values = np.concatenate([best[changed].ravel(), cosines[rows, columns]])
    where = np.concatenate([positions[changed].ravel(), start + columns])
    order = np.lexsort((-values, queries))  # stable: of equal ones the first in order
    first = np.searchsorted(queries[order], np.arange(len(changed)))
    kept = order[first[:, None] + np.arange(k)]
    best[changed], positions[changed] = values[kept], where[kept]


def share_alike(
    candidates: NDArray[Any], looked_at: NDArray[Any], found: Nearest
) -> NDArray[np.float64]:
    """The share of each ad's nearest ones that have its value, such as its category: [b].

    Args:
      candidates: the values of the candidates [c].
      looked_at: those of all ads that are looked at [n].
      found: the nearest of a block of these.
    """
    return (candidates[found.positions] == looked_at[found.ads, None]).mean(axis=1)


def share_found(
    candidates: NDArray[Any], looked_at: NDArray[Any], own: Positions, found: Nearest
) -> NDArray[np.float64]:
    """The share of each ad's known duplicates, at most k, that are among its nearest ones: [b].

    Not a number where it has none among the candidates.

    Args:
      candidates: the groups of the candidates, which duplicates share [c].
      looked_at: those of all ads that are looked at [n].
      own: where these are among the candidates, or -1 [n].
      found: the nearest of a block of these.
    """
    groups, counts = np.unique(candidates, return_counts=True)
    wanted, k = looked_at[found.ads], found.positions.shape[1]
    at = np.minimum(np.searchsorted(groups, wanted), len(groups) - 1)
    duplicates = np.where(groups[at] == wanted, counts[at], 0) - (own[found.ads] >= 0)
    most = np.where(duplicates > 0, np.minimum(duplicates, k), np.nan)
    return (candidates[found.positions] == wanted[:, None]).sum(axis=1) / most
