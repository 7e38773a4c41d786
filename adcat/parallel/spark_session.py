"""A session of Spark: the one that there is, or one that a command starts."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adcat.errors import AdcatError, BadInputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]

PACKAGE = "pip install 'adcat[spark]'"
SETTINGS: dict[str, Any] = {"spark.log.level": "FATAL", "spark.ui.showConsoleProgress": "false"}


@contextlib.contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """Opens a session, which ends with the block unless there was one before.

    Args:
      master: where Spark runs, such as `local[2]` or `spark://host:7077`.

    Raises:
      BadInputError: Spark or Java is not installed, or it does not start.
    """
    try:
        from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadInputError(
            f"--spark needs Spark, which is not installed; type: {PACKAGE}"
        ) from None
    if there := SparkSession.getActiveSession():
        yield there
        return
    _check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # that workers may import adcat
    builder = SparkSession.builder.master(master).appName("adcat")
    try:
        session = builder.config(map=SETTINGS).getOrCreate()
    except Exception as error:  # of Py4J, of the gateway, of the JVM
        raise BadInputError(
            f"--spark {master}: Spark did not start: {cause_of(error)}; what it printed above may "
            "say more"
        ) from None
    try:
        yield session
    finally:
        session.stop()


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which(Path(home) / "bin" / "java") if home else shutil.which("java")):
        where = f"JAVA_HOME, {home}, has no bin/java" if home else "java is not on the path"
        raise BadInputError(
            f"--spark needs Java 17 or newer, and {where}; install it, in Debian: "
            "apt install openjdk-17-jre-headless"
        )


@contextlib.contextmanager
def failures_told() -> Iterator[None]:
    """Turns what Spark raises within the block, once it has given up, into one line.

    Raises:
      AdcatError: it has.
    """
    try:
        yield
    except AdcatError:
        raise
    except Exception as error:  # of Py4J, or of what calls the executors
        raise AdcatError(f"Spark gave up: {cause_of(error)}") from None


def cause_of(error: BaseException) -> str:
    """What went wrong in Spark, in one line: the last one of a task's traceback, if it is one."""
    java = getattr(error, "java_exception", None)  # else it is an error of Python
    text = re.sub(r"^\[[A-Z_.]+\] ", "", str(java.getMessage() if java else error))
    before, is_traceback, after = text.partition("Traceback (most recent call last):")
    lines = [line for line in (after if is_traceback else before).splitlines() if line.strip()]
    if not is_traceback:
        return lines[0].strip() if lines else type(error).__name__
    told = next((line for line in lines if not line.startswith(" ")), lines[0])
    return re.sub(r"^adcat\.errors\.\w+: ", "", told)
