"""Work in the tasks of a Spark cluster of two executors on this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from killing import start
from pipeline import adcat, draw_ads, make_workspace, write_table
from pyspark.sql import functions
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.errors import AdcatError, BadInputError, BusyError
from adcat.parallel.spark_session import failures_told, spark_session
from adcat.parallel.spark_tasks import in_spark
from adcat.spark import predict
from adcat.workspace.layout import Workspace

CLUSTER = "local-cluster[2,1,1024]"
EXECUTOR = b"CoarseGrainedExecutorBackend"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A workspace `w` with a fused model, its export, and `new`: ads to predict."""
    root = tmp_path_factory.mktemp("spark")
    workspace = make_workspace(root, "product-max")
    adcat(workspace, "export", root / "exported", "--model", "product-max")
    ads = draw_ads(root / "new", 90, seed=1)
    ads[7].update(title="", description="")
    ads[8].update(image="photos/none.jpg")
    ads[9].update(title='a "quoted"\nline', image="")
    write_table(root / "new" / "ads.csv", ads)
    return root


@pytest.fixture(scope="module")
def session(root):
    with spark_session(CLUSTER) as session:
        yield session


def predicted(root, table, output, *words):
    words = ("--model", "product-max", "--output", output, *words)
    return adcat(Workspace(root / "w"), "predict", table, *words)


def rounded(ads):
    """Predictions with numbers that TensorFlow may round by what else is in a batch."""
    return [
        {
            **ad,
            "categories": [
                {**found, "probability": pytest.approx(found["probability"], abs=1e-6)}
                for found in ad["categories"]
            ],
            "contributions": {
                m: pytest.approx(c, abs=1e-4) for m, c in ad["contributions"].items()
            },
        }
        for ad in ads
    ]


def rows_of(folder):
    """The rows of all files of a folder, in the order of their names."""
    return [
        ad for file in sorted(folder.glob("*.parquet")) for ad in pq.read_table(file).to_pylist()
    ]


def test_features_are_those_of_one_process(root, session):
    workspace = Workspace(root / "w")
    files = {path: path.read_bytes() for path in workspace.features.path.rglob("*.npy")}
    digest = workspace.features.check().digest
    shutil.rmtree(workspace.features.path)
    adcat(workspace, "extract-features", "--spark", CLUSTER)
    assert {path: path.read_bytes() for path in files} == files
    assert workspace.features.check().digest == digest
    assert not workspace.classifier("image").shards.exists()
    kept = adcat(workspace, "extract-features", "--spark", CLUSTER).output
    assert "image: kept from an earlier run" in kept


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_predicted_as_by_one_process(root, session, tmp_path, kind):
    table = root / "new" / "ads.csv"
    if kind == "parquet":
        import pyarrow.csv

        options = pyarrow.csv.ParseOptions(newlines_in_values=True)
        ads = pyarrow.csv.read_csv(table, parse_options=options)
        table = root / "new" / "ads.parquet"
        pq.write_table(ads, table, row_group_size=13)
    alone = predicted(root, table, tmp_path / "one.parquet", "--accept-above", 0.9)
    spark = predicted(root, table, tmp_path / "many", "--accept-above", 0.9, "--spark", CLUSTER)
    expected = pq.read_table(tmp_path / "one.parquet").to_pylist()
    assert rows_of(tmp_path / "many") == rounded(expected)
    assert [ad["row"] for ad in expected] == list(range(1, 91))
    assert expected[7]["problems"] == ["empty text"]
    told = [line for line in alone.stderr.splitlines() if "based on" in line or "problems" in line]
    assert all(line in spark.stderr for line in told)
    assert len(told) == 2
    again = predicted(root, table, tmp_path / "many", "--accept-above", 0.9, "--spark", CLUSTER)
    assert "is up to date" in again.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "many", "one.parquet", "one.parquet.manifest.json",
    ]  # fmt: skip


def test_an_export_predicts_a_table(root, session, tmp_path):
    words = ("--exported", root / "exported", "--output", tmp_path / "many", "--spark", CLUSTER)
    adcat(Workspace(root / "nowhere"), "predict", root / "new" / "ads.csv", *words)
    predicted(root, root / "new" / "ads.csv", tmp_path / "one.parquet")
    expected = pq.read_table(tmp_path / "one.parquet").to_pylist()
    assert rows_of(tmp_path / "many") == rounded(expected)


def test_a_dataframe_is_predicted(root, session, tmp_path):
    """Photos by their paths, and as bytes; the model from a disk, and sent to the workers."""
    predicted(root, root / "new" / "ads.csv", tmp_path / "one.parquet")
    expected = pq.read_table(tmp_path / "one.parquet").drop_columns(["row"]).to_pylist()
    path = str(root / "new" / "ads.csv")
    ads = session.read.csv(path, header=True, multiLine=True, escape='"')
    answers = predict(ads, root / "exported", images=root / "new").collect()
    assert [answer.asDict(recursive=True) for answer in answers] == rounded(expected)

    shutil.copytree(root / "exported", tmp_path / "sent")
    shutil.make_archive(str(tmp_path / "sent"), "zip", tmp_path / "sent")
    session.sparkContext.addArchive(f"{tmp_path / 'sent.zip'}#sent")
    photos = session.read.format("binaryFile").load(str(root / "new" / "photos"))
    number = functions.regexp_extract("path", r"(\d+)\.jpg", 1)
    with_photos = ads.drop("image").join(
        photos.select(functions.concat(functions.lit("ad"), number).alias("id"), "content"), "id"
    )
    answers = predict(with_photos.withColumnRenamed("content", "image"), tmp_path / "sent", top=2)
    shutil.rmtree(tmp_path / "sent")
    of_ad = {answer["id"]: answer.asDict(recursive=True) for answer in answers.collect()}
    assert len(of_ad) == 90
    for number, ad in enumerate(expected):
        if number not in (8, 9):  # these have a photo here
            assert [of_ad[ad["id"]]] == rounded([{**ad, "categories": ad["categories"][:2]}])
        else:
            assert of_ad[ad["id"]]["modality"] == "both"


def test_a_dataframe_without_ids_is_refused(root, session):
    ads = session.createDataFrame([("a", "b")], "key string, title string")
    with pytest.raises(BadInputError, match=r"no column 'id'; found: 'key', 'title'\nrename one"):
        predict(ads, root / "exported")


def test_results_come_in_order_and_a_task_that_is_busy_waits(session, tmp_path):
    def work(number):
        mark = tmp_path / f"{number}"
        if number % 2 and not mark.exists():
            mark.touch()
            raise BusyError("another process")
        return number**2

    assert list(in_spark(session)(work, range(5))) == [0, 1, 4, 9, 16]


def test_the_error_of_a_task_is_told_as_it_would_be_here(session):
    def refuse(number):
        raise BadInputError(f"{number} is wrong")

    def crash(number):
        return 1 / number

    with pytest.raises(BadInputError, match=r"^0 is wrong$"):
        list(in_spark(session)(refuse, [0]))
    with pytest.raises(AdcatError, match=r"^Spark gave up: ZeroDivisionError: division by zero$"):
        list(in_spark(session)(crash, [1, 0]))
    with pytest.raises(AdcatError, match=r"Spark gave up: .*no_such_column"), failures_told():
        session.range(1).select("no_such_column").collect()


def test_what_there_is_not_to_be_replaced_is_refused(root, session, tmp_path):
    (tmp_path / "mine").mkdir()
    words = ["predict", root / "new" / "ads.csv", "--spark", CLUSTER, "--output"]
    for output, told in {
        tmp_path / "mine": "is there and holds no predictions of adcat; give another folder",
        tmp_path / "no" / "folder": "does not exist",
    }.items():
        result = CliRunner().invoke(app, ["-w", str(root / "w"), *map(str, words), str(output)])
        assert result.exit_code == 1
        assert told in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_trials_of_a_search_are_those_of_one_process(root, session, tmp_path):
    workspace = Workspace(shutil.copytree(root / "w", tmp_path / "w"))
    logs = []
    for where in ((), ("--spark", CLUSTER)):
        search = ("--tune", 3, "--tune-algorithm", "random", "--folds", 0, *where)
        adcat(workspace, "train-text", "--model", "tfidf", *search)
        logs.append((workspace.text_model / "trials.jsonl").read_bytes())
    assert logs[0] == logs[1]


@pytest.mark.parametrize("home", ["", "/nowhere"])
def test_without_java_a_line_says_what_to_install(root, tmp_path, home):
    """In a process of its own, where no session is."""
    environment = {"PATH": "/nowhere", "JAVA_HOME": home}
    command = [sys.executable, "-m", "adcat", "-w", root / "w", "extract-features"]
    words = ["--spark", "local[2]", "--image-layer", "mixed7"]
    ended = subprocess.run([*command, *words], env=environment, capture_output=True, text=True)
    where = "JAVA_HOME, /nowhere, has no bin/java" if home else "java is not on the path"
    assert ended.stderr.splitlines()[-1] == (
        f"error: --spark needs Java 17 or newer, and {where}; install it, in Debian: "
        "apt install openjdk-17-jre-headless"
    )
    assert ended.returncode == 1


def test_a_master_that_is_none_is_told_of(root):
    command = [sys.executable, "-m", "adcat", "-w", root / "w", "extract-features"]
    words = ["--spark", "nowhere", "--image-layer", "mixed7"]
    ended = subprocess.run([*command, *words], capture_output=True, text=True)
    *_, told = ended.stderr.splitlines()
    assert told.startswith(
        "error: --spark nowhere: Spark did not start: Java gateway process exited"
    )
    assert "Master must either be yarn or start with spark, k8s, or local" in ended.stderr
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def executors():
    """The processes of the executors that a command has started."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if EXECUTOR in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
    return found


@pytest.fixture(scope="module")
def many(root):
    """A table of 20,000 ads, every tenth with a photo, and their predictions by one process."""
    ads = draw_ads(root / "many", 100, seed=2)
    rows = [
        {**ad, "id": f"{part}-{ad['id']}", "image": ad["image"] if number % 10 == 0 else ""}
        for part in range(200)
        for number, ad in enumerate(ads)
    ]
    write_table(root / "many" / "ads.csv", rows)
    predicted(root, root / "many" / "ads.csv", root / "one.parquet")
    return root / "many" / "ads.csv", pq.read_table(root / "one.parquet").to_pylist()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_executor_costs_no_row(root, many, tmp_path, seed):
    """Killed at a random moment after it began, in a cluster of the command's own."""
    table, expected = many
    before, random = executors(), np.random.default_rng(seed)
    words = ("--model", "product-max", "--output", tmp_path / "out", "--spark", CLUSTER)
    process = start(Workspace(root / "w"), "predict", table, *words)
    while not executors() - before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    time.sleep(random.uniform(0, 6))
    os.kill(int(random.permutation(sorted(executors() - before))[0]), signal.SIGKILL)
    out, errors = process.communicate()
    assert process.returncode == 0, (out, errors)
    assert rows_of(tmp_path / "out") == rounded(expected)
