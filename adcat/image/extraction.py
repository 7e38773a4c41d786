"""Runs a trained network over photos, fast: vectors and probabilities in one pass."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Probs, Vectors
from adcat.image.classifier import ImageModel, load
from adcat.image.decoding import Photos, stream_batches
from adcat.image.inception import VECTORS
from adcat.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras

__all__ = [
    "ImageModel",
    "append_rows",
    "frozen",
    "in_batches",
    "load",
    "stream_features",
    "vectors_and_probs",
]

Forward: TypeAlias = Callable[[Photos], list[NDArray[np.float32]]]


def stream_features(
    model: ImageModel, paths: Sequence[str], batch_size: int
) -> Iterator[tuple[Vectors, Probs]]:
    """Yields vectors [b, dimension] and probabilities [b, categories] of photos, in their order.

    Raises:
      BadInputError: a photo is missing or cannot be decoded.
    """
    forward = vectors_and_probs(model)
    for photos in stream_batches(model.read, in_batches(paths, batch_size)):
        vectors, probs = forward(photos)
        yield vectors, probs


def vectors_and_probs(model: ImageModel) -> Forward:
    """Compiles the way from photos to vectors [b, dimension] and probabilities [b, categories]."""
    network = model.network
    return frozen(network, [network.get_layer(VECTORS).output, network.output])


def in_batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Cuts a sequence into batches; the last one may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def frozen(network: "keras.Model", outputs: Sequence["keras.KerasTensor"]) -> Forward:
    """Compiles the way from a network's input to some of its tensors, its weights now constants.

    TensorFlow then folds batch norm into the convolutions and joins convolution, bias and ReLU.
    """
    tf = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    part = tf.keras.Model(network.input, list(outputs))
    photos = tf.TensorSpec(network.input.shape, tf.float32)
    function = tf.function(lambda x: part(x, training=False), input_signature=[photos])
    graph = convert_variables_to_constants_v2(function.get_concrete_function())
    return lambda batch: [output.numpy() for output in graph(tf.constant(batch))]


def append_rows(path: Path, columns: int, batches: Callable[[int], Iterator[Vectors]]) -> Vectors:
    """Fills a file with rows of float32, from where an interrupted run stopped.

    The length of the file says how many rows are done.

    Args:
      path: the file.
      columns: values in a row.
      batches: called with the number of rows done; yields the others: [b, columns].

    Returns:
      All rows, memory-mapped: [rows, columns].
    """
    with path.open("ab") as file:
        done = file.tell() // (4 * columns)
        file.truncate(4 * columns * done)
        for batch in batches(done):
            file.write(np.ascontiguousarray(batch, np.float32).data)
            file.flush()
    return np.memmap(path, np.float32, "r").reshape(-1, columns)
