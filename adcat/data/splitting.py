"""How ads are assigned to the training, the validation and the test part.

`hashed_parts` looks at each group of duplicates alone, so that a table that grows keeps its parts;
`draw_parts` looks at all, so that the parts have exactly the sizes asked for.

scikit-learn's splitters are not used: `GroupShuffleSplit` takes its fractions of groups instead of
ads, `StratifiedGroupKFold` only knows fractions 1/k and needs an array of groups × categories, and
`StratifiedShuffleSplit` ignores groups and refuses a category with one ad.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from adcat.errors import BadInputError
from adcat.tables import Column, Table
from adcat.types import PARTS

TRAIN, VALIDATION, TEST = range(len(PARTS))
FOLDS, FEW = 5, 100_000  # as many folds for fewer training ads


def is_rare(codes: NDArray[np.integer], among: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Whether fewer than `least` rows have a row's code; only rows in `among` count: [rows]."""
    counts = np.bincount(codes[among], minlength=int(codes.max(initial=0)) + 1)
    return among & (counts[codes] < least)


def hashed_parts(
    groups: NDArray[np.integer],
    founders: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    test: float,
    validation: float,
) -> NDArray[np.int8]:
    """The part of every ad, as its index in `PARTS`, from its group's number alone.

    A group has the lowest number of its founders. So a new ad moves another one only where it joins
    groups of different parts: these become test ads if any were, otherwise validation ads.

    Args:
      groups: the first row of each ad's group: [rows].
      founders: the ads that were no duplicates when they were added: [rows].
      numbers: each ad's, from 0 to 1: [rows].
      test: numbers below are of the test part.
      validation: the fraction of the other numbers, from the lowest, for the validation part.
    """
    lowest = np.ones(len(groups))
    np.minimum.at(lowest, groups[founders], numbers[founders])
    parts = np.full(len(groups), TRAIN, np.int8)
    parts[lowest < test + (1 - test) * validation] = VALIDATION
    parts[lowest < test] = TEST
    return parts[groups]


def hashed_numbers(names: Iterable[str], seed: int) -> NDArray[np.float64]:
    """A number from 0 to 1 of each name, which looks random and is always the same: [names]."""
    digests = b"".join(sha256(f"{seed}:{name}".encode()).digest()[:8] for name in names)
    return np.frombuffer(digests, ">u8") / 2**64


def check_parts(parts: NDArray[np.integer], groups: NDArray[np.integer], what_for: str) -> None:
    """Checks that every part has an ad.

    Args:
      parts: of every ad: [n].
      groups: the number of each ad's group: [n].
      what_for: how the error ends, where they are too few.

    Raises:
      BadInputError: a part has none.
    """
    for number, part in enumerate(PARTS):
        if number not in parts:
            raise BadInputError(
                f"the {part} part would have no ad: {len(groups)} ads, in "
                f"{len(np.unique(groups))} groups of duplicates, are too few{what_for}"
            )


def draw_parts(
    groups: NDArray[np.integer],
    strata: NDArray[np.integer],
    test: float,
    validation: float,
    seed: int,
) -> NDArray[np.int8]:
    """Draws the part of every ad, as its index in `PARTS`; a group is never torn apart.

    The groups come in random order. Each goes into the test part if it has room for all of it,
    otherwise into the validation part, otherwise into the training part. Without groups the parts
    have exactly the sizes asked for (rounded); with them, the nearest that the groups allow.

    Args:
      groups: the number of each ad's group: [n].
      strata: what the fractions also hold within, such as the category; all 0 for nothing: [n]. A
        group counts for the stratum of its first ad.
      test: the test part's fraction of the ads.
      validation: the validation part's fraction of the ads that are not in the test part.
      seed: decides the order.

    Raises:
      BadInputError: a part would have no ad.
    """
    _, first, members, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    stratum = strata[first]
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(sizes))
    counts = np.bincount(stratum, weights=sizes)
    in_test = _apportion(counts, test, generator)
    in_validation = _apportion(counts - in_test, validation, generator)
    room = {TEST: in_test.tolist(), VALIDATION: in_validation.tolist()}
    parts = np.full(len(sizes), TRAIN, np.int8)
    _fill(parts, order, sizes, stratum, room, lambda size, left: size <= left)
    by_size = order[np.argsort(sizes[order], kind="stable")]
    _fill(parts, by_size, sizes, stratum, room, lambda size, left: size < 2 * left)  # nearer
    parts = parts[members]
    check_parts(parts, groups, f" for --test {test} and --validation {validation}")
    return parts


def _apportion(
    counts: NDArray[np.number], fraction: float, generator: Generator
) -> NDArray[np.int64]:
    """The fraction of each count in whole numbers that sum to the fraction of all, rounded.

    The largest remainders are rounded up, equal ones by lot.
    """
    quotas = fraction * counts
    whole = np.floor(quotas).astype(np.int64)
    missing = round(fraction * counts.sum()) - whole.sum()
    lots = generator.random(len(counts))
    whole[np.lexsort((lots, whole - quotas))[:missing]] += 1
    return whole


def _fill(
    parts: NDArray[np.int8],
    order: NDArray[np.integer],
    sizes: NDArray[np.integer],
    stratum: NDArray[np.integer],
    room: dict[int, list[int]],
    takes: Callable[[int, int], bool],
) -> None:
    """Moves groups out of the training part where another takes their size, given its room."""
    for group in order[parts[order] == TRAIN].tolist():
        size, position = int(sizes[group]), int(stratum[group])
        for part, left in room.items():
            if takes(size, left[position]):
                parts[group] = part
                left[position] -= size
                break


def cut(
    groups: NDArray[np.integer], ads: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cuts ads in two at random, the first `ads` of them or the nearest that whole groups allow.

    Args:
      groups: the number of each ad's group: [n].
      ads: how many are wanted in the first; where that is half of them, it gets one at least.
      seed: decides the order of the groups.

    Returns:
      The indices of the first ones and of the others, ascending.
    """
    _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    is_first = np.zeros(len(sizes), bool)
    is_first[order] = middles <= ads
    return np.flatnonzero(is_first[members]), np.flatnonzero(~is_first[members])


def folds_for(given: int | None, groups: NDArray[np.integer]) -> int:
    """How many folds training ads are cut into: what is given, else so many where that is cheap.

    Args:
      given: the number that was asked for, if any.
      groups: the number of each ad's group: [n]; fewer than two make no folds.
    """
    count = (FOLDS if len(groups) < FEW else 0) if given is None else given
    count = min(count, len(np.unique(groups)))
    return count if count > 1 else 0


def folds(
    groups: NDArray[np.integer], count: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields the indices of the ads outside and inside of each fold; groups [n] stay whole."""
    from sklearn.model_selection import GroupKFold

    return GroupKFold(count, shuffle=True, random_state=seed).split(groups, groups=groups)


def without_ads(counts: Table) -> str:
    """How many categories lack an ad of each part, of what `class_counts` has counted."""
    lacking = [sum(row[column] == 0 for row in counts.rows) for column in (4, 5, 6)]
    words = zip(lacking, ("training", "validation", "test"), strict=True)
    return ", ".join(f"{number:,} without a {part} ad" for number, part in words)


def class_counts(
    labels: NDArray[np.integer], parts: NDArray[np.integer], categories: list[str]
) -> Table:
    """Counts the ads of each category, most frequent first (thesis, Appendix A.1).

    Args:
      labels: category of each ad: [n].
      parts: part of each ad, as its index in `PARTS`: [n].
      categories: the names.
    """
    pairs = labels * len(PARTS) + parts
    counts = np.bincount(pairs, minlength=len(categories) * len(PARTS)).reshape(-1, len(PARTS))
    rows = sorted(zip(categories, counts.tolist(), strict=True), key=lambda row: -sum(row[1]))
    columns = [Column("rank"), Column("category"), Column("total"), Column("percent", "{:.3f}")]
    return Table(
        "Ads of each category",
        [*columns, *map(Column, PARTS)],
        [
            (rank, name, sum(ads), round(100 * sum(ads) / len(labels), 3), *ads)
            for rank, (name, ads) in enumerate(rows, 1)
        ],
    )
