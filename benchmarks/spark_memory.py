"""Memory of Spark's driver, executors and Python workers while rows pass through them.

    python benchmarks/spark_memory.py [--rows 10000000]

The rows take the way of `predict --spark` on a local cluster of two executors, with a model that
costs nothing: a text of n letters is of category n modulo 10. Prints the largest memory of each
kind of process in each tenth of the time.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from adcat.data.numbered_rows import NumberedRows
from adcat.data.table import InputTable
from adcat.data.text_cleaning import Reading
from adcat.parallel.spark_session import spark_session
from adcat.prediction.predictor import ModelFacts, Predictor
from adcat.prediction.rules import Rule
from adcat.progress import Silent
from adcat.spark.frames import Work, predict_rows
from adcat.workspace.shards import all_shards_for

CLUSTER = "local-cluster[2,1,1024]"
CATEGORIES, ROWS_AT_ONCE, EVERY = 10, 100_000, 0.5
KINDS = {  # what a command line has -> what the process is
    "CoarseGrainedExecutorBackend": "executor (JVM)",
    "pyspark.daemon": "Python worker",
    "SparkSubmit": "driver (JVM)",
    "spark_memory.py": "driver (Python)",
}


class Letters:
    """A text model that counts letters."""

    dimension = 1

    def features(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors [n, 1] and probabilities [n, categories]."""
        lengths = np.array([len(text) for text in texts])
        return lengths[:, None].astype(np.float32), np.eye(CATEGORIES, dtype=np.float32)[
            lengths % CATEGORIES
        ]


def load() -> Predictor:
    """The model with its prior."""
    names = [f"category {number}" for number in range(CATEGORIES)]
    prior = np.full(CATEGORIES, 1 / CATEGORIES, np.float32)
    facts = ModelFacts("text", names, prior.tolist(), {}, "", "", {}, {})
    rule = Rule(("text_probs",), lambda arrays: arrays[0])
    rules = {"text": rule, "none": Rule((), lambda _: prior)}
    return Predictor(facts, rule, rules, {"": lambda: (Letters(), Reading())}, {}, {})  # pyright: ignore[reportArgumentType]


def write_rows(path: Path, rows: int) -> None:
    """Writes so many ads."""
    with pq.ParquetWriter(path, pa.schema({"id": pa.string(), "title": pa.string()})) as writer:
        for start in range(0, rows, ROWS_AT_ONCE):
            numbers = np.arange(start, min(start + ROWS_AT_ONCE, rows))
            ids = pa.array(numbers).cast(pa.string())
            titles = pa.array([f"nummer {number} till salu" for number in numbers.tolist()])
            writer.write_batch(pa.RecordBatch.from_arrays([ids, titles], ["id", "title"]))


def memory() -> dict[str, float]:
    """The gigabytes of the largest process of each kind."""
    found = dict.fromkeys(KINDS.values(), 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
        kind = next((kind for part, kind in KINDS.items() if part in command), "")
        if kind:
            found[kind] = max(found[kind], pages * 4096 / 1e9)
    return found


def main() -> None:
    """Writes the rows, predicts them, prints the memory."""
    options = argparse.ArgumentParser(description="Memory of Spark's processes.")
    options.add_argument("--rows", type=int, default=10_000_000)
    count = options.parse_args().rows
    samples, done = list[dict[str, float]](), threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            samples.append(memory())

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "ads.parquet", count)
        rows = NumberedRows.of(InputTable(folder / "ads.parquet", needed=()), folder, Silent())
        work = Work(load, "letters", folder, 3, None)
        with spark_session(CLUSTER) as session:
            threading.Thread(target=watch, daemon=True).start()
            started = time.monotonic()
            answers = folder / "answers"
            predict_rows(session, rows, all_shards_for(16), work).write.parquet(str(answers))
            seconds = time.monotonic() - started
            done.set()
        found = sum(pq.read_metadata(file).num_rows for file in answers.glob("*.parquet"))
    print(f"{found:,} answers to {count:,} rows in {seconds:.0f} s, {count / seconds:,.0f} rows/s")
    tenths = np.array_split(np.arange(len(samples)), 10)
    for kind in KINDS.values():
        most = [max((samples[i][kind] for i in tenth), default=0) for tenth in tenths]
        print(f"{kind:18}" + " ".join(f"{gigabytes:5.2f}" for gigabytes in most) + " GB")


if __name__ == "__main__":
    main()
