"""Makes efficientnet_lite0.npz from the published weights, whose source README.md states.

python -m adcat.image.weights.convert efficientnet-lite0-57934424.pth
"""

import hashlib
import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NORM = ("weight", "bias", "running_mean", "running_var")  # γ, β, mean, variance
NORM_AFTER = {
    "stem": "_bn0",
    "head": "_bn1",
    "expand": "_bn0",
    "depthwise": "_bn1",
    "project": "_bn2",
}
CONVOLUTION = re.compile(
    r"(?P<of_block>_blocks\.(?P<block>\d+)\.)?_(conv_(?P<outer>stem|head)|(?P<inner>\w+)_conv)\.weight"
)
STORAGES = {"FloatStorage": np.dtype(np.float32), "LongStorage": np.dtype(np.int64)}
HEADERS = 3  # a magic number, the version of the format, facts of the machine


class _Unpickler(pickle.Unpickler):
    """Reads tensors as arrays without PyTorch, and refuses everything else."""

    def __init__(self, file: IO[bytes], storages: dict[str, NDArray[Any]]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """Finds what tensors are made from.

        Raises:
          pickle.UnpicklingError: the file asks for anything else.
        """
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("collections", "OrderedDict"): OrderedDict,
            **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong to a tensor")
        return known[module, name]

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Makes room for numbers that follow later in the file."""
        _, dtype, key, _, count, _ = pid
        return self._storages.setdefault(key, np.zeros(count, dtype))


def _tensor(
    storage: NDArray[Any], offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any
) -> NDArray[Any]:
    steps = [storage.itemsize * stride for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)


def read_tensors(path: Path) -> Mapping[str, NDArray[Any]]:
    """Reads the tensors of a `.pth` file of PyTorch before 1.6, by name."""
    storages: dict[str, NDArray[Any]] = {}
    with path.open("rb") as file:
        for _ in range(HEADERS):
            _Unpickler(file, storages).load()
        tensors = _Unpickler(file, storages).load()
        for key in _Unpickler(file, storages).load():
            storage = storages[key]
            file.read(8)  # how many
            storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return tensors


def converted(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float16]]:
    """The arrays by adcat's name of their layer: Keras' kernels, and norms as [4, channels]."""
    found: dict[str, NDArray[Any]] = {}
    for name, kernel in tensors.items():
        match = CONVOLUTION.fullmatch(name)
        if match:
            kind = match["inner"] or match["outer"]
            layer = f"block{match['block']}_{kind}" if match["block"] else kind
            norm = (match["of_block"] or "") + NORM_AFTER[kind]
            found[layer] = kernel.transpose((2, 3, 0, 1) if kind == "depthwise" else (2, 3, 1, 0))
            found[f"{layer}_norm"] = np.stack([tensors[f"{norm}.{part}"] for part in NORM])
    return {name: array.astype(np.float16) for name, array in found.items()}


def main() -> None:
    """Converts the file that is named."""
    path = Path(sys.argv[1])
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{path} is another file; expected sha256 {SHA256}")
    target = Path(__file__).with_name("efficientnet_lite0.npz")
    arrays: dict[str, Any] = {**converted(read_tensors(path))}
    np.savez(target, **arrays)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
