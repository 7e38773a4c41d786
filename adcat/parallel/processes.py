"""Tasks in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from adcat.errors import AdcatError
from adcat.parallel.tasks import Runner


def in_processes(jobs: int) -> Runner:
    """Makes a runner of so many processes, which end with this one."""

    def run(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        spawn = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        pool = ProcessPoolExecutor(min(jobs, len(tasks)), spawn, _follow_parent)
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool:
            raise AdcatError(
                "a process of --jobs was killed, perhaps for lack of memory; run the same command "
                "again to go on, with fewer --jobs"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)

    return run


def _follow_parent() -> None:
    """Lets a process leave Ctrl-C to its parent, and end when that has ended, however it did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
