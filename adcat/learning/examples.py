"""What a network is trained on and scored with: inputs that are read when they are needed."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.types import Labels

Rows: TypeAlias = NDArray[np.int64]  # of the ads in a batch: [b]
Inputs: TypeAlias = tuple[NDArray[np.float32], ...]  # one array [b, ...] per input of a network


@dataclasses.dataclass(frozen=True, slots=True)
class Examples:
    """Ads with their categories.

    `stream(batches, epoch)` yields a network's inputs for each batch of rows; what it yields for
    an ad depends on nothing but its row and the epoch.
    """

    labels: Labels
    stream: Callable[[Sequence[Rows], int], Iterator[Inputs]]

    def __len__(self) -> int:
        return len(self.labels)


def stored(outputs: NDArray[np.float32], labels: Labels) -> Examples:
    """What a frozen network made of one or several crops of every photo.

    Args:
      outputs: [crops × n, ...], crop by crop; epochs take the crops in turn.
      labels: [n]
    """
    n = len(labels)

    def stream(batches: Sequence[Rows], epoch: int) -> Iterator[Inputs]:
        crop = epoch % (len(outputs) // n)
        return ((np.asarray(outputs[crop * n + rows]),) for rows in batches)

    return Examples(labels, stream)
