"""Which engine runs a trained network: TensorFlow, or OpenVINO where it agrees with TensorFlow.

OpenVINO is several times as fast. On some processors its bfloat16 is known to give wrong products.
"""

import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from adcat.data.images import Images
from adcat.errors import BadInputError
from adcat.files import write_cache
from adcat.image.inference import TENSORFLOW, Engine, compiled, openvino_core
from adcat.learning.runtime import import_tensorflow
from adcat.progress import Progress
from adcat.settings import option

if TYPE_CHECKING:
    import keras

CHECKED = 64  # photos that go through both engines
DISTANCE = 0.14  # of a vector from TensorFlow's, in its length: their cosine is .99 at least
BATCH = 16  # of them
TIE = 0.02  # between two categories' probabilities, which may change places
VARIABLE = "ADCAT_ENGINE"
CACHE = Path(".cache/engines.json")
Outputs: TypeAlias = NDArray[np.float32]
Settings = TypeVar("Settings", bound="EngineOptions")


@dataclasses.dataclass(frozen=True)
class EngineOptions:
    """What runs the image network."""

    engine: Literal["tensorflow", "openvino"] | None = option(
        None,
        "What runs the image network; by default OpenVINO where it is installed "
        "(adcat[openvino]) and agrees with TensorFlow, or what ADCAT_ENGINE says.",
        panel="Options",
    )
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto",
        "Its numbers; auto takes bfloat16 where processor and OpenVINO have it and it gives the "
        "same predictions.",
        panel="Options",
    )

    def resolved(self: Settings) -> Settings:
        """The settings with the engine that is used.

        Raises:
          BadInputError: it is not installed, or does not have the precision.
        """
        is_installed = find_spec("openvino") is not None
        default = os.environ.get(VARIABLE) or ("openvino" if is_installed else "tensorflow")
        engine = self.engine or default
        if engine not in ("tensorflow", "openvino"):
            raise BadInputError(f"{VARIABLE} is {engine}; expected tensorflow or openvino")
        if engine == "openvino" and not is_installed:
            raise BadInputError(
                "--engine openvino needs OpenVINO; type: pip install 'adcat[openvino]'"
            )
        if engine == "tensorflow" and self.precision == "bfloat16":
            needed = "" if is_installed else "; type: pip install 'adcat[openvino]'"
            raise BadInputError(f"--precision bfloat16 needs --engine openvino{needed}")
        return dataclasses.replace(self, engine=engine)

    def takes(self, used: str) -> bool:
        """Whether what an earlier run used, such as `openvino-float32`, is what is asked for."""
        engine, _, precision = used.partition("-")
        same_engine = self.engine in (None, engine)
        return not used or (same_engine and self.precision in ("auto", precision))


def choose(
    options: EngineOptions,
    network: "keras.Model",
    layers: Sequence[str],
    photos: Callable[[], Images],
    root: Path | None,
    progress: Progress,
) -> Engine:
    """Chooses the first engine that agrees with TensorFlow, and says which do not.

    Args:
      options: what to try.
      network: what is to be run.
      layers: whose outputs count: vectors, and probabilities if there are any.
      photos: reads those to compare on: [n, side, side, 3].
      root: the workspace, which remembers what was found for a network; None for none.
      progress: is told.
    """
    if options.resolved().engine == "tensorflow":
        return TENSORFLOW
    has_bfloat16 = "BF16" in _of_processor("OPTIMIZATION_CAPABILITIES")
    is_tried = options.precision == "bfloat16" or (options.precision == "auto" and has_bfloat16)
    engines = [*[Engine("openvino", "bfloat16")] * is_tried, Engine("openvino"), TENSORFLOW]
    known, of = _known(root), _digest(network, layers)
    for engine, instead in itertools.pairwise(engines):
        key = f"{engine} {of}"
        if engine.precision == "bfloat16" and not has_bfloat16:
            known[key] = "this processor does not have it"
        if key not in known:
            known[key] = _disagreement(network, layers, engine, photos())
            if root:
                write_cache(root / CACHE, known)
        if not known[key]:
            return engine
        progress.say(f"{engine}: {known[key]}; {instead} runs the image network")
    return TENSORFLOW


def drawn_photos(side: int) -> Images:
    """Stand-ins for photos, patches of random colours: [CHECKED, side, side, 3]."""
    patches = np.random.default_rng(0).uniform(-1, 1, (CHECKED, 8, 8, 3)).astype(np.float32)
    rows = np.arange(side) * 8 // side
    return patches[:, rows][:, :, rows]


def _of_processor(property: str) -> Any:
    """What OpenVINO says of the processor."""
    return openvino_core().get_property("CPU", property)


def _known(root: Path | None) -> dict[str, str]:
    """What was found before, by engine and network: "" for an engine that agreed."""
    try:
        return dict(json.loads((root / CACHE).read_text(encoding="utf-8"))) if root else {}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _digest(network: "keras.Model", layers: Sequence[str]) -> str:
    """Names what agreement depends on: weights, layers, photos' size, OpenVINO, processor."""
    keras = import_tensorflow().keras
    outputs = [network.get_layer(name).output for name in layers] or network.outputs
    version, name = importlib.metadata.version("openvino"), _of_processor("FULL_DEVICE_NAME")
    digest = hashlib.sha256(repr((layers, network.input.shape, version, name)).encode())
    for weight in keras.Model(network.input, outputs).weights:
        digest.update(weight.numpy())
    return digest.hexdigest()


def _disagreement(
    network: "keras.Model", layers: Sequence[str], engine: Engine, photos: Images
) -> str:
    """What an engine makes of photos that TensorFlow does not, in words; "" for nothing."""
    batches = [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]
    both = []
    for one in (engine, TENSORFLOW):
        forward = compiled(network, *layers, engine=one)
        both.append([np.concatenate(o) for o in zip(*map(forward, batches), strict=True)])
    return disagreement(*both)


def disagreement(found: Sequence[Outputs], expected: Sequence[Outputs]) -> str:
    """Compares vectors [n, ...] and, if there are any, probabilities [n, categories].

    Vectors agree that are within DISTANCE; predictions, whose category is the expected one or as
    probable but for TIE.

    Returns:
      What differs, in words; "" for nothing.
    """
    (a, *probs), (b, *right) = found, expected
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    with np.errstate(invalid="ignore"):  # where both are infinite they do not agree
        distances, lengths = np.linalg.norm(a - b, axis=1), np.linalg.norm(b, axis=1)
    if others := int((~(distances <= DISTANCE * lengths)).sum()):
        return f"other vectors than from TensorFlow for {others} of {len(a)} photos"
    for p, q in zip(probs, right, strict=True):
        chosen = np.take_along_axis(q, p.argmax(axis=1)[:, None], axis=1)[:, 0]
        if others := int((chosen < q.max(axis=1) - TIE).sum()):
            return f"other predictions than from TensorFlow for {others} of {len(p)} photos"
    return ""
