"""Runs a trained network over photos, fast: vectors and probabilities in one pass."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.artifacts import Probs, Vectors
from adcat.image.classifier import ImageModel, load
from adcat.image.decoding import THREADS, Item, Photos, map_ahead
from adcat.image.inception import VECTORS
from adcat.quiet import import_tensorflow

if TYPE_CHECKING:
    import keras

__all__ = [
    "ImageModel",
    "append_rows",
    "compiled",
    "load",
    "run",
    "stream_features",
    "vectors_and_probs",
]

Forward: TypeAlias = Callable[[Photos], list[NDArray[np.float32]]]


def stream_features(
    model: ImageModel, paths: Sequence[str], batch_size: int
) -> Iterator[tuple[Vectors, Probs]]:
    """Streams vectors [b, dimension] and probabilities [b, categories] of photos, in their order.

    Args:
      model: the classifier.
      paths: the photos.
      batch_size: photos that are in work at a time.

    Raises:
      BadInputError: a photo is missing or cannot be decoded.
    """
    batches = run(vectors_and_probs(model), model.read, paths, batch_size)
    return ((vectors, probs) for vectors, probs in batches)


def vectors_and_probs(model: ImageModel) -> Forward:
    """Compiles the way from photos to vectors [b, dimension] and probabilities [b, categories]."""
    return compiled(model.network, VECTORS, model.network.layers[-1].name)


def run(
    forward: Forward, read: Callable[[Item], Photos], items: Sequence[Item], batch_size: int
) -> Iterator[list[NDArray[np.float32]]]:
    """Yields what a network makes of photos, in their order: [b, ...] each.

    Several small batches are in work at once: while one waits, for a photo or for the end of a
    small layer, the others keep all cores busy.

    Args:
      forward: the network.
      read: reads one photo.
      items: what it is called with, once per photo.
      batch_size: photos that are in work at a time.
    """
    size = -(-batch_size // THREADS)
    batches = (items[start : start + size] for start in range(0, len(items), size))
    return map_ahead(lambda batch: forward(np.stack([read(item) for item in batch])), batches)


def compiled(network: "keras.Model", *layers: str) -> Forward:
    """Compiles the way from photos to the outputs of some layers, without batch norm."""
    tf = import_tensorflow()
    folded = fold_batch_norm(network)
    outputs = [folded.get_layer(name).output for name in layers]
    part = tf.keras.Model(folded.input, outputs)
    photos = tf.TensorSpec(network.input.shape, tf.float32)
    function = tf.function(lambda x: part(x, training=False), input_signature=[photos])
    return lambda batch: [output.numpy() for output in tf.nest.flatten(function(batch))]


def fold_batch_norm(network: "keras.Model") -> "keras.Model":
    """Copies a network for inference, its batch norm now part of the convolutions before it.

    With moving mean μ and variance σ², (k * x - μ) γ / √(σ² + ε) + β is one convolution with
    kernel k γ / √(σ² + ε) and bias β - μ γ / √(σ² + ε).
    """
    keras = import_tensorflow().keras
    norms = {
        layer.input._keras_history.operation.name: layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }

    def copy(layer):
        bias = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config(layer.get_config() | bias)

    def call(layer, inputs, *args, **kwargs):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return inputs if is_norm else layer(inputs, *args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=copy, call_function=call)
    for layer in network.layers:
        if layer.name in norms:
            folded.get_layer(layer.name).set_weights(_folded_weights(layer, norms[layer.name]))
        elif layer.weights and layer not in norms.values():
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


def _folded_weights(convolution, norm) -> list[NDArray[np.float32]]:
    """Kernel and bias."""
    scale = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)  # γ is 1 in Inception v3
    kernel = convolution.kernel.numpy() * scale
    return [kernel, norm.beta.numpy() - norm.moving_mean.numpy() * scale]


def append_rows(path: Path, columns: int, batches: Callable[[int], Iterator[Vectors]]) -> Vectors:
    """Fills a file with rows of float32, from where an interrupted run stopped.

    The length of the file says how many rows are done.

    Args:
      path: the file.
      columns: values in a row.
      batches: called with the number of rows done; yields the others: [b, columns] each.

    Returns:
      All rows, memory-mapped: [rows, columns].
    """
    with path.open("ab") as file:
        done = file.tell() // (4 * columns)
        file.truncate(4 * columns * done)
        for batch in batches(done):
            file.write(np.ascontiguousarray(batch, np.float32).data)
    return np.memmap(path, np.float32, "r").reshape(-1, columns)
