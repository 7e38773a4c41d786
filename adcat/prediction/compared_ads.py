"""The ads of a workspace that are compared with one another by vectors of models."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adcat.errors import BadInputError, expecting
from adcat.evaluation.neighbours import (
    Cosines,
    Nearest,
    Positions,
    blocks,
    directions,
    nearest,
)
from adcat.progress import Task
from adcat.types import PARTS, Modality, Part, Vectors, have
from adcat.workspace.ads import read_availabilities
from adcat.workspace.artifact import Artifact
from adcat.workspace.models import ModelProbs


@dataclasses.dataclass(frozen=True)
class ComparedAds:
    """The ads of a part and candidates for their nearest ones, counted through part after part.

    All have what every model reads, so that models are compared on the same ads.
    """

    split: Artifact
    part: Part  # whose ads are looked at
    parts: Sequence[Part]  # of the candidates
    having: Sequence[Modality]
    k: int  # how many are found for each

    @property
    def every_part(self) -> list[Part]:
        """The parts of the ads that are looked at and of the candidates, each once."""
        return [part for part in PARTS if part in (self.part, *self.parts)]

    @functools.cached_property
    def rows(self) -> Mapping[Part, NDArray[np.int64]]:
        """The rows of each part's ads [n]."""
        return {
            part: np.flatnonzero(have(read_availabilities(self.split, part), self.having))
            for part in self.every_part
        }

    @functools.cached_property
    def starts(self) -> list[int]:
        """Where each part of the candidates starts, and where the last one ends."""
        return np.cumsum([0, *(len(self.rows[part]) for part in self.parts)]).tolist()

    @functools.cached_property
    def own(self) -> Positions:
        """Where each ad that is looked at is among the candidates, or -1 [n].

        Raises:
          BadInputError: the part has none.
        """
        ads = len(self.rows[self.part])
        if not ads:
            wanted = " and ".join(self.having)
            raise BadInputError(
                f"the {self.part} part has no ads with {wanted}; use another --part"
            )
        if self.part not in self.parts:
            return np.full(ads, -1)
        return self.starts[self.parts.index(self.part)] + np.arange(ads)

    def values(self, read: Callable[[Part], NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """What is known of each candidate, and of each ad that is looked at: [n] each."""
        found = {part: read(part) for part in self.every_part}
        return np.concatenate([found[part] for part in self.parts]), found[self.part]

    def stream(self, model: ModelProbs, task: Task) -> Iterator[Nearest]:
        """Finds the nearest ads of all that are looked at, block after block."""
        own, done = self.own, 0
        for queries in self._directions(model, self.part):
            ads = slice(done, done + len(queries))
            yield Nearest(ads, *self.nearest(model, queries, own[ads]))
            done += len(queries)
            task.advance(len(queries))

    def some(self, model: ModelProbs, rows: NDArray[np.int64]) -> tuple[Cosines, Positions]:
        """The ads nearest to some of those that are looked at: [rows, k] each."""
        vectors = model.vectors(self.part)[self.rows[self.part][rows]]
        return self.nearest(model, directions(vectors), self.own[rows])

    def nearest(
        self, model: ModelProbs, queries: Vectors, own: Positions
    ) -> tuple[Cosines, Positions]:
        """The candidates nearest to directions [q, dimension]: [q, k] each.

        Raises:
          BadInputError: there are fewer than k, or a vector is not finite.
        """
        candidates = self.starts[-1] - int(own.max() >= 0)
        if candidates < self.k:
            raise BadInputError(
                f"--k {self.k}: {candidates} ads with {' and '.join(self.having)} are there to "
                "compare with; choose a smaller one, or --among all"
            )
        dimension = queries.shape[1]
        found = (block for part in self.parts for block in self._directions(model, part, dimension))
        return nearest(queries, found, self.k, own)

    def places(self, positions: Positions) -> list[tuple[Part, int]]:
        """The part of each candidate, and its row among the part's ads that are compared."""
        parts = np.searchsorted(self.starts, positions, side="right") - 1
        rows = positions - np.array(self.starts)[parts]
        return [(self.parts[p], row) for p, row in zip(parts.tolist(), rows.tolist(), strict=True)]

    def _directions(
        self, model: ModelProbs, part: Part, dimension: int | None = None
    ) -> Iterator[Vectors]:
        vectors = model.vectors(part, dimension)
        for rows in blocks(self.rows[part]):
            with expecting(model.vectors_path(part), "array of vectors"):
                found = directions(vectors[rows])
            yield found
