"""Processes that do tasks at once, each with its share of the cores.

They are spawned, since TensorFlow does not survive a fork, print nothing, and end with the process
that started them, however that ends. A pool of the standard library does neither, and where Ctrl-C
ends its process, complains of semaphores: here one pipe for each process is all that is shared.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from adcat.errors import LostProcessError
from adcat.parallel.tasks import Runner

Task = TypeVar("Task")
Result = TypeVar("Result")

# Read by what splits an operation among threads: OpenMP, OpenBLAS, TensorFlow.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a task."""

    result: Any = None
    error: Exception | None = None


@contextlib.contextmanager
def in_processes(jobs: int) -> Iterator[Runner]:
    """Yields a runner whose processes, at most `jobs`, stay from one call to the next.

    It raises LostProcessError where one of them is killed.
    """
    workers: list[_Worker] = []

    def run(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        while len(workers) < min(jobs, len(tasks)):
            workers.append(_Worker(jobs))
        return _in_order(workers, function, tasks)

    try:
        yield run
    finally:
        for worker in workers:
            worker.end()


def _in_order(
    workers: Sequence["_Worker"], function: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[Result]:
    """Hands out the tasks and yields their results in order; after an error no more is begun."""
    waiting, idle = list(enumerate(tasks))[::-1], list(workers)
    busy: dict[Any, tuple[_Worker, int]] = {}
    outcomes: dict[int, _Outcome] = {}
    for index in range(len(tasks)):
        while index not in outcomes:
            while waiting and idle:
                worker, (number, task) = idle.pop(), waiting.pop()
                worker.send(function, task)
                busy[worker.pipe] = worker, number
            for pipe in wait(list(busy)):
                worker, number = busy.pop(pipe)
                outcomes[number] = outcome = worker.outcome()
                idle.append(worker)
                if outcome.error:
                    waiting.clear()
        outcome = outcomes.pop(index)
        if outcome.error:
            raise outcome.error
        yield outcome.result


class _Worker:
    """A process that does tasks, one after the other."""

    def __init__(self, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=[other], daemon=True)
        with _share_of_cores(jobs), _without_interrupts():
            self._process.start()
        other.close()  # so that its end is the pipe's

    def send(self, function: Callable[[Any], Any], task: Any) -> None:
        """Hands it a task, having none."""
        with contextlib.suppress(ConnectionError):  # it is gone, which `outcome` tells
            self.pipe.send((function, task))

    def outcome(self) -> _Outcome:
        """What became of the task, which it is done with."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended ({code})"
            return _Outcome(
                error=LostProcessError(
                    f"a process that did a part of the work {how}, for lack of memory perhaps; run "
                    "the same command again to resume, with fewer --jobs if they need too much"
                )
            )

    def end(self) -> None:
        """Ends the process at once, whatever it does."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextlib.contextmanager
def _share_of_cores(jobs: int) -> Iterator[None]:
    """What is started in the block takes a share of the cores, unless the user says how many."""
    share = str(max(1, (os.cpu_count() or 1) // jobs))
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, share))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started in the block never hears of Ctrl-C, which is its parent's to answer.

    Python starts a process of its own before the first one, and lets Ctrl-C through to this thread
    afterwards, whatever held before.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _work(pipe: Connection) -> None:
    """Does tasks until nobody sends any more."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            pipe.send(_outcome(pipe))


def _outcome(pipe: Connection) -> _Outcome:
    """Receives a task and does it.

    Raises:
      EOFError: there is none.
    """
    function, task = pipe.recv()
    try:
        return _Outcome(function(task))
    except Exception as error:
        return _Outcome(error=_portable(error))


def _portable(error: Exception) -> Exception:
    """The error as another process can read it, with where it was raised."""
    if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, which it may not know
        error = MemoryError(str(error).partition("\n")[0])
    elif type(error).__module__.split(".")[0] not in ("adcat", "builtins"):
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(traceback.format_exc())
    return error


def _end_with_parent() -> None:
    """Waits for the end of the process that started this one, then ends this one, too."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
