"""Work that waits for a store: tried again, within time limits.

A driver may wait for ever, whatever limits it was given. So each attempt is a thread of its own,
which is left behind when its time is over. Where too many are left behind, the store does not
answer, and the run ends. Arrow would wait for them when the process ends; `leave` does not.
"""

import dataclasses
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from adcat.data.stores import Address, in_words
from adcat.errors import AdcatError, BadInputError

Value = TypeVar("Value")

_left_behind: list[threading.Thread] = []
_lock = threading.Lock()

FINAL = re.compile(  # no further attempt would change it
    r"(?i)access.?denied|forbidden|signature.?does.?not|invalid.?access.?key|expired.?token|"
    r"no.?such.?bucket|status (401|403)\b"
)


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a store is waited for."""

    attempts: int = 4  # for a file
    seconds: float = 30  # that one may take
    pause: float = 0.25  # seconds before the second one; each further pause is twice as long
    unanswered: int = 64  # that may be left behind
    failures: int = 64  # files in a row that cannot be read


USUAL = Patience()


class NotReadError(BadInputError):
    """A file of a store could not be read."""

    def __init__(self, address: Address, cause: str) -> None:
        """Keeps the cause, which does not depend on which file it was."""
        super().__init__(f"{address} cannot be read: {cause}")
        self.cause = cause


class Attempts:
    """What is asked of one store."""

    def __init__(self, address: Address, patience: Patience) -> None:
        """Nothing was asked yet."""
        self._address, self._patience = address, patience
        self._failures = 0  # since a file was last read, or told to be missing
        self._end = ""  # why nothing is asked any more

    def until_read(self, work: Callable[[], Value]) -> Value:
        """What the work gives, tried again where it fails.

        Raises:
          FileNotFoundError: the file is missing.
          NotReadError: all attempts failed.
          BadInputError: the store does not answer, or lets nothing be read any more.
        """
        try:
            found = self._tried(work)
        except FileNotFoundError:
            self._failures = 0
            raise
        self._failures = 0
        return found

    def _tried(self, work: Callable[[], Value]) -> Value:
        for attempt in range(1, self._patience.attempts + 1):
            if self._end:
                raise BadInputError(self._end)
            try:
                return self._limited(work)
            except (FileNotFoundError, AdcatError):
                raise
            except Exception as error:  # drivers raise nearly anything
                cause = in_words(error, self._address)
                if isinstance(error, ValueError):  # of this file alone
                    raise NotReadError(self._address, cause) from None
                if isinstance(error, PermissionError) or FINAL.search(cause):
                    raise self._failure(cause) from None
                if attempt == self._patience.attempts:
                    raise self._failure(f"{cause} (attempt {attempt})") from None
            time.sleep(self._patience.pause * 2 ** (attempt - 1))
        raise AssertionError("an attempt ends in one way or another")

    def _limited(self, work: Callable[[], Value]) -> Value:
        """What the work gives, or what it raises.

        Raises:
          TimeoutError: its time is over.
          BadInputError: that is so for too many.
        """
        outcome = Future[Value]()

        def run() -> None:
            """Does the work, in a thread that may never end."""
            try:
                outcome.set_result(work())
            except BaseException as error:
                outcome.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            return outcome.result(self._patience.seconds)
        except TimeoutError:
            if outcome.done():  # the driver's own
                raise
        self._leave_behind(thread)
        raise TimeoutError(f"no answer within {self._patience.seconds:g} s")

    def _leave_behind(self, thread: threading.Thread) -> None:
        with _lock:
            _left_behind[:] = [one for one in _left_behind if one.is_alive()] + [thread]
            if (left := len(_left_behind)) <= self._patience.unanswered:
                return
        waiting = f"{left} requests wait for more than {self._patience.seconds:g} s"
        raise self._ended(f"no answer; {waiting}")

    def _failure(self, cause: str) -> BadInputError:
        """What became of a file; one of many in a row ends the run."""
        self._failures += 1
        if self._failures < self._patience.failures:
            return NotReadError(self._address, cause)
        failed = f"{self._failures} files in a row could not be read"
        return self._ended(f"{failed}; the last one: {cause}")

    def _ended(self, why: str) -> BadInputError:
        """The end of the run, also for the threads that go on to ask."""
        self._end = f"{self._address}: {why}\nrun the same command again when it answers"
        return BadInputError(self._end)


def leave(code: int | str | None) -> None:
    """Ends the process at once, with this exit code, where a driver still waits; else does nothing.

    Nothing has to be unwound, as behind Ctrl-C.
    """
    if any(thread.is_alive() for thread in _left_behind):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(bool(code)))
