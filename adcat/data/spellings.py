"""Names of categories that may be another spelling of one, or that stand for a missing value."""

import html
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MISSING = ("nan", "null", "none", "n/a")


def merged(names: Sequence[str], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The index of the most frequent spelling of each name; equally frequent, the first: [n].

    Args:
      names: each once.
      counts: how many ads have it: [n].
    """
    kept = np.arange(len(names))
    for places in _spellings(names).values():
        kept[places] = min(places, key=lambda place: (-counts[place], names[place]))
    return kept


def doubts(names: Sequence[str], counts: NDArray[np.integer]) -> Iterator[str]:
    """A sentence for names that stand for a missing value, one for names spelt in several ways."""
    groups = _spellings(names)
    missing = [place for name in MISSING for place in groups.get(name, [])]
    if missing:
        yield f"categories that may be missing values: {_counted(names, counts, missing)}"
    several = [places for places in groups.values() if len(places) > 1]
    if several:
        found = "; ".join(_counted(names, counts, places) for places in several[:10])
        more = f" and {len(several) - 10:,} more" if len(several) > 10 else ""
        yield f"categories spelt in several ways: {found}{more}; to join them: --merge-spellings"


def _spellings(names: Sequence[str]) -> dict[str, list[int]]:
    """Indices of names that differ in case, blanks or entities only, by what they share."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        plain = unicodedata.normalize("NFKC", html.unescape(name)).casefold()
        groups.setdefault(" ".join(plain.split()), []).append(place)
    return groups


def _counted(names: Sequence[str], counts: NDArray[np.integer], places: Sequence[int]) -> str:
    return ", ".join(f"{names[place]!r} ({counts[place]:,})" for place in places)
