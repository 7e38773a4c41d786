"""The task that attention solves, and joining text and photo at the end does not.

Each photo shows two drawn things; the text names the colour of the one for sale, whose category is
to be told (`sample_data/make_planted.py`). Prints the top-1 of every model on the test ads, and how
much of a model's attention lies on the thing for sale; draws them as planted-task.png.

    python benchmarks/planted_task.py FOLDER [--ads 3400] [--points a b c d e] [--over wh c]
"""

import argparse
import csv
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import starmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adcat.attention.fine_tuning import with_text
from adcat.attention.overlays import overlay
from adcat.data.images import central_box, open_image
from adcat.evaluation.error_groups import first_predictions
from adcat.evaluation.significance import accuracy_interval
from adcat.files import open_array
from adcat.image import classifier
from adcat.image.backbones import BACKBONES
from adcat.image.labelled_images import LabelledImages, augmented_images, central_images
from adcat.image.stages import train_batch_norm
from adcat.learning import training_loop
from adcat.learning.examples import Examples
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import TrainingOptions
from adcat.learning.training_loop import Run
from adcat.plotting import charts
from adcat.plotting.charts import Estimate, Ranking
from adcat.plotting.galleries import Example, gallery
from adcat.progress import Silent
from adcat.types import MODALITIES, PARTS, Part, ShownAd
from adcat.workspace.ads import (
    image_paths,
    iterate_ads,
    read_categories,
    read_labels,
)
from adcat.workspace.features import Features
from adcat.workspace.layout import Workspace
from adcat.workspace.shown_ads import reading_shown

MAKE = Path(__file__).parent.parent / "sample_data" / "make_planted.py"
LATE = ("max", "sum-max", "product-max", "product-prior", "log-linear", "stack", "nn")
EARLY = ("concat", "pool")
RATE = 0.001
ONCE = "--evaluate-every", 5000  # steps: at the end
PIXELS = 256  # of a photo in a picture
JOINED = "joined at the end, all layers"
HIDDEN = 200  # units of what reads both vectors where they are joined


def main() -> None:
    """Makes the ads and the models, prints a table and draws two pictures."""
    words = argparse.ArgumentParser(description="Attention against other ways to combine.")
    words.add_argument("folder", type=Path)
    words.add_argument("--ads", type=int, default=3400)
    words.add_argument("--side", type=int, default=96, help="of a photo in pixels")
    words.add_argument("--points", nargs="*", default=list("abcde"))
    words.add_argument("--over", nargs="*", default=["wh", "c"])
    words.add_argument("--epochs", type=int, default=2)
    given = words.parse_args()
    folder, workspace = given.folder, Workspace(given.folder / "workspace")
    started = time.perf_counter()
    subprocess.run([sys.executable, MAKE, folder, str(given.ads)], check=True)

    def adcat(*command: object) -> None:
        before = time.perf_counter()
        line = [sys.executable, "-m", "adcat", "-w", workspace.root, *command]
        subprocess.run(list(map(str, line)), check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - before
        print(f"{seconds:5.0f} s  adcat {' '.join(map(str, command))}", flush=True)

    adcat("split", folder / "ads.csv")
    adcat("train-text", "--model", "tfidf")
    network = "efficientnet-lite0", "--image-size", given.side, "--stage", "head"
    adcat("train-image", "--backbone", *network)
    adcat("extract-features")
    for policy in (*LATE, *EARLY):
        adcat("fuse", "--policy", policy)
    for point, over in itertools.product(given.points, given.over):
        how = "--learning-rate", RATE, "--epochs", given.epochs, "--crop-area", 1, *ONCE
        adcat("attend", "--insert-at", point, "--over", over, *how)
    correct = {**of_models(workspace), JOINED: joined(workspace, given.epochs)}
    estimates = sorted(starmap(estimated, correct.items()), key=lambda each: -each.value)
    for each in estimates:
        looked = looking(workspace, each.name, folder / "boxes.csv")
        print(f"{each.name:30} {each.value:5.1f} % ({each.low:.1f} to {each.high:.1f}){looked}")
    line = 50.0  # of a guess between the two things
    charts.save(Ranking({"": estimates}, "top-1 on the test ads (%)", line), folder, "planted-task")
    draw_maps(workspace, next(each.name for each in estimates if "-wh" in each.name), folder)
    print(f"{time.perf_counter() - started:.0f} s in all; pictures are in {folder}")


def of_models(workspace: Workspace) -> dict[str, NDArray[np.bool_]]:
    """Whether each model of the workspace is right about each test ad: [n]."""
    features, labels = Features(workspace.features), read_labels(workspace.split, "test")
    probs = {modality: features.probs("test", modality) for modality in MODALITIES}
    for path in workspace.root.glob("fuse/*"):
        probs[path.name] = open_array(path / "test" / "probs.npy", len(labels))
    for path in workspace.root.glob("attend/*"):
        probs[f"attend-{path.name}"] = open_array(path / "test" / "probs.npy", len(labels))
    return {name: array.argmax(axis=1) == labels for name, array in probs.items()}


def estimated(name: str, correct: NDArray[np.bool_]) -> Estimate:
    """The top-1 in percent, with its interval."""
    low, high = accuracy_interval(correct)
    return Estimate(name, 100 * float(correct.mean()), 100 * low, 100 * high, "-wh" in name)


def joined(workspace: Workspace, epochs: int) -> NDArray[np.bool_]:
    """Whether a network that joins text and photo at the end, with all layers trained, is right
    about each test ad: [n]."""
    keras, split = seeded_tensorflow(0).keras, workspace.split
    image, features = classifier.load(workspace.image_model.path), Features(workspace.features)
    text = {part: features.vectors(part, "text") for part in PARTS}
    mean, variance = text["train"].mean(axis=0), text["train"].var(axis=0)
    photos, t = keras.Input((image.side, image.side, 3)), keras.Input(text["train"].shape[1:])
    vectors = keras.layers.Dropout(0.2)(image.body(photos))
    both = [vectors, keras.layers.Normalization(mean=mean, variance=variance)(t)]
    hidden = keras.layers.Dense(HIDDEN, "tanh")(keras.layers.Concatenate()(both))
    network = keras.Model([photos, t], keras.layers.Dense(image.last_layer.units)(hidden))
    how, recipe = (
        {"epochs": epochs, "learning_rate": RATE, "crop_area": 1},
        BACKBONES["efficientnet-lite0"].recipe,
    )
    schedule = TrainingOptions(**how).following(recipe).schedule(len(text["train"]))
    train_batch_norm(network, schedule.batch_norm)

    def ads(part: Part) -> LabelledImages:
        return LabelledImages(image_paths(split, part), read_labels(split, part))

    def central(part: Part) -> Examples:
        return with_text(central_images(ads(part), image), text[part])

    augmented = augmented_images(ads("train"), image.side, 0, schedule.crop_area)
    with tempfile.TemporaryDirectory() as kept:
        run = Run(schedule, Path(kept) / "state.npz", Silent())
        examples = with_text(augmented, text["train"])
        training_loop.train(network, examples, central("validation"), run, "joined")
    test = central("test")
    rows = np.array_split(np.arange(len(test)), len(test) // 64 + 1)
    logits = [network(list(inputs), training=False) for inputs in test.stream(rows, 0)]
    return np.concatenate(logits).argmax(axis=1) == test.labels


def looking(workspace: Workspace, name: str, boxes: Path) -> str:
    """How much of a model's attention to places lies on the thing for sale, and how much would by
    chance: its share of the area."""
    path = workspace.root / "attend" / name.removeprefix("attend-")
    if not name.startswith("attend-") or "wh" not in name:
        return ""
    maps = np.load(path / "test" / "maps.npy")
    side = round(maps.shape[1] ** 0.5)
    shares = np.stack(list(covered(workspace, boxes, side)))
    return f"  {(maps * shares).sum(axis=1).mean():.1%} of attention on {shares.mean():.1%}"


def draw_maps(workspace: Workspace, name: str, folder: Path) -> None:
    """Draws four test ads and where a model looks, as planted-maps.png."""
    path = workspace.root / "attend" / name.removeprefix("attend-") / "test"
    maps, probs = np.load(path / "maps.npy"), np.load(path / "probs.npy")
    categories, side = read_categories(workspace.split), round(maps.shape[1] ** 0.5)

    texts = next(iterate_ads(workspace.split, "test", ["title", "description"])).to_pylist()

    def example(row: int, ad: ShownAd) -> Example:
        photo = open_image(ad.image, PIXELS).resize((PIXELS, PIXELS))
        left, top, right, bottom = central_box(photo, classifier.CENTRAL_FRACTION)
        weights = maps[row].reshape(side, side)
        seen = photo.crop((round(left), round(top), round(right), round(bottom)))
        pictures = [photo, overlay(seen, weights, 0.5)]
        found = first_predictions(probs[row], categories)
        return Example(pictures, ". ".join(texts[row].values()), ad.category, {"prediction": found})

    with reading_shown(workspace.split, "test", Silent(), MODALITIES) as read:
        ads = [example(row, ad) for row, ad in enumerate(read(range(4)))]
    note = "The photo; the photo under its attention, darker where there was less"
    gallery(folder / "planted-maps.png", f"Where {name} looks", [("", ads)], note)


def covered(workspace: Workspace, boxes: Path, side: int) -> Iterator[np.ndarray]:
    """The share of each of side x side cells of a test ad's photo that the thing covers."""
    margin = (1 - classifier.CENTRAL_FRACTION) / 2
    with boxes.open(encoding="utf-8", newline="") as file:
        box_of = {id: np.array(box, float) for id, *box in list(csv.reader(file))[1:]}
    edges = margin + classifier.CENTRAL_FRACTION * np.arange(side + 1) / side
    for chunk in iterate_ads(workspace.split, "test", ["id"]):
        for id in chunk["id"].to_pylist():
            left, top, right, bottom = box_of[id]
            across, down = (
                (np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)).clip(0)
                for low, high in ((left, right), (top, bottom))
            )
            yield np.outer(down, across).ravel() * (side / classifier.CENTRAL_FRACTION) ** 2


if __name__ == "__main__":
    main()
