"""How fast the text classifier trains and predicts, against plain fastText.

Training: the whole command `train-text` with noise (reading, cleaning, noise, shuffling, training,
saving, scoring) against fastText alone on the same prepared file, three epochs as in the thesis:
with more, what adcat adds would weigh less. Prediction: vectors and probabilities of 20,000 ads
and 193 categories against fastText's own `predict`. Give a smaller number of ads as the first
argument for a quicker look.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
from scale import CATEGORIES, make_table

from adcat.artifacts import PARTS, read_ads, read_labels
from adcat.text.cleaning import clean
from adcat.text.corpus import Corpus, measure
from adcat.text.models import load
from adcat.text.noise import with_noise
from adcat.text.training_file import LABEL, write_training_file
from adcat.workspace import Artifact, Workspace

ADS = 90_000  # of which 72 % are trained on; over a minute of training
NOISE, EPOCHS, SEED = 0.2, 3, 0
PREDICTED, BLOCK = 20_000, 8192


def adcat(workspace: Workspace, *words: object) -> float:
    """Seconds of a command."""
    command = [sys.executable, "-m", "adcat", "-w", workspace.root, *words]
    return seconds(lambda: subprocess.run([str(word) for word in command], check=True))[0]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long it takes, and what comes of it."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def cleaned(split: Artifact, *parts: Any) -> list[str]:
    """The cleaned texts of all ads of some parts."""
    ads = (ad for part in parts for ad in read_ads(split, part, ["title", "description"]))
    return [clean(ad["title"], ad["description"]) for ad in ads]


def prepared_file(workspace: Workspace, folder: Path) -> Path:
    """The file that `train-text` gave to fastText, made once more."""
    texts = cleaned(workspace.split, "train")
    corpus = Corpus(lambda: iter([texts]), read_labels(workspace.split, "train"), CATEGORIES)
    corpus = with_noise(corpus, NOISE, measure(corpus).alphabet, SEED)
    path = folder / "prepared.txt"
    write_training_file(path, corpus, SEED)
    return path


def train_plainly(path: Path, settings: dict[str, Any]) -> Any:
    """fastText alone, with the settings that `train-text` came to."""
    return fasttext.train_supervised(
        str(path),
        lr=settings["learning_rate"],
        epoch=settings["epochs"],
        bucket=settings["bucket"],
        minCount=settings["min_count"],
        **{name: settings[name] for name in ("dim", "minn", "maxn")},
        thread=settings["threads"],
        seed=SEED,
        verbose=0,
    )


def predict_plainly(model: Any, texts: list[str]) -> np.ndarray:
    """fastText's own probabilities without the 1e-5 that it adds: [n, CATEGORIES]."""
    probs = np.zeros((len(texts), CATEGORIES))
    for row, labels, values in zip(probs, *model.predict(texts, k=-1), strict=True):
        row[[int(label.removeprefix(LABEL)) for label in labels]] = values - 1e-5
    return probs


def main(ads: int) -> None:
    """Prints the table."""
    row = "{:34} {:>8} {:>11} {:>6}"
    with tempfile.TemporaryDirectory() as name:
        folder, workspace = Path(name), Workspace(Path(name) / "workspace")
        make_table(folder, ads)
        adcat(workspace, "split", folder / "ads.csv", "--duplicates", "ignore")
        ours = adcat(workspace, "train-text", "--augment-noise", NOISE, "--epochs", EPOCHS)
        path, settings = prepared_file(workspace, folder), workspace.text_model.manifest().settings
        plain, trained = seconds(lambda: train_plainly(path, settings))
        trained.save_model(str(folder / "model.bin"))
        same = (folder / "model.bin").read_bytes() == (
            workspace.text_model / "model.bin"
        ).read_bytes()
        texts = cleaned(workspace.split, *PARTS)[-PREDICTED:]
        model = load(workspace.text_model.path)
        blocks = [texts[i : i + BLOCK] for i in range(0, len(texts), BLOCK)]
        fast, features = seconds(lambda: [model.features(block) for block in blocks])
        slow, _ = seconds(lambda: trained.predict(texts, k=-1))
        probs = np.concatenate([probs for _, probs in features])
        difference = np.abs(probs - predict_plainly(trained, texts)).max()
    print(row.format("", "adcat s", "fastText s", "ratio"))
    print(row.format("train-text with noise", f"{ours:.1f}", f"{plain:.1f}", f"{ours / plain:.3f}"))
    print(row.format(f"{len(texts):,} ads", f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.1f}"))
    print(
        f"the same model bit for bit: {same}; largest difference of a probability {difference:.1e}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ADS)
