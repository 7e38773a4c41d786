"""Opens what runs the tasks of a command."""

import contextlib
from collections.abc import Iterator

from adcat.parallel.processes import in_processes
from adcat.parallel.spark_session import spark_session
from adcat.parallel.spark_tasks import in_spark
from adcat.parallel.tasks import ALONE, Workers


@contextlib.contextmanager
def workers(jobs: int, spark: str) -> Iterator[Workers]:
    """Opens this process, several, or a session of Spark.

    Args:
      jobs: how many processes.
      spark: the master; empty for none.

    Raises:
      BadInputError: Spark cannot be started.
    """
    if spark:
        with spark_session(spark) as session:
            yield Workers(in_spark(session), session.sparkContext.defaultParallelism)
    elif jobs > 1:
        with in_processes(jobs) as run:
            yield Workers(run, jobs)
    else:
        yield ALONE
