"""The page for 50,000 test ads × 193 categories × 10 models: seconds and memory of `evaluate`.

Everything is made up but of the right size: probabilities that are right for most ads, small
photos, histories of networks. Run: python benchmarks/report.py
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from handmade import make_features, make_fused, make_split
from PIL import Image

from adcat.workspace.layout import Workspace

ADS = {"train": 150_000, "validation": 25_000, "test": 50_000}
CATEGORIES = 193
FUSED = ("max", "sum-max", "product-max", "nn", "nn-validation", "concat", "pool", "pool-aux")
PHOTOS = 200  # files that the ads share
TARGET_SECONDS, TARGET_GIGABYTES = 120, 2


def main() -> None:
    """Makes the workspace, runs `evaluate` on it and prints a table."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder))
        start = time.perf_counter()
        command = [sys.executable, "-m", "adcat", "-w", str(workspace.root), "evaluate"]
        subprocess.run([*command, "--compare", "thesis"], check=True, capture_output=True)
        seconds = time.perf_counter() - start
        size = (workspace.evaluation / "report.html").stat().st_size / 1e6
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{'':<12}{'measured':>10}{'target':>10}")
    print(f"{'seconds':<12}{seconds:>10.1f}{TARGET_SECONDS:>10}")
    print(f"{'gigabytes':<12}{gigabytes:>10.2f}{TARGET_GIGABYTES:>10}")
    print(f"the page has {size:.1f} MB")


def make_workspace(folder: Path) -> Workspace:
    """A workspace with a split, both baselines and eight fused models."""
    generator = np.random.default_rng(0)
    workspace = Workspace(folder / "w")
    share = 1 / np.arange(1, CATEGORIES + 1)
    labels = {
        part: generator.choice(CATEGORIES, ads, p=share / share.sum()) for part, ads in ADS.items()
    }
    make_photos(folder, ADS["test"])
    names = [f"category {c}" for c in range(CATEGORIES)]
    make_split(workspace, names, labels, folder)
    judged = {part: labels[part] for part in ("validation", "test")}
    make_features(
        workspace,
        {
            part: {"text": draw(y, 5, generator), "image": draw(y, 4, generator)}
            for part, y in judged.items()
        },
    )
    for policy in FUSED:
        probs = {part: draw(y, 5.5, generator) for part, y in judged.items()}
        reads = "vectors" if policy in ("concat", "pool", "pool-aux") else "probs"
        make_fused(workspace, policy, probs, policy, reads, history(policy))
    return workspace


def draw(labels: np.ndarray, signal: float, generator: np.random.Generator) -> np.ndarray:
    """Probabilities that favour the label: [n, categories]."""
    logits = 2 * generator.standard_normal((len(labels), CATEGORIES), np.float32)
    logits[np.arange(len(labels)), labels] += signal
    np.exp(logits, out=logits)
    return logits / logits.sum(axis=1, keepdims=True)


def make_photos(folder: Path, ads: int) -> None:
    """Photos of a usual size for the test ads; many ads share a file."""
    pixels = np.random.default_rng(1).integers(0, 255, (15, 20, 3), np.uint8)
    for i in range(PHOTOS):
        Image.fromarray(pixels + np.uint8(i)).resize((800, 600)).save(folder / f"photo-{i}.jpg")
    for i in range(ads):
        (folder / f"test-{i}.png").symlink_to(folder / f"photo-{i % PHOTOS}.jpg")


def history(policy: str) -> list[dict[str, float]]:
    """A training history as `fuse` files it; none of a policy in closed form."""
    if policy.endswith("max"):
        return []
    return [
        {
            "epoch": 1 + step // 33,
            "step": step,
            "learning_rate": 0.001,
            "validation_top1": 1 - 1 / (step + 1),
            "validation_loss": 5 / step,
        }
        for step in range(1, 65)
    ]


if __name__ == "__main__":
    main()
