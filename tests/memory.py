"""How much memory something takes, counted by Python."""

import tracemalloc
from collections.abc import Callable
from typing import Any


def allocated(work: Callable[..., Any], *arguments: Any) -> int:
    """The bytes that work holds at its peak, beyond what there was before."""
    tracemalloc.start()
    try:
        work(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
