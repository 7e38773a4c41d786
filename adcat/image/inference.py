"""A trained network made fast for photos it is not trained on any more."""

import dataclasses
import functools
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.learning.runtime import import_tensorflow

if TYPE_CHECKING:
    import keras

Forward: TypeAlias = Callable[[Images], list[NDArray[np.float32]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """What runs a network, and in which numbers."""

    name: Literal["tensorflow", "openvino"] = "tensorflow"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __str__(self) -> str:
        return f"{self.name}-{self.precision}"


TENSORFLOW = Engine()


def compiled(network: "keras.Model", *layers: str, engine: Engine = TENSORFLOW) -> Forward:
    """Compiles the way from photos to the vectors of some layers, with the weights of now.

    Without names of layers, to the network's own outputs.
    """
    tf = import_tensorflow()
    outputs = [vectors_of(network, name) for name in layers] or network.outputs
    part = fold_batch_norm(tf.keras.Model(network.input, outputs))
    images = tf.TensorSpec(network.input.shape, tf.float32)
    function = tf.function(lambda x: part(x, training=False), input_signature=[images])
    if engine.name == "openvino":
        return _compiled_by_openvino(function, engine)
    return lambda batch: [output.numpy() for output in tf.nest.flatten(function(batch))]


def vectors_of(network: "keras.Model", layer: str) -> Any:
    """The output of a layer, that of maps as its mean over all positions: [n, dimension]."""
    output = network.get_layer(layer).output
    if len(output.shape) == 2:
        return output
    return import_tensorflow().keras.layers.GlobalAveragePooling2D()(output)


def openvino_core() -> Any:
    """OpenVINO, without the package that would report its import to its makers."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # pyright: ignore[reportArgumentType]
    import openvino  # pyright: ignore[reportMissingImports]

    return openvino.Core()


def _compiled_by_openvino(function: Any, engine: Engine) -> Forward:
    """Compiles a TensorFlow function of photos [n, side, side, 3].

    A request takes one photo, so that its outputs do not depend on those beside it. Each thread
    that calls has requests of its own; a core works on one of them, all on one of a photo alone.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as frozen,
    )

    core, graph = openvino_core(), frozen(function.get_concrete_function()).graph.as_graph_def()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.pb"
        path.write_bytes(graph.SerializeToString())
        model = core.read_model(path)
    model.reshape([1, *model.inputs[0].partial_shape[1:]])

    @functools.cache
    def compiled(hint: str) -> Any:
        """The network, compiled for many photos or for the next."""
        hints = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_PRECISION_HINT": _TYPES[engine.precision],
            "ENABLE_CPU_PINNING": False,  # or it waits for a core that other work is on
        }
        return core.compile_model(model, "CPU", hints)

    own = threading.local()

    def run(image: Images, hint: str) -> list[NDArray[np.float32]]:
        """The outputs of one photo."""
        if hint not in vars(own):
            with _STARTING:
                vars(own)[hint] = compiled(hint).create_infer_request()
                run(image, hint)
        return list(vars(own)[hint].infer([image[None]]).values())

    def forward(images: Images) -> list[NDArray[np.float32]]:
        hint = "LATENCY" if len(images) == 1 else "THROUGHPUT"
        found = [run(image, hint) for image in images]
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

    return forward


# Held by a thread that infers for the first time: what OpenVINO's bindings prepare then, they do
# with Python's lock let go of and taken again, and two threads that prepare wait for one another.
_STARTING = threading.Lock()
_TYPES = {"float32": "f32", "bfloat16": "bf16"}


def fold_batch_norm(network: "keras.Model") -> "keras.Model":
    """Copies a network for inference, its batch norm now part of the convolutions before it.

    With moving mean μ and variance σ², the norm β + γ (k * x - μ) / √(σ² + ε) of a convolution is a
    convolution with kernel γ k / √(σ² + ε) and bias β - γ μ / √(σ² + ε).
    """
    keras, norms = import_tensorflow().keras, norms_of_convolutions(network)
    gone = {norm.name for norm in norms.values()}

    def copy(layer):
        """The layer again, with a bias if it takes a norm's part."""
        bias = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config(layer.get_config() | bias)

    def call(layer, inputs, *args, **kwargs):
        """Passes by the norms."""
        return inputs if layer.name in gone else layer(inputs, *args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=copy, call_function=call)
    for layer in network.layers:
        if layer.name in norms:
            folded.get_layer(layer.name).set_weights(_folded_weights(layer, norms[layer.name]))
        elif layer.weights and layer.name not in gone:
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


def norms_of_convolutions(network: "keras.Model") -> "dict[str, keras.Layer]":
    """The batch norms that stand behind convolutions, by the names of these."""
    layers = import_tensorflow().keras.layers
    convolutions = {
        layer.name
        for layer in network.layers
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
    }
    norms = {
        layer.input._keras_history.operation.name: layer
        for layer in network.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    return {name: norm for name, norm in norms.items() if name in convolutions}


def _folded_weights(convolution, norm) -> list[NDArray[np.float32]]:
    """Kernel and bias of a convolution that takes its norm's part."""
    gamma = norm.gamma.numpy() if norm.scale else np.float32(1)
    scale = gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    kernel = convolution.kernel.numpy()  # of a depthwise one [height, width, channels, 1]
    of_kernel = scale[:, None] if kernel.shape[-1] == 1 else scale
    bias = norm.beta.numpy() - norm.moving_mean.numpy() * scale
    if convolution.use_bias:
        bias += convolution.bias.numpy() * scale
    return [kernel * of_kernel, bias]
