"""A dry run: a real run in a small copy of the workspace, which is then thrown away.

Row i of every array is ad i of its part, whoever wrote it. So one rule makes the copy: a few ads of
every part, the same in all arrays; models are linked; what was stale or damaged is so there too. A
step does not know that it rehearses. What only costs time has a value for this in its option.
"""

import dataclasses
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import AdcatError, BadInputError
from adcat.files import save_array, write_json
from adcat.progress import Progress
from adcat.tables import Report
from adcat.types import PARTS, Labels
from adcat.workspace.ads import read_labels
from adcat.workspace.ads_table import ADS
from adcat.workspace.artifact import Artifact, Finding
from adcat.workspace.layout import Workspace
from adcat.workspace.manifest import MANIFEST

Rows: TypeAlias = Mapping[str, NDArray[np.int64]]  # part -> which of its ads, ascending

FEWEST_ADS = 64  # of each part


def dry_run(
    step: Callable[[Workspace, Any, Progress], Any],
    workspace: Workspace,
    settings: Any,
    progress: Progress,
) -> Report:
    """Runs a step on one batch of ads of each part, and writes nothing to the workspace.

    Raises:
      AdcatError: what the command raises, with the workspace's path instead of the copy's.
    """
    if getattr(settings, "merge", False):
        raise BadInputError("--merge only reads what shards hold; leave --dry-run out")
    started, ads = time.monotonic(), _ads(settings)
    with tempfile.TemporaryDirectory(prefix="adcat-dry-run-") as folder:
        copy = Workspace(Path(folder).resolve() / "copy")
        copy_some(workspace, copy, ads)

        def renamed(text: str) -> str:
            return text.replace(str(copy.root), str(workspace.root))

        try:
            step(copy, _shortened(settings), _Renaming(progress, renamed))
        except AdcatError as error:
            raise type(error)(renamed(str(error))) from None
    costs = f"{time.monotonic() - started:,.0f} s and {_peak_memory():.1f} GB"
    done = f"dry run succeeded with at most {ads} ads of each part, in {costs}"
    return Report([f"{done}; nothing was written"])


def _ads(settings: Any) -> int:
    """A full batch of each part at least, so that one that does not fit into memory is noticed."""
    names = [field.name for field in dataclasses.fields(settings)]
    sizes = [getattr(settings, name) for name in names if name.endswith("batch_size")]
    return max([FEWEST_ADS, *sizes])


def _shortened(settings: Any) -> Any:
    """The settings with the dry run's values of those that are on."""
    values = {
        field.name: field.metadata["dry_run"]
        for field in dataclasses.fields(settings)
        if field.metadata.get("dry_run") is not None and getattr(settings, field.name)
    }
    return dataclasses.replace(settings, **values)


def copy_some(workspace: Workspace, copy: Workspace, ads: int) -> None:
    """Copies a workspace with at most so many ads of each part; no artifact changes its state."""
    known: dict[str, Finding] = {}
    findings = [artifact.examine(known) for artifact in workspace.artifacts()]
    rows: dict[str, NDArray[np.int64]] = {}
    if known[workspace.split.name].state == "current":
        rows = {part: some_rows(read_labels(workspace.split, part), ads) for part in PARTS}
    digests: dict[str, str] = {}  # of the copies
    for finding in findings:
        if finding.state != "missing":
            target = Artifact(copy.root, finding.artifact.name)
            _copy(finding, target, rows)
            if finding.manifest and finding.state != "damaged":
                _seal(finding, target, known, digests)


def some_rows(labels: Labels, ads: int) -> NDArray[np.int64]:
    """So many ads of a part: half of them of different categories, the others from everywhere."""
    first = np.unique(labels, return_index=True)[1][: -(-ads // 2)]
    others = np.setdiff1d(np.arange(len(labels)), first)
    positions = np.linspace(0, len(others) - 1, min(ads - len(first), len(others))).astype(np.int64)
    return np.sort(np.concatenate([first, others[positions]]))


def _copy(finding: Finding, target: Artifact, rows: Rows) -> None:
    """Copies the files; the manifest only where nothing can be cut to keep what it says."""
    source, is_cut = finding.artifact, bool(rows) and finding.state != "damaged"
    for path in source.path.rglob("*"):
        name = path.relative_to(source.path)
        position = target / str(name)
        position.parent.mkdir(parents=True, exist_ok=True)
        if is_cut and name.parts[0] in rows and path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            save_array(position, array[rows[name.parts[0]]])
        elif is_cut and name == PurePath(ADS):
            _cut_ads(path, position, rows)
        elif path.is_file():
            position.symlink_to(path.resolve())


def _cut_ads(source: Path, target: Path, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    passed = dict.fromkeys(rows, 0)  # ads of each part that were read
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, file.schema_arrow) as writer:
        for batch in file.iter_batches():
            parts = np.array(batch["part"].to_pylist())
            chosen = np.zeros(len(parts), bool)
            for part, wanted in rows.items():
                here = np.flatnonzero(parts == part)
                chosen[here] = np.isin(passed[part] + np.arange(len(here)), wanted)
                passed[part] += len(here)
            writer.write_batch(batch.filter(pa.array(chosen)))


def _seal(
    finding: Finding, target: Artifact, known: Mapping[str, Finding], digests: dict[str, str]
) -> None:
    """Writes the manifest of a copy; an input that was another one then is another one there."""
    manifest = finding.manifest
    assert manifest
    (target / MANIFEST).unlink()
    inputs = {
        name: digests.get(name, "") if _digest(known.get(name)) == digest else digest
        for name, digest in manifest.inputs.items()
    }
    sealed = dataclasses.replace(manifest, inputs=inputs, files=target.digests.compute())
    write_json(target / MANIFEST, dataclasses.asdict(sealed))
    digests[target.name] = sealed.digest


def _digest(finding: Finding | None) -> str | None:
    return finding.manifest.digest if finding and finding.manifest else None


class _Renaming:
    """A `Progress` with renamed paths."""

    def __init__(self, progress: Progress, renamed: Callable[[str], str]) -> None:
        self.task = progress.task
        self._progress, self._renamed = progress, renamed

    def say(self, line: str) -> None:
        """Reports the line with renamed paths."""
        self._progress.say(self._renamed(line))


def _peak_memory() -> float:
    """The most memory that this process had so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
