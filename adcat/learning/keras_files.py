"""Keras models on disk."""

import json
import zipfile
from pathlib import Path
from typing import Any

from adcat.errors import expecting
from adcat.learning.runtime import import_tensorflow


def save_network(network: Any, path: Path) -> None:
    """Writes a `.keras` file that equal networks give bit for bit.

    Keras' own holds the time of day and addresses in memory.
    """
    dated = path.with_suffix(".dated.keras")
    network.save(dated)
    with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name.endswith(".json"):
                content = json.dumps(_timeless(json.loads(content))).encode()
            target.writestr(zipfile.ZipInfo(name), content)
    dated.unlink()


def _timeless(content: Any) -> Any:
    """The same without the date, and with the numbers of shared objects counted from 0."""
    numbers: dict[int, int] = {}

    def renumbered(value: Any) -> Any:
        """A value of the content, changed in the same way."""
        if isinstance(value, list):
            return [renumbered(item) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {key: renumbered(item) for key, item in value.items() if key != "date_saved"}
        if "shared_object_id" in kept:
            number = kept["shared_object_id"]
            kept["shared_object_id"] = numbers.setdefault(number, len(numbers))
        return kept

    return renumbered(content)


def load_network(path: Path) -> Any:
    """Reads a `.keras` file; one that holds code of its own is refused.

    Raises:
      BadInputError: it cannot be read.
    """
    import_tensorflow()
    from keras import saving

    with expecting(path, "Keras model"):
        return saving.load_model(path, compile=False, safe_mode=True)
