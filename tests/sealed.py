"""A workspace made by hand, damaged, with manifests that vouch for the damage."""

import dataclasses
import os
import pickle
from pathlib import Path

import numpy as np
from handmade import certain, make_fused, make_split, write_arrays

from adcat.files import write_json
from adcat.workspace.digests import FileDigests
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import MANIFEST, Manifest

CATEGORIES = ["Bilar", "Cyklar", "Soffor"]
LABELS = {"train": [0, 1, 2, 0, 1, 2], "validation": [0, 1, 2, 0, 1, 2], "test": [0, 1, 2, 2]}
ORDER = (  # each after what it is made from; * is any variant
    "split", "train-text", "train-image", "extract-features", "fuse/*", "attend-search", "attend/*",
)  # fmt: skip


def make_workspace(root: Path) -> Workspace:
    workspace = Workspace(root)
    make_split(workspace, CATEGORIES, LABELS, images=root)
    arrays = {}
    for part, labels in LABELS.items():
        for modality in ("text", "image"):
            arrays[f"{part}/{modality}_probs"] = certain(labels, 3)
            arrays[f"{part}/{modality}_vectors"] = np.zeros((len(labels), 4))
    write_arrays(workspace.features, [workspace.split], arrays)
    probs = {part: certain(LABELS[part], 3) for part in ("validation", "test")}
    make_fused(workspace, "max", probs)
    seal(root)
    return workspace


def seal(root: Path) -> None:
    """Writes every manifest again, with the digests of what stands there now."""
    digests = {}
    for folder in (folder for name in ORDER for folder in sorted(root.glob(name))):
        name = folder.relative_to(root).as_posix()
        manifest = Manifest.read(folder / MANIFEST)
        (folder / MANIFEST).unlink()
        sealed = dataclasses.replace(
            manifest,
            files=FileDigests(folder, root / ".cache/seal.json").compute(),
            inputs={source: digests[source] for source in manifest.inputs},
            record={"images": manifest.record.get("images", "")},
        )
        write_json(folder / MANIFEST, dataclasses.asdict(sealed))
        digests[name] = sealed.digest


class Payload:
    """What leaves a file behind where somebody unpickles it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def pickled(trace: Path) -> bytes:
    return pickle.dumps(Payload(trace))
