"""Which ads are one another's duplicates: they have the same cleaned text or the same picture."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from adcat.data.similar_images import Pairs

if TYPE_CHECKING:
    import pyarrow as pa

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

    columns: ClassVar = ("row", "id", "group", "category")  # of a list of contradictions

    groups: NDArray[np.int64]  # first row of each ad's group, NO_KEY for a rejected row: [rows]
    placeholders: int  # texts and photos that too many ads have to make them duplicates
    similar: int  # photos that show the same picture as another one
    founders: NDArray[np.bool_]  # ads that no earlier ad made duplicates when they came: [rows]
    contradicting: NDArray[np.bool_]  # ads of groups that have several categories: [rows]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """The ads that have the text or the photo of an earlier one: [rows]."""
        return is_repeated(self.groups, self.groups != NO_KEY)

    def in_words(self, treatment: str, contradictions: Path) -> list[str]:
        """The sentences about them, given what was done with them and where they are listed."""
        largest = np.bincount(self.groups[self.groups != NO_KEY]).max(initial=0)
        found = {
            "photos show the same picture as another one, saved again, scaled, cropped or with "
            "bars": self.similar,
            "texts or photos are on too many ads to mark duplicates": self.placeholders,
            f"ads have duplicates of another category ({contradictions})": self.contradicting.sum(),
        }
        return [
            f"{self.repeated.sum():,} ads have the text or the photo of an earlier one; "
            f"{TREATMENTS[treatment]}; ads in the largest group: {largest:,}",
            *(f"{number:,} {what}" for what, number in found.items() if number),
        ]

    def listed(self, batch: "pa.RecordBatch") -> Iterator[tuple[int, str, int, str]]:
        """The rows of a batch of the table that contradict others."""
        rows = batch["row"].to_numpy()
        for i in np.flatnonzero(self.contradicting[rows - 1]).tolist():
            group = int(self.groups[rows[i] - 1]) + 1
            yield int(rows[i]), batch["id"][i].as_py(), group, batch["category"][i].as_py()


def find_duplicates(
    text: NDArray[np.integer],
    photo: NDArray[np.integer],
    similar: Pairs,
    categories: NDArray[np.integer],
    among: NDArray[np.bool_],
) -> Duplicates:
    """Groups the ads that have the same text or picture, unless that is a placeholder.

    Args:
      text: the number of each ad's cleaned text: [rows], `NO_KEY` where a row has none.
      photo: the same of its photo.
      similar: photos of the same picture.
      categories: the number of each ad's: [rows].
      among: the rows that are ads: [rows].
    """
    picture = np.append(_components(similar, int(photo.max(initial=NO_KEY)) + 1), NO_KEY)[photo]
    no_text = placeholders(text, categories, among)
    no_picture = placeholders(picture, categories, among)
    text = np.where(np.isin(text, no_text), NO_KEY, text)
    photo = np.where(np.isin(picture, no_picture), NO_KEY, photo)
    kinds = [links_of(text, among), links_of(photo, among), _links_of_pairs(similar, photo, among)]
    links = np.concatenate(kinds, axis=1)
    groups, founders = duplicate_groups(links, among), among.copy()
    founders[links[1]] = False
    of_group = np.unique(np.stack([groups, categories])[:, among], axis=1)[0]
    contradicting = among & (np.bincount(of_group, minlength=len(among))[groups] > 1)
    common = len(no_text) + len(no_picture)
    return Duplicates(groups, common, len(np.unique(similar)), founders, contradicting)


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


def duplicate_groups(links: Pairs, among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first row of each ad's group, `NO_KEY` for a rejected row: [rows].

    Args:
      links: ads that belong together: [2, links].
      among: the rows that are ads: [rows].
    """
    groups = _components(links, len(among))
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    return np.where(among, first[members], NO_KEY)


def _components(links: Pairs, nodes: int) -> NDArray[np.integer]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(links.shape[1], np.int8), tuple(links)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1]


def links_of(keys: NDArray[np.integer], among: NDArray[np.bool_]) -> Pairs:
    """The first ad that has a key, and each other one that has it: [2, links].

    Args:
      keys: such as the photo's: [rows], `NO_KEY` where a row has none.
      among: the rows that are ads: [rows].
    """
    rows = np.flatnonzero(among & (keys != NO_KEY))
    _, first, members = np.unique(keys[rows], return_index=True, return_inverse=True)
    links = np.stack([rows[first[members]], rows])
    return links[:, links[0] != links[1]]


def _links_of_pairs(pairs: Pairs, keys: NDArray[np.integer], among: NDArray[np.bool_]) -> Pairs:
    """The first ads that have the two keys of each pair, the earlier one first: [2, links]."""
    rows = np.flatnonzero(among & (keys != NO_KEY))[::-1]
    first = np.full(pairs.max(initial=keys.max(initial=0)) + 1, NO_KEY)
    first[keys[rows]] = rows  # the last one that is written, hence the first
    links = np.sort(first[pairs], axis=0)
    return links[:, links[0] != NO_KEY]
