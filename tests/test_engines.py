"""What runs the image network: OpenVINO gives what TensorFlow does, or is not used."""

import json
import sys

import numpy as np
import pytest
from pipeline import adcat, small_image_model

from adcat.errors import BadInputError
from adcat.image.backbones import BACKBONES
from adcat.image.classifier import build
from adcat.image.engines import CACHE, EngineOptions, choose, disagreement, drawn_photos
from adcat.image.inference import TENSORFLOW, Engine, compiled
from adcat.learning.runtime import seeded_tensorflow
from adcat.progress import Silent

OPENVINO = Engine("openvino")
OUTPUTS = ("vectors", "probabilities")


class Told(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture(scope="module")
def lite0():
    seeded_tensorflow(0)
    return build(BACKBONES["efficientnet-lite0"], 32, 5, "imagenet").network


@pytest.fixture(scope="module")
def small():
    return small_image_model(3).network


def test_it_gives_what_tensorflow_does_whatever_is_in_the_batch(lite0):
    photos = drawn_photos(32)[:5]
    found = compiled(lite0, *OUTPUTS, engine=OPENVINO)
    expected = compiled(lite0, *OUTPUTS)(photos)
    for a, b in zip(found(photos), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert "openvino_telemetry.main" not in sys.modules  # it sends what is done to its makers
    alone = [found(photos[i : i + 1]) for i in range(5)]
    for k, together in enumerate(found(photos)):
        assert np.array_equal(np.concatenate([outputs[k] for outputs in alone]), together)


VECTORS = np.float32([[3, 4], [0, 0]])
PROBS = np.float32([[0.5, 0.3, 0.2], [0.1, 0.455, 0.445]])


@pytest.mark.parametrize(
    ("vectors", "probs", "told"),
    [
        (VECTORS, PROBS, ""),
        ([[3.4, 4.5], [0, 0]], PROBS, ""),  # √.41 = .64 away, of 5
        ([[3.5, 4.5], [0, 0]], PROBS, "vectors"),  # .71 away
        ([[3, 4], [0, 0.1]], PROBS, "vectors"),
        ([[3, 4], [0, np.nan]], PROBS, "vectors"),
        (VECTORS, PROBS[:, [0, 2, 1]], ""),  # the first two of the second photo are a tie
        (VECTORS, PROBS[:, [1, 0, 2]], "predictions"),
    ],
)
def test_vectors_and_predictions_are_compared(vectors, probs, told):
    line = f"other {told} than from TensorFlow for 1 of 2 photos" if told else ""
    if told == "predictions":
        line = line.replace("1 of", "2 of")
    found = [np.float32(vectors), np.float32(probs)]
    assert disagreement(found, [VECTORS, PROBS]) == line
    assert disagreement(found[:1], [VECTORS]) == ("" if told == "predictions" else line)


def chosen(network, root, **options):
    """The engine, and what was said of it."""
    told, photos = Told(), lambda: drawn_photos(24)[:4]
    options = EngineOptions(**options)
    return choose(options, network, OUTPUTS, photos, root, told), told.lines


def test_the_engine_is_chosen_once_per_network(small, tmp_path):
    float32 = {"engine": "openvino", "precision": "float32"}
    assert chosen(small, tmp_path, engine="tensorflow") == (TENSORFLOW, [])
    assert not (tmp_path / CACHE).exists()
    assert chosen(small, tmp_path, **float32) == (OPENVINO, [])
    known = json.loads((tmp_path / CACHE).read_text())
    assert list(known.values()) == [""]
    (tmp_path / CACHE).write_text(json.dumps(dict.fromkeys(known, "other vectors")))
    engine, lines = chosen(small, tmp_path, **float32)
    assert engine == TENSORFLOW
    assert lines == ["openvino-float32: other vectors; tensorflow-float32 runs the image network"]
    other = small_image_model(4).network  # of other weights, of which nothing is known
    assert chosen(other, tmp_path, **float32) == (OPENVINO, [])
    (tmp_path / CACHE).write_text("[[")
    assert chosen(small, tmp_path, **float32) == (OPENVINO, [])


def test_an_engine_that_is_refused_says_so():
    broken = small_image_model(3).network
    *others, bias, kernel, last = broken.get_weights()
    broken.set_weights([*others, bias + np.inf, kernel, last])  # what ReLU makes of NaN varies
    assert chosen(broken, None, engine="openvino", precision="float32") == (TENSORFLOW, [
        "openvino-float32: other vectors than from TensorFlow for 4 of 4 photos; "
        "tensorflow-float32 runs the image network"
    ])  # fmt: skip


def test_bfloat16_is_used_where_it_is_right(small):
    """On a processor that does not have it float32 takes its place, and a line says so."""
    engine, lines = chosen(small, None, engine="openvino", precision="bfloat16")
    assert lines or engine == Engine("openvino", "bfloat16")
    for line in lines:
        assert line.startswith("openvino-bfloat16: ")
        assert line.endswith(f"; {engine} runs the image network")


def test_without_the_package_the_error_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delenv("ADCAT_ENGINE")
    assert EngineOptions().resolved().engine == "tensorflow"
    with pytest.raises(BadInputError, match=r"type: pip install 'adcat\[openvino\]'"):
        EngineOptions(engine="openvino").resolved()
    with pytest.raises(BadInputError, match="--precision bfloat16 needs --engine openvino; type"):
        EngineOptions(precision="bfloat16").resolved()
    monkeypatch.setenv("ADCAT_ENGINE", "onnx")
    with pytest.raises(BadInputError, match="ADCAT_ENGINE is onnx; expected tensorflow or openv"):
        EngineOptions().resolved()


@pytest.mark.soak
def test_commands_use_it_note_it_and_never_mix_its_vectors(copy):
    words = [
        "--backbone",
        "efficientnet-lite0",
        "--image-size",
        32,
        "--stage",
        "head",
        "--folds",
        0,
    ]
    adcat(copy, "train-image", *words, "--engine", "openvino", "--precision", "float32")
    assert copy.image_model.manifest().notes["image_engine"] == "openvino-float32"

    def extracted(engine):
        """What is said, and the vectors of the test ads."""
        said = adcat(copy, "extract-features", "--engine", engine, "--precision", "float32").stdout
        assert copy.features.manifest().notes["image_engine"] == f"{engine}-float32"
        return said, np.load(copy.features / "test/image_vectors.npy")

    _, found = extracted("openvino")
    said, again = extracted("tensorflow")
    assert "image: kept" not in said
    np.testing.assert_allclose(again, found, atol=1e-3)
    assert not np.array_equal(again, found)
    assert "image: kept" in extracted("tensorflow")[0]
    folders = sorted(folder.name[17:] for folder in (copy.root / ".cache/vectors").glob("*/*"))
    assert folders == ["openvino-float32", "tensorflow-float32"]
    one, other = (predicted(copy, engine) for engine in ("openvino", "tensorflow"))
    assert list(one) == list(other)
    assert list(one.values()) == pytest.approx(list(other.values()), abs=1e-4)


def predicted(workspace, engine):
    """The probabilities of an ad with a photo."""
    photo = workspace.root.parent / "photos/0.jpg"
    words = ["--title", "volvo", "--image", photo, "--model", "image", "--engine", engine]
    answer = json.loads(adcat(workspace, "predict", *words).stdout.splitlines()[0])
    assert answer["modality"] == "image"
    return {one["category"]: one["probability"] for one in answer["categories"]}
