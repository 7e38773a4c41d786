"""TensorFlow without the lines that it writes to stderr while it starts.

They come from C++ and survive `TF_CPP_MIN_LOG_LEVEL`, so file descriptor 2 itself is turned away
around the import and the first operation.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

# What Keras imports for parts that are not used here, if it is there: a third of its import's time.
UNUSED = ("matplotlib", "sklearn")


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Turns file descriptor 2 to nowhere for the length of the block."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Hides packages from what is imported in the block, but those that are loaded already."""
    hidden = set(names) - sys.modules.keys()
    sys.modules |= dict.fromkeys(hidden)  # pyright: ignore: None hides a module
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_tensorflow(threads: int = 0) -> Any:
    """Imports and starts TensorFlow silently; 2 to 4 seconds the first time.

    Args:
      threads: that one operation is shared among, 0 for one per core; once TensorFlow runs, its
        number is fixed.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced_stderr(), without(*UNUSED):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.add(0.0, 1.0)  # the first operation starts the devices, which writes as well
    tf.get_logger().setLevel("ERROR")
    gc.freeze()  # its 300,000 objects stay: Keras collects often, and 0.2 s each time otherwise
    return tf


def seeded_tensorflow(seed: int, threads: int = 0) -> Any:
    """TensorFlow with every generator seeded, deterministic operations and no old layer names.

    Args:
      seed: of all generators.
      threads: as in `import_tensorflow`.
    """
    tf = import_tensorflow(threads)
    tf.keras.utils.clear_session(free_memory=False)  # Python collects when there is much
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return tf
