"""How fast new ads are answered, and in how much memory.

Throughput: `predict`'s whole work on a table (decoding, both classifiers, fusion, JSON) against the
image half of `extract-features` on the same photos. Latency: the median over 200 ads, one after
the other through stdin of a running `predict`, with a text only and with a photo too; 15 ms are
asked for. The network is EfficientNet-Lite0 with the weights in the package. Memory: the peak of
`predict` on tables of 10,000 and of 100,000 ads without photos.
"""

import csv
import dataclasses
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from adcat.data.thread_map import THREADS
from adcat.image import classifier
from adcat.image.backbones import BACKBONES
from adcat.image.extraction import Extractor, stream_features
from adcat.prediction.loading import load_predictor
from adcat.prediction.new_ads import Ad, in_batches
from adcat.prediction.rules import Promise
from adcat.types import PARTS
from adcat.workspace.ads import image_paths, iterate_ads, read_categories
from adcat.workspace.layout import Workspace
from adcat.workspace.models import find_models

TABLE = Path(__file__).parent.parent / "sample_data/ads.csv"
FOLDER = TABLE.parent.resolve()
SIDE, BATCH, ROUNDS, ASKED = 224, 32, 3, 200
LONG_TABLES = 10_000, 100_000  # ads
# Runs a command and prints its peak memory. A child begins with its parent's peak, so that the
# parent has to be a small process, not this one.
PEAK = """
import resource, subprocess, sys
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.run(sys.argv[1:], check=True, **quiet)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
COLUMNS = ("id", "title", "description", "image")


@dataclasses.dataclass(frozen=True)
class Untrained:
    """Settings of the image artifact."""

    side: int = SIDE


def adcat(workspace: Workspace, *words: object) -> list[str]:
    """A command's words."""
    return [sys.executable, "-m", "adcat", "-w", *map(str, (workspace.root, *words))]


def make_workspace(folder: Path) -> Workspace:
    """The sample's ads with product-max over both classifiers."""
    workspace = Workspace(folder / "artifacts")
    for words in (("split", TABLE), ("train-text",)):
        subprocess.run(adcat(workspace, *words), check=True, capture_output=True)
    with workspace.image_model.write(Untrained(), [workspace.split]) as staging:
        model = classifier.build(
            BACKBONES["efficientnet-lite0"],
            SIDE,
            len(read_categories(workspace.split)),
            "imagenet",
        )
        classifier.save(model, staging.folder)
    for words in (("extract-features",), ("fuse", "--policy", "product-max")):
        subprocess.run(adcat(workspace, *words), check=True, capture_output=True)
    return workspace


def read_rows() -> list[dict[str, str]]:
    """The sample's rows."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def per_second(batches: Callable[[], Iterable[object]], ads: int) -> float:
    """Ads per second of some work."""
    started = time.perf_counter()
    for _ in batches():
        pass
    return ads / (time.perf_counter() - started)


def throughput(workspace: Workspace) -> None:
    """Prints both rates and their ratio, of the best of a few rounds each."""
    (model,) = find_models(workspace, ["product-max"])
    predictor = load_predictor(workspace, model, Promise(False, None, 0))
    found = [
        ad
        for part in PARTS
        for chunk in iterate_ads(workspace.split, part, COLUMNS)
        for ad in chunk.to_pylist()
    ]
    ads = [
        Ad(row, ad["id"], ad["title"], ad["description"], ad["image"])
        for row, ad in enumerate(found, 1)
    ]
    paths = [path for part in PARTS for path in image_paths(workspace.split, part)]
    categories = read_categories(workspace.split)

    def predictions() -> Iterable[object]:
        for batch in predictor.stream(in_batches(ads, -(-BATCH // THREADS)), FOLDER, 5, THREADS):
            yield [json.dumps(prediction.record(categories, None)) for prediction in batch]

    image = Extractor(predictor.image[""](), predictor.forward[""]())  # one network for both
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        extracted = per_second(lambda: stream_features(image, paths, BATCH), len(paths))
        rates.append((extracted, per_second(predictions, len(ads))))
    extracted, predicted = (max(rate) for rate in zip(*rates, strict=True))
    print(f"extract-features, photos  {extracted:6.0f} ads/s")
    print(f"predict                   {predicted:6.0f} ads/s, ratio {predicted / extracted:.2f}")


def latency(workspace: Workspace) -> None:
    """Prints the median time of a prediction of a running process."""
    rows = [row for row in read_rows() if row["image"]][: ASKED + 10]
    words = adcat(workspace, "predict", "--model", "product-max", "--images", TABLE.parent)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, text=True, **pipes) as process:
        assert process.stdin
        assert process.stdout
        for name, image in (("text only", ""), ("with a photo", None)):
            seconds: list[float] = []
            for row in rows:
                line = json.dumps(row if image is None else {**row, "image": image})
                started = time.perf_counter()
                process.stdin.write(line + "\n")
                process.stdin.flush()
                process.stdout.readline()
                seconds.append(time.perf_counter() - started)
            print(f"one ad, {name:12}  {1000 * statistics.median(seconds[10:]):6.1f} ms")
        process.stdin.close()


def memory(workspace: Workspace, folder: Path) -> None:
    """Prints peak memory and rate on ads without photos, of a short and a long table."""
    rows = read_rows()
    for ads in LONG_TABLES:
        table = folder / f"{ads}.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "title", "description"))
            for i, row in enumerate(itertools.islice(itertools.cycle(rows), ads)):
                writer.writerow((i, row["title"], row["description"]))
        words = ("predict", table, "--model", "product-max", "--output", folder / f"{ads}.jsonl")
        started = time.perf_counter()
        watched = [sys.executable, "-c", PEAK, *adcat(workspace, *words)]
        megabytes = int(subprocess.run(watched, check=True, stdout=subprocess.PIPE).stdout) / 1024
        rate = ads / (time.perf_counter() - started)
        print(f"{ads:7,} ads without photo {megabytes:6.0f} MB, {rate:,.0f} ads/s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = make_workspace(Path(folder))
        throughput(made)
        latency(made)
        memory(made, Path(folder))
