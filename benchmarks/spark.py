"""Spark against one process on one core: text-only predictions of a table, and a search.

    python benchmarks/spark.py [--rows 1000000] [--trials 20]

The table repeats the sample's texts with other words among them. A search is random, of `pool`
on the features of the sample; its trials learn from all training ads. Spark's tasks are those of
`--spark local[1]` and `local[2]`, its start included; how long that takes is measured on a table of
100 rows.
"""

import argparse
import csv
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SAMPLE = Path(__file__).parent.parent / "sample_data" / "ads.csv"
ROWS_AT_ONCE = 50_000


def adcat(workspace: Path, *words: object, cores: Sequence[int] = ()) -> float:
    """Runs a command, on these cores if any are named; returns its seconds."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "adcat", "-w", str(workspace), *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, cores) if cores else None,
    )
    return time.monotonic() - started


def write_ads(path: Path, rows: int) -> None:
    """Writes so many ads whose texts all differ."""
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        ads = [ad for ad in csv.DictReader(file) if ad["title"]]
    schema = pa.schema(dict.fromkeys(("id", "title", "description"), pa.string()))
    random = np.random.default_rng(0)
    words = sorted({word for ad in ads for word in ad["description"].split()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, rows))
            drawn = random.integers(len(words), size=len(numbers))
            batch = [
                {
                    "id": str(number),
                    "title": ads[number % len(ads)]["title"],
                    "description": f"{ads[number % len(ads)]['description']} {words[word]}",
                }
                for number, word in zip(numbers, drawn, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))


def compare_predictions(workspace: Path, folder: Path, rows: int) -> None:
    """Prints the times of one process and of Spark."""
    for name, count in (("few", 100), ("many", rows)):
        write_ads(folder / f"{name}.parquet", count)
    words = ("predict", folder / "many.parquet", "--model", "text", "--output")
    alone = adcat(workspace, *words, folder / "one.parquet", cores=[0])
    print(f"one process on one core: {alone:.0f} s, {rows / alone:,.0f} ads/s", flush=True)
    for cores in (1, 2):
        spark = ("--spark", f"local[{cores}]")
        few = ("predict", folder / "few.parquet", "--model", "text", "--output")
        start = adcat(workspace, *few, folder / f"few-{cores}", *spark)
        taken = adcat(workspace, *words, folder / f"many-{cores}", *spark)
        print(
            f"Spark, local[{cores}]: {taken:.0f} s, {rows / taken:,.0f} ads/s, {alone / taken:.2f} "
            f"times one process; of this {start:.0f} s for 100 ads",
            flush=True,
        )


def compare_searches(workspace: Path, trials: int) -> None:
    """Prints the times of a search on one core and on two."""
    search = ("fuse", "--policy", "pool", "--tune", trials, "--tune-fraction", 1)
    search += ("--tune-algorithm", "random")
    took = [
        adcat(workspace, *search, "--name", f"on-{cores}", "--spark", f"local[{cores}]")
        for cores in (1, 2)
    ]
    share = f"{took[1] / took[0]:.2f} of it"
    print(f"{trials} trials: local[1] {took[0]:.0f} s, local[2] {took[1]:.0f} s, {share}")


def main() -> None:
    """Makes the models of the sample and measures."""
    options = argparse.ArgumentParser(description="Spark against one process.")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--trials", type=int, default=20)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = folder / "w"
        adcat(workspace, "split", SAMPLE)
        adcat(workspace, "train-text", "--folds", 0)
        adcat(workspace, "extract-features", "--modality", "text")
        if given.rows:
            compare_predictions(workspace, folder, given.rows)
        if given.trials:
            backbone = ("--backbone", "efficientnet-lite0", "--stage", "head")
            adcat(workspace, "train-image", *backbone)
            adcat(workspace, "extract-features")
            compare_searches(workspace, given.trials)


if __name__ == "__main__":
    main()
