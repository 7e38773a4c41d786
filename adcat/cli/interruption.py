"""Ctrl-C ends a command at once, whatever holds it.

Python's own way is an exception in the main thread: it waits for C++ code such as fastText's to
return, some libraries swallow it while they are imported, and threads complain while they die. A
command may be killed at any moment and nothing is lost, so nothing has to be unwound either: a
thread waits for the signal, says so and ends the process.
"""

import os
import signal
import threading

MESSAGE = "interrupted; run the same command again to resume"
EXIT_CODE = 130


def listen() -> None:
    """Starts to wait for Ctrl-C, unless it is to be ignored, as behind `nohup`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # later threads inherit it
    stderr = os.dup(2)  # that itself is turned away at times
    threading.Thread(target=_wait, args=[stderr], daemon=True).start()


def _wait(stderr: int) -> None:
    signal.sigwait([signal.SIGINT])
    is_drawn_on = os.isatty(stderr) and not os.environ.get("NO_COLOR")
    start = "\r\x1b[K\x1b[?25h" if is_drawn_on else ""  # no progress bar, and the cursor again
    os.write(stderr, f"{start}{MESSAGE}\n".encode())
    os._exit(EXIT_CODE)
