"""How fast the text classifier trains and predicts, against plain fastText.

Training: the whole command `train-text` with noise (reading, cleaning, noise, shuffling, training,
saving, scoring) against fastText alone on the same prepared file, three epochs as in the thesis:
with more, what adcat adds would weigh less. Prediction: vectors and probabilities of 20,000 ads
and 193 categories against fastText's own `predict`. Measured is processor time, which other work on
the machine does not change; everything runs in one thread, so it is the wall time where nothing
else runs. Give a smaller number of ads as the first argument for a quicker look.
"""

import filecmp
import resource
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

from adcat.data.text_cleaning import clean
from adcat.text.corpus import Corpus, measure
from adcat.text.noise import with_noise
from adcat.text.registry import TextModel, load
from adcat.text.training_file import LABEL, write_training_file
from adcat.types import PARTS
from adcat.workspace.ads import read_ads, read_labels
from adcat.workspace.artifact import Artifact
from adcat.workspace.layout import Workspace

ADS = 110_000  # of which 72 % are trained on; more than a minute of training
NOISE, EPOCHS, SEED = 0.2, 3, 0
PREDICTED, BLOCK = 20_000, 8192
ROUNDS = 2  # of which the faster counts


def adcat(workspace: Workspace, *words: object) -> float:
    """Processor seconds of a command."""
    command = [sys.executable, "-m", "adcat", "-w", workspace.root, *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(word) for word in command], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The processor seconds of work done in this process, and what comes of it."""
    started = time.process_time()
    result = work(*arguments)
    return time.process_time() - started, result


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


def predict(model: TextModel, texts: list[str]) -> np.ndarray:
    """adcat's probabilities, in blocks as `extract-features` asks for them: [n, CATEGORIES]."""
    blocks = (texts[i : i + BLOCK] for i in range(0, len(texts), BLOCK))
    return np.concatenate([model.features(block)[1] for block in blocks])


def predict_plainly(model: Any, texts: list[str]) -> np.ndarray:
    """fastText's own probabilities without the 1e-5 that it adds: [n, CATEGORIES]."""
    probs = np.zeros((len(texts), CATEGORIES))
    for row, labels, values in zip(probs, *model.predict(texts, k=-1), strict=True):
        row[[int(label.removeprefix(LABEL)) for label in labels]] = values - 1e-5
    return probs


def compare_training(workspace: Workspace, folder: Path) -> tuple[float, float, Any]:
    """Seconds of `train-text` and of fastText alone, and what the latter trained."""
    ours, plain, trained = [], [], None
    for _ in range(ROUNDS):
        ours.append(adcat(workspace, "train-text", "--augment-noise", NOISE, "--epochs", EPOCHS))
        settings = workspace.text_model.manifest().settings
        path = prepared_file(workspace, folder)
        took, trained = seconds(train_plainly, path, settings)
        plain.append(took)
    return min(ours), min(plain), trained


def compare_prediction(
    workspace: Workspace, trained: Any, texts: list[str]
) -> tuple[float, float, float]:
    """Seconds of adcat and of fastText, and how far apart their probabilities are."""
    load(workspace.text_model.path).features(texts[:1])  # imports
    ours, plain, probs = [], [], np.zeros(0)
    for _ in range(ROUNDS):
        model = load(workspace.text_model.path)  # which has seen no words yet
        took, probs = seconds(predict, model, texts)
        ours.append(took)
        plain.append(seconds(trained.predict, texts, -1)[0])
    difference = np.abs(probs - predict_plainly(trained, texts)).max()
    return min(ours), min(plain), difference


def main(ads: int) -> None:
    """Prints the table."""
    row = "{:24} {:>9} {:>11}  {}"
    with tempfile.TemporaryDirectory() as name:
        folder, workspace = Path(name), Workspace(Path(name) / "workspace")
        make_table(folder, ads)
        adcat(workspace, "split", folder / "ads.csv", "--duplicates", "ignore")
        training = compare_training(workspace, folder)
        training[-1].save_model(str(folder / "model.bin"))
        models = [folder / "model.bin", workspace.text_model / "model.bin"]
        texts = cleaned(workspace.split, *PARTS)[-PREDICTED:]
        prediction = compare_prediction(workspace, training[-1], texts)
        print(row.format("processor seconds", "adcat", "fastText", ""))
        ours, plain, _ = training
        told = f"{ours / plain:.3f} times as long"
        print(row.format("train-text with noise", f"{ours:.1f}", f"{plain:.1f}", told))
        ours, plain, difference = prediction
        told = f"{plain / ours:.1f} times as fast"
        print(row.format(f"predict {len(texts):,} ads", f"{ours:.2f}", f"{plain:.2f}", told))
        print(f"the same model bit for bit: {filecmp.cmp(*models, shallow=False)}")
        print(f"largest difference of a probability: {difference:.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ADS)
