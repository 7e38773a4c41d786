"""Waiting for fastText, which does not notice Ctrl-C."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def wait_for(work: Callable[[], Any]) -> Any:
    """Runs work that does not notice Ctrl-C so that the waiting for it does."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result()
