"""Tasks on the executors of Spark."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeAlias

from adcat.errors import AdcatError, BusyError
from adcat.parallel.spark_session import failures_told
from adcat.parallel.tasks import Runner

if TYPE_CHECKING:
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]

Outcome: TypeAlias = tuple[int, Any, AdcatError | None]  # of a task: its number, result or error

LOOK_EVERY = 0.1  # seconds
WAIT_FOR_LOCKS = 600  # seconds, by when the process of a lost executor has let go of them


def in_spark(session: "SparkSession") -> Runner:
    """Makes a runner of tasks, each a task of Spark, which runs it again if its executor is lost.

    So a task must be able to run several times. Results come through an accumulator, to which Spark
    adds those of a task once, as soon as it has ended; one that fails ends all.

    Args:
      session: runs them.
    """
    from pyspark import AccumulatorParam  # pyright: ignore[reportMissingImports]

    class Arrived(AccumulatorParam[list[Outcome]]):
        """Outcomes as they come."""

        def zero(self, value: list[Outcome]) -> list[Outcome]:
            """No outcome."""
            return []

        def addInPlace(self, value1: list[Outcome], value2: list[Outcome]) -> list[Outcome]:  # noqa: N802
            """Joins two lists."""
            return [*value1, *value2]

    context = session.sparkContext

    def run(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        arrived, tag = context.accumulator([], Arrived()), f"adcat-{uuid.uuid4()}"
        pieces = context.parallelize(list(enumerate(tasks)), len(tasks))

        def work(numbered: tuple[int, Any]) -> None:
            arrived.add([_outcome(function, *numbered)])

        def submit() -> None:
            context.addJobTag(tag)
            pieces.foreach(work)

        with ThreadPoolExecutor(1) as thread:
            job = thread.submit(submit)
            try:
                yield from _in_order(job, lambda: arrived.value, len(tasks))
            finally:
                context.cancelJobsWithTag(tag)

    return run


def _in_order(
    job: "Future[None]", arrived: Callable[[], list[Outcome]], tasks: int
) -> Iterator[Any]:
    """Results in the order of their tasks.

    Raises:
      AdcatError: a task's own, or what made Spark give up.
    """
    results: dict[int, Any] = {}
    seen = 0
    for number in range(tasks):
        while number not in results:
            wait([job], LOOK_EVERY)
            if job.done():
                with failures_told():
                    job.result()
            for other, result, error in arrived()[seen:]:
                if error:
                    raise error
                results[other] = result
                seen += 1
        yield results.pop(number)


def _outcome(function: Callable[[Any], Any], number: int, task: Any) -> Outcome:
    """What becomes of a task; one that another process is busy with waits for that."""
    until = time.monotonic() + WAIT_FOR_LOCKS
    while True:
        try:
            return number, function(task), None
        except BusyError as error:
            if time.monotonic() > until:
                return number, None, error
            time.sleep(1)
        except AdcatError as error:
            return number, None, error
