"""Work of threads, ahead of its use."""

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = min(8, 1 + (os.cpu_count() or 1))  # each holds a batch; one waits while others work


def map_ahead(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int = THREADS,
    workers: int = THREADS,
) -> Iterator[Result]:
    """Yields what `work` makes of the items, in their order; threads do `ahead` items before."""
    threads = ThreadPoolExecutor(workers)
    waiting: collections.deque[Future[Result]] = collections.deque()
    try:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
