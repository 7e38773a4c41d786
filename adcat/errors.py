"""Every error that adcat reports to its user.

Any module raises these; only `adcat.cli` catches them. A message says in one or two lines what was
found, what was expected, and what to type or change.
"""

import contextlib
import copyreg
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_OF_A_REASON = 200  # characters
AGAIN = "run the command that makes it"


class AdcatError(Exception):
    """Base class: the command line prints the message without a traceback and exits with 1."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets another process raise it again, whatever its class was called with."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # pyright: ignore[reportAttributeAccessIssue]


class BadInputError(AdcatError):
    """A file or value given by the user does not have the promised form."""


class MissingArtifactError(AdcatError):
    """A command was run before the one that makes its input."""


class StaleArtifactError(AdcatError):
    """An artifact was edited, or was made from something older than what stands there now."""


class BusyError(AdcatError):
    """Another process is writing the same artifact."""


class LackOfMemoryError(AdcatError):
    """What was asked for needs more memory than there is."""


class LostProcessError(AdcatError):
    """A process that did a part of the work ended before it was done."""


class DivergedError(AdcatError):
    """Training ended in numbers that are not finite."""


@contextlib.contextmanager
def expecting(path: Path, expected: str) -> Iterator[None]:
    """Turns whatever a parser raises into an error that names the file.

    The files of a workspace may come from anybody, and parsers raise nearly anything on them.

    Args:
      path: the file or folder read in the block.
      expected: what it should be.

    Raises:
      MissingArtifactError: the file is missing.
      BadInputError: it is something else.
    """
    try:
        yield
    except AdcatError:
        raise
    except FileNotFoundError:
        raise MissingArtifactError(f"{path} is missing; {AGAIN}") from None
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        found = f"{path} is not a valid {expected}: {reason[:MOST_OF_A_REASON]}"
        raise BadInputError(f"{found}; {AGAIN}") from None
