"""evaluate and error-groups read nothing twice, however many models there are."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from handmade import certain, make_features, make_fused, make_split
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.types import PARTS
from adcat.workspace.layout import Workspace

LABELS = [0, 1, 2, 0, 1, 2]
WRONG = {"text": [0, 1, 1, 0, 1, 1], "image": [0, 0, 2, 1, 1, 1]}
MODELS = 12


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w")
    make_split(made, ["bikes", "cars", "sofas"], dict.fromkeys(PARTS, LABELS))
    predicted = {modality: certain(labels, 3) for modality, labels in WRONG.items()}
    make_features(made, dict.fromkeys(PARTS, predicted))
    right = certain(LABELS, 3)
    for number in range(MODELS):
        make_fused(made, f"model-{number}", {"validation": right, "test": right})
    shutil.copytree(made.root, tmp_path / "copy")  # of which nothing has been read yet
    return Workspace(tmp_path / "copy")


@pytest.fixture
def opened(monkeypatch):
    """How often each manifest was read and each Parquet file opened."""
    counts = Counter()
    read_text, open_parquet = Path.read_text, pq.ParquetFile.__init__

    def reading(path, *args, **options):
        counts[path] += path.name == "manifest.json"
        return read_text(path, *args, **options)

    def opening(file, source, *args, **options):
        counts[Path(source) if isinstance(source, str | Path) else source] += 1
        return open_parquet(file, source, *args, **options)

    monkeypatch.setattr(Path, "read_text", reading)
    monkeypatch.setattr(pq.ParquetFile, "__init__", opening)
    return counts


@pytest.mark.parametrize(
    ("words", "scans"),
    [
        pytest.param(["evaluate", "--json"], 1, marks=pytest.mark.soak),
        (["evaluate"], 2),  # of all ads, and of those that are shown
        pytest.param(["error-groups", "--json"], 1, marks=pytest.mark.soak),
        (["error-groups"], 3),  # and of those that it lists
    ],
)
def test_a_manifest_is_read_once_and_the_ads_once_per_part_at_most(workspace, opened, words, scans):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), *words])
    assert result.exit_code == 0, result.output
    manifests = {path: n for path, n in opened.items() if path.name == "manifest.json"}
    models = [workspace.fused(f"model-{number}") for number in range(MODELS)]
    read = [workspace.split, workspace.features, *models]
    assert manifests == {artifact / "manifest.json": 1 for artifact in read}
    assert opened[workspace.split / "ads.parquet"] == scans <= len(PARTS)
