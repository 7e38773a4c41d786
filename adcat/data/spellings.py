"""Names of categories that may be another spelling of one, or that stand for a missing value."""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from adcat.data.rejections import Rejections
from adcat.data.row_validation import Codes
from adcat.progress import Progress

MOST = 10  # that a sentence names
MISSING = ("nan", "null", "none", "n/a", "#n/a", "-")


def merged(names: Sequence[str], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The index of the most frequent spelling of each name; equally frequent, the first: [n].

    Args:
      names: each once.
      counts: how many ads have it: [n].
    """
    kept = np.arange(len(names))
    for positions in _spellings(names).values():
        kept[positions] = min(positions, key=lambda position: (-counts[position], names[position]))
    return kept


def doubts(names: Sequence[str], counts: NDArray[np.integer]) -> Iterator[str]:
    """Sentences on names that stand for missing values, are spelt in several ways, or are lists."""
    groups = _spellings(names)
    missing = [position for name in MISSING for position in groups.get(name, [])]
    if missing:
        yield f"categories that may be missing values: {_counted(names, counts, missing)}"
    several = [positions for positions in groups.values() if len(positions) > 1]
    if several:
        found = "; ".join(_counted(names, counts, positions) for positions in several[:MOST])
        found += _more(several)
        yield f"categories spelt in several ways: {found}; to join them: --merge-spellings"
    if lists := _lists(names):
        found = _counted(names, counts, lists[:MOST]) + _more(lists)
        yield f"categories that may be several in one: {found}; leave one category in each row"


def _more(found: Sequence[object]) -> str:
    return f" and {len(found) - MOST:,} more" if len(found) > MOST else ""


def _lists(names: Sequence[str]) -> list[int]:
    """Indices of names such as `['a', 'b']`, or `a|b` and `a;b` that share a part with another."""
    parts = [{part.strip() for part in re.split("[|;]", name)} for name in names]
    shared = Counter(part for of_name in parts for part in of_name)
    return [
        position
        for position, name in enumerate(names)
        if re.fullmatch(r"\[.*,.*\]", name)
        or (len(parts[position]) > 1 and any(shared[part] > 1 for part in parts[position]))
    ]


def _spellings(names: Sequence[str]) -> dict[str, list[int]]:
    """Indices of names that differ in case, blanks or entities only, by what they share."""
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        plain = unicodedata.normalize("NFKC", html.unescape(name)).casefold()
        groups.setdefault(" ".join(plain.split()), []).append(position)
    return groups


def _counted(names: Sequence[str], counts: NDArray[np.integer], positions: Sequence[int]) -> str:
    return ", ".join(f"{names[position]!r} ({counts[position]:,})" for position in positions)


def checked_spellings(
    category: Codes, rejections: Rejections, merge: bool, progress: Progress
) -> Codes:
    """Warns of doubtful spellings of categories, or merges them under one spelling each."""
    used, counts = np.unique(category.codes[rejections.accepted], return_counts=True)
    names = category.names(used)
    if merge:
        kept = merged(names, counts)
        category = Codes(category.recode(used, used[kept]), category.values)
        left = np.unique(kept)
        names, counts = [names[i] for i in left], np.bincount(kept, counts)[left]
    for doubt in doubts(names, counts.astype(int)):
        progress.say(f"warning: {doubt}")
    return category
