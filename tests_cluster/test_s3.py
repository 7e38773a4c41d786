"""Photos and tables in an S3 server that fails and hangs."""

import contextlib
import csv
import hashlib
import io
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from faulty_store import BUCKET
from PIL import Image
from pipeline import adcat, make_workspace
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.data import fetching
from adcat.data.attempts import Patience
from adcat.data.fetching import Absence, Store
from adcat.data.rejections import Reason
from adcat.data.stores import Address
from adcat.errors import BadInputError
from adcat.prediction.loading import load_predictor
from adcat.prediction.rules import Promise
from adcat.progress import Silent
from adcat.workspace.ads import image_paths
from adcat.workspace.layout import Workspace
from adcat.workspace.models import find_models
from adcat.workspace.photos import FETCHED, PHOTOS, check_photos

HEADERS = ("id", "title", "description", "category", "image")
PHOTOS_AT = f"s3://{BUCKET}/p"


def photo(number):
    """A small photo that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def table(images):
    """A table of ads with these photos, as bytes."""
    rows = [
        (f"ad{i}", f"Soffa nummer {i}", "Fin.", ("Möbler", "Cyklar")[i % 2], image)
        for i, image in enumerate(images)
    ]
    text = io.StringIO()
    csv.writer(text).writerows([HEADERS, *rows])
    return text.getvalue().encode()


def run(workspace, *words):
    return CliRunner().invoke(app, ["-w", str(workspace), *map(str, words)])


def ads(workspace):
    found = pq.read_table(Workspace(workspace).split / "ads.parquet").to_pylist()
    return {ad["id"]: ad for ad in found}


def rejected(workspace):
    with (workspace / "split/rejected.csv").open(newline="", encoding="utf-8") as file:
        return {row["cell"]: (row["reason"], row["cause"]) for row in csv.DictReader(file)}


def test_every_photo_is_read_or_listed_though_requests_fail_and_hang(store, tmp_path):
    names = [f"{i}.png" for i in range(200)]
    for i, name in enumerate(names):
        store.put(f"p/{name}", photo(i))
    store.put("p/broken.png", b"no photo")
    (tmp_path / "ads.csv").write_bytes(table([*names, "fails.png", "broken.png", "missing.png"]))
    with store.faults_of(failing=0.05, hanging=0.01):
        result = run(tmp_path / "w", "split", tmp_path / "ads.csv", "--images", PHOTOS_AT)
        assert result.exit_code == 0, result.output
        assert min(store.faults["fails"], store.faults["hangs"]) > 0
    split, listed = Workspace(tmp_path / "w").split, rejected(tmp_path / "w")
    assert listed.keys() == {"fails.png", "broken.png", "missing.png"}
    reason, cause = listed["fails.png"]
    assert reason == "image not fetched"
    assert "status 50" in cause
    assert listed["broken.png"] == ("image unreadable", "not in a known format")
    assert listed["missing.png"] == ("image file missing", "")
    found = ads(tmp_path / "w")
    for i, name in enumerate(names):
        ad = found[f"ad{i}"]
        assert (split / PHOTOS / ad["image"]).read_bytes() == photo(i)
        assert ad["image"] == name
    check_photos(split)


def test_a_split_of_a_store_is_that_of_its_files(store, tmp_path):
    content = table([f"{i}.png" for i in range(40)])
    for i in range(40):
        (tmp_path / f"{i}.png").write_bytes(photo(i))
        store.put(f"p/{i}.png", photo(i))
    store.put("p/ads.csv", content)
    (tmp_path / "ads.csv").write_bytes(content)
    adcat(Workspace(tmp_path / "here"), "split", tmp_path / "ads.csv")
    adcat(Workspace(tmp_path / "there"), "split", f"{PHOTOS_AT}/ads.csv")
    here, there = (Workspace(tmp_path / name).split for name in ("here", "there"))
    assert here.manifest().digest == there.manifest().digest
    assert there.manifest().notes["table_sha256"] == hashlib.sha256(content).hexdigest()
    record = there.manifest().record
    assert (record["table"], record["images"]) == (f"{PHOTOS_AT}/ads.csv", PHOTOS_AT)
    assert all(path.startswith(str(there / PHOTOS)) for path in image_paths(there, "train"))


ODD = [  # names of photos, and whether S3 has them under a key that pyarrow reads
    ("a%2Fb.png", True),
    ("folder/with blank.png", True),
    ("Upper.png", True),
    ("upper.png", True),
    ("b\N{COMBINING DIAERESIS}\N{LATIN SMALL LETTER O WITH DIAERESIS}.png", True),
    ("x" * 300 + ".png", True),
    ("?#&=.png", True),
    (f"{PHOTOS_AT}/by-address.png", True),
    ("s3://another-bucket/x.png", Reason.IMAGE_IS_URL),
    ("https://example.org/x.png", Reason.IMAGE_IS_URL),
    ("../outside.png", Reason.IMAGE_OUTSIDE),
    ("a/../../outside.png", Reason.IMAGE_OUTSIDE),
    ("/etc/passwd", Reason.IMAGE_OUTSIDE),
    ("two//slashes.png", Reason.IMAGE_NOT_FETCHED),
    ("folder", Reason.IMAGE_MISSING),
]


def test_odd_names_are_read_and_lead_nowhere_else(store, tmp_path):
    for i, (name, is_there) in enumerate(ODD):
        if is_there is True:
            store.put(f"p/{name.removeprefix(PHOTOS_AT + '/')}", photo(i))
    store.put("outside.png", photo(99))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ads.csv").write_bytes(table([name for name, _ in ODD]))
    adcat(
        Workspace(tmp_path / "w"), "split", tmp_path / "data/ads.csv", "--images", PHOTOS_AT,
        "--exact",
    )  # fmt: skip
    found, listed = ads(tmp_path / "w"), rejected(tmp_path / "w")
    folder = tmp_path / "w/split" / PHOTOS
    for i, (name, is_there) in enumerate(ODD):
        if is_there is True:
            assert (folder / found[f"ad{i}"]["image"]).read_bytes() == photo(i)
        else:
            assert listed[name][0] == is_there
    assert len(list(folder.iterdir())) == sum(is_there is True for _, is_there in ODD)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "w"}


def test_one_cause_for_all_ends_the_run(store, tmp_path):
    (tmp_path / "ads.csv").write_bytes(table([f"{i}.png" for i in range(200)]))
    for address, expected in {
        "s3://no-such-bucket": "nothing is at s3://no-such-bucket",
        f"s3://{BUCKET}/nothing": f"nothing is at s3://{BUCKET}/nothing",
        f"s3://{BUCKET}/denied": "files in a row could not be read; the last one: ACCESS_DENIED",
    }.items():
        result = run(tmp_path / "w", "split", tmp_path / "ads.csv", "--images", address)
        assert result.exit_code == 1
        assert expected in result.stderr
        assert not (tmp_path / "w/split").exists()


def test_an_interrupted_split_goes_on_from_the_photos_that_it_has(store, tmp_path):
    sound = [f"{i}.png" for i in range(100)]
    denied = [f"denied{i}.png" for i in range(500)]  # many: others arrive between the first ones
    for i, name in enumerate(sound):
        store.put(f"p/{name}", photo(i))
    for name, images in {"first": [*sound, *denied], "second": sound}.items():
        (tmp_path / f"{name}.csv").write_bytes(table(images))
    words = ("--images", PHOTOS_AT)
    result = run(tmp_path / "w", "split", tmp_path / "first.csv", *words)
    assert (result.exit_code, "files in a row" in result.stderr) == (1, True)
    (folder,) = (tmp_path / "w" / FETCHED).iterdir()
    kept = {path.name for path in folder.iterdir()}
    assert kept
    (folder / ".begun").write_bytes(b"half a photo")
    with store.faults_of(0, 0):
        assert run(tmp_path / "w", "split", tmp_path / "second.csv", *words).exit_code == 0
        asked = {path.rpartition("/")[2] for path in store.requests}
    assert asked & set(sound) == set(sound) - kept
    split = Workspace(tmp_path / "w").split
    assert {path.name for path in (split / PHOTOS).iterdir()} == set(sound)
    assert all((split / PHOTOS / name).read_bytes() == photo(i) for i, name in enumerate(sound))
    assert not folder.exists()


def test_of_several_photos_in_a_cell_the_first_sound_one_is_fetched(store, tmp_path):
    for i in range(40):
        store.put(f"p/{i}.png", photo(i))
    store.put("p/broken.png", b"no photo")
    cells = [f"missing.png|broken.png|{i}.png|{i + 1}.png" for i in range(39)]
    (tmp_path / "ads.csv").write_bytes(table(cells))
    words = ("--images", PHOTOS_AT, "--image-separator", "|")
    with store.faults_of(0, 0):
        result = run(tmp_path / "w", "split", tmp_path / "ads.csv", *words)
        assert result.exit_code == 0, result.output
        assert not any(path.endswith("/39.png") for path in store.requests)
    assert [ad["image"] for ad in ads(tmp_path / "w").values()] == [f"{i}.png" for i in range(39)]


def test_a_dry_run_fetches_a_few_photos_only(store, tmp_path):
    for i in range(100):
        store.put(f"p/{i}.png", photo(i))
    (tmp_path / "ads.csv").write_bytes(table([f"{i}.png" for i in range(100)]))
    with store.faults_of(0, 0):
        result = run(
            tmp_path / "w", "split", tmp_path / "ads.csv", "--images", PHOTOS_AT, "--dry-run"
        )
        assert result.exit_code == 0, result.output
        assert sum(path.endswith(".png") for path in store.requests) == 64
    assert not (tmp_path / "w/split").exists()


def test_credentials_in_an_address_are_used_and_never_shown(store, tmp_path, monkeypatch):
    for i in range(40):
        store.put(f"p/{i}.png", photo(i))
    store.put("p/ads.csv", table([f"{i}.png" for i in range(40)]))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    address = f"s3://THEKEY:the/SECRET@{BUCKET}/p"
    outputs = []
    for words in (
        ("split", f"{address}/ads.csv", f"--images={address}"),
        ("split", f"{address}/nothing.csv"),
        ("split", f"{address}/ads.csv", "--images", f"{address}/nothing"),
        ("split", f"{address}/ads.csv?another=1"),
    ):
        monkeypatch.setattr(sys, "argv", ["adcat", *words])
        outputs.append(run(tmp_path / "w", *words).output)
    assert "40 ads" in outputs[0]
    assert "does not exist" in outputs[1]
    assert "nothing is at" in outputs[2]
    everything = [*outputs, *(p.read_text() for p in (tmp_path / "w").rglob("*.json"))]
    assert not any(word in text for text in everything for word in ("THEKEY", "SECRET"))
    command = json.loads((tmp_path / "w/split/manifest.json").read_text())["record"]["command_line"]
    assert command == f"adcat split s3://{BUCKET}/p/ads.csv --images=s3://{BUCKET}/p"


def test_a_photo_that_never_comes_is_given_up(store):
    store.put("p/sound.png", photo(0))
    opened = Store(Address(PHOTOS_AT), Patience(attempts=2, seconds=0.5, pause=0))
    for name in ("hangs.png", "trickles.png"):
        expected = Absence(Reason.IMAGE_NOT_FETCHED, "no answer within 0.5 s (attempt 2)")
        assert opened.photo(name) == expected
    assert opened.photo("sound.png") == photo(0)


ENDING = """
from adcat.data import fetching
from adcat.data.attempts import Patience, leave
from adcat.data.fetching import Store
from adcat.data.stores import Address
from adcat.errors import BadInputError

store = Store(Address("{address}"), Patience(1, 0.5, unanswered=3))
for number in range(3):
    print(store.photo(f"trickles-{{number}}.png"))
try:
    store.photo("trickles-3.png")
except BadInputError as error:
    print(error)
leave(1)
print("still here")
"""


def test_a_store_that_does_not_answer_ends_the_run_and_holds_up_no_end(store):
    """The server goes on sending until the test is over; the process ends before."""
    code = ENDING.format(address=PHOTOS_AT)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    *given_up, last, advice = done.stdout.splitlines()
    assert given_up == ["image not fetched: no answer within 0.5 s (attempt 1)"] * 3
    assert last == f"{PHOTOS_AT}: no answer; 4 requests wait for more than 0.5 s"
    assert advice == "run the same command again when it answers"


class Changing:
    """Shows progress to nobody, and replaces the table once the first block of it is there."""

    def __init__(self, store, content):
        self.store, self.content = store, content

    @contextlib.contextmanager
    def task(self, *_):
        yield self

    def advance(self, *_):
        self.store.put("p/ads.csv", self.content)


def test_a_table_is_of_one_version(store, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "BLOCK", 1000)
    store.put("p/ads.csv", b"a" * 4500)
    opened = Store(Address(PHOTOS_AT))
    opened.save("ads.csv", tmp_path / "ads.csv", Silent())
    assert (tmp_path / "ads.csv").read_bytes() == b"a" * 4500
    with pytest.raises(BadInputError, match=f"^{PHOTOS_AT}/ads.csv changed while it was read"):
        opened.save("ads.csv", tmp_path / "ads.csv", Changing(store, b"b" * 4500))


def test_predict_reads_photos_as_they_come(store, tmp_path):
    made = make_workspace(tmp_path, "product-max")
    with (tmp_path / "ads.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        store.put(f"p/{row['image']}", (tmp_path / row["image"]).read_bytes())
    store.put("p/ads.csv", (tmp_path / "ads.csv").read_bytes())
    here = adcat(made, "predict", tmp_path / "ads.csv").stdout
    with store.faults_of(failing=0.05, hanging=0):
        assert adcat(made, "predict", f"{PHOTOS_AT}/ads.csv").stdout == here
        output = tmp_path / "there.jsonl"
        words = ("--images", PHOTOS_AT, "--output", output)
        adcat(made, "predict", tmp_path / "ads.csv", *words)
        assert output.read_text(encoding="utf-8") == here
    one = adcat(made, "predict", "--image", f"{PHOTOS_AT}/{rows[0]['image']}").stdout
    same = adcat(made, "predict", "--image", tmp_path / rows[0]["image"]).stdout
    assert one == same
    (model,) = find_models(made, ["product-max"])
    predictor = load_predictor(made, model, Promise(False, None, 0))
    (given,) = predictor.predict([{"image": rows[0]["image"]}], images=PHOTOS_AT)
    assert given["categories"] == json.loads(same)["categories"]
    lines = [{"image": f"{PHOTOS_AT}/{rows[0]['image']}"}, {"image": "fails.png"}]
    words = ("--images", PHOTOS_AT)
    arriving = "".join(json.dumps(line) + "\n" for line in lines)
    first, second = map(
        json.loads, adcat(made, "predict", *words, input=arriving).stdout.splitlines()
    )
    assert first["categories"] == json.loads(same)["categories"]
    (problem,) = (p for p in second["problems"] if "image" in p)
    assert problem.startswith("image not fetched: ")


def test_other_addresses_are_opened_by_fsspec(tmp_path):
    import fsspec

    files = fsspec.filesystem("memory")
    for i in range(40):
        files.pipe(f"/p/{i}.png", photo(i))
    files.pipe("/p/ads.csv", table([*(f"{i}.png" for i in range(40)), "missing.png"]))
    adcat(Workspace(tmp_path / "w"), "split", "memory://p/ads.csv")
    assert len(ads(tmp_path / "w")) == 40
    assert rejected(tmp_path / "w") == {"missing.png": ("image file missing", "")}
    result = run(tmp_path / "w", "split", "nosuch://p/ads.csv")
    assert result.exit_code == 1
    assert "Protocol not known: nosuch" in result.stderr
