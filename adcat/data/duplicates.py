"""Which ads are one another's duplicates: they have the same cleaned text or the same photo."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NO_KEY = -1
MOST_COPIES = 10  # a text or photo on more ads may be a placeholder, such as "see description"
MOST_CATEGORIES = 2  # that a placeholder would not exceed
MOST_OF_A_CATEGORY = 0.2  # the same; no part has room for a group of more

TREATMENTS = {
    "together": "each is in the same part as that",
    "ignore": "they may be in different parts",
    "drop": "they were dropped",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Duplicates:
    """What was found among the ads of a table."""

    groups: NDArray[np.int64]  # first row of each ad's group, NO_KEY for a rejected row: [rows]
    placeholders: int  # texts and photos that too many ads have to make them duplicates

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """The ads that have the text or the photo of an earlier one: [rows]."""
        return is_repeated(self.groups, self.groups != NO_KEY)

    def in_words(self, treatment: str) -> list[str]:
        """The sentences about them, given what was done with them."""
        largest = np.bincount(self.groups[self.groups != NO_KEY]).max(initial=0)
        lines = [
            f"{self.repeated.sum():,} ads have the text or the photo of an earlier one; "
            f"{TREATMENTS[treatment]}; ads in the largest group: {largest:,}"
        ]
        if self.placeholders:
            lines.append(
                f"not counted, as too many ads share them: {self.placeholders:,} texts or photos"
            )
        return lines


def find_duplicates(
    keys: Sequence[NDArray[np.integer]],
    categories: NDArray[np.integer],
    among: NDArray[np.bool_],
) -> Duplicates:
    """Groups the ads that have the same text or photo, unless that is a placeholder.

    Args:
      keys: a kind of key each, such as the cleaned text's or the photo's: [rows], `NO_KEY` where
        a row has none.
      categories: the number of each ad's: [rows].
      among: the rows that are ads: [rows].
    """
    common = [placeholders(kind, categories, among) for kind in keys]
    telling = [
        np.where(np.isin(kind, those), NO_KEY, kind)
        for kind, those in zip(keys, common, strict=True)
    ]
    return Duplicates(duplicate_groups(telling, among), sum(map(len, common)))


def is_repeated(codes: NDArray[np.integer], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a row's code occurs in an earlier row; only rows in `among` count: [rows]."""
    rows = np.flatnonzero(among)
    first = np.unique(codes[rows], return_index=True)[1]
    repeated = among.copy()
    repeated[rows[first]] = False
    return repeated


def placeholders(
    keys: NDArray[np.integer], categories: NDArray[np.integer], among: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Finds the keys that tell nothing of an ad, since too many have them: [placeholders].

    They are on more than `MOST_COPIES` ads, of more than `MOST_CATEGORIES` categories or more than
    `MOST_OF_A_CATEGORY` of one's ads. Copies of one ad are rarely that many.

    Args:
      keys: such as the photo's: [rows], `NO_KEY` where a row has none.
      categories: the number of each ad's: [rows].
      among: the rows that are ads: [rows].
    """
    rows = among & (keys != NO_KEY)
    ads = np.bincount(categories[among])  # of each category
    pairs = keys[rows].astype(np.int64) * len(ads) + categories[rows]
    pairs, copies = np.unique(pairs, return_counts=True)
    key, category = np.divmod(pairs, max(len(ads), 1))
    is_much = np.bincount(key, copies > MOST_OF_A_CATEGORY * ads[category]) > 0
    is_spread = np.bincount(key) > MOST_CATEGORIES
    return np.flatnonzero((np.bincount(key, copies) > MOST_COPIES) & (is_much | is_spread))


def duplicate_groups(
    keys: Sequence[NDArray[np.integer]], among: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Groups ads that share a key with one another, directly or through others.

    Args:
      keys: a kind of key each, such as the cleaned text's or the photo's: [rows], `NO_KEY` where
        a row has none.
      among: the rows that are ads: [rows].

    Returns:
      The first row of each ad's group, `NO_KEY` for a rejected row: [rows].
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = [_links(kind, among) for kind in keys]
    ends = tuple(np.concatenate(edges, axis=1))
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(len(among),) * 2)
    components = connected_components(graph, directed=False)[1]
    _, first, members = np.unique(components, return_index=True, return_inverse=True)
    return np.where(among, first[members], NO_KEY)


def _links(keys: NDArray[np.integer], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first ad that has a key, and each other one that has it: [2, links]."""
    rows = np.flatnonzero(among & (keys != NO_KEY))
    _, first, members = np.unique(keys[rows], return_index=True, return_inverse=True)
    links = np.stack([rows[first[members]], rows])
    return links[:, links[0] != links[1]]
