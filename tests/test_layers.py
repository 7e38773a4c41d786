"""Vectors of other layers than the last: what they are, and that everything reads the same ones."""

import json

import numpy as np
import pytest
from pipeline import adcat, small_image_model, uncompiled
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.errors import BadInputError
from adcat.image import classifier
from adcat.image.backbones import BACKBONES
from adcat.image.engines import drawn_photos
from adcat.image.inference import TENSORFLOW, Engine, compiled
from adcat.learning.runtime import seeded_tensorflow
from adcat.types import PARTS
from adcat.workspace.ads import read_ads

LAYERS = ("--image-layer", "mixed7", "--text-layer", "logits")
ARRAYS = [
    f"{part}/{m}_{kind}.npy"
    for part in PARTS
    for m in ("text", "image")
    for kind in ("vectors", "probs")
]


@pytest.fixture(scope="module")
def lite0():
    keras = seeded_tensorflow(0).keras
    made = classifier.build(BACKBONES["efficientnet-lite0"], 64, 5, "imagenet")
    return keras, made


@pytest.mark.parametrize("layer", ["block4_add", "block15_project_norm", "stem_relu"])
@pytest.mark.parametrize("engine", [TENSORFLOW, Engine("openvino")])
def test_a_vector_is_the_mean_of_the_layers_maps_over_all_positions(lite0, layer, engine):
    keras, made = lite0
    model, photos = made.at(layer), drawn_photos(64)[:2]
    vectors, probs = compiled(model.network, *model.outputs, engine=engine)(photos)
    maps = keras.Model(made.network.input, made.network.get_layer(layer).output)
    expected = maps(photos, training=False).numpy().mean(axis=(1, 2))
    assert vectors.shape == (2, model.dimension)
    np.testing.assert_allclose(vectors, expected, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(probs, made.network(photos, training=False), atol=1e-4)


@pytest.mark.parametrize("layer", ["mixed7", "logits", "probabilities", "block2_expand"])
def test_layers_that_are_not_there_or_make_no_vectors_are_refused(lite0, layer):
    with pytest.raises(BadInputError) as raised:
        lite0[1].at(layer)
    assert str(raised.value) == (
        f"efficientnet-lite0 has no layer '{layer}' of maps; its modules end with block2_add, "
        "block4_add, block6_add, block7_add, block9_add, block10_add, block12_add, block13_add, "
        "block14_add; the last layer reads vectors"
    )


def test_the_layers_of_a_network_without_sums_are_those_that_attention_knows():
    with pytest.raises(BadInputError, match="end with stem, mixed2, mixed4, mixed7, mixed9;"):
        small_image_model(3).at("mixed")


def test_all_that_reads_vectors_reads_those_of_the_layers(copy, tmp_path):
    before = {file: np.load(copy.features / file) for file in ARRAYS}
    adcat(copy, "extract-features", *LAYERS)
    after = {file: np.load(copy.features / file) for file in ARRAYS}
    for file in ARRAYS:
        if file.endswith("probs.npy"):
            np.testing.assert_allclose(after[file], before[file], atol=1e-6)
    logits = after["test/text_vectors.npy"].astype(np.float64)
    powers = np.exp(logits)
    probs = after["test/text_probs.npy"]
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), probs, atol=1e-6)
    assert np.abs(after["test/image_vectors.npy"] - before["test/image_vectors.npy"]).max() > 0.01
    assert copy.features.manifest().settings["image_layer"] == "mixed7"
    again = adcat(copy, "extract-features", *LAYERS).stdout
    assert again.count("kept from an earlier run") == 2

    with uncompiled():
        adcat(copy, "fuse", "--policy", "concat", "--max-epochs", 2)
        adcat(copy, "attend", "--stage", "attention", "--epochs", 1)
    ads = read_ads(copy.split, "test", ["id", "title", "description", "image"], [0, 1, 2])
    lines, images = "".join(f"{json.dumps(ad)}\n" for ad in ads), copy.root.parent
    for model, artifact in (
        ("concat", copy.fused("concat")),
        ("attend-c-wh", copy.attention("c-wh")),
    ):
        expected = np.load(artifact / "test/probs.npy")[:3].max(axis=1)
        words = ("--images", images, "--top", 3)
        said = adcat(copy, "predict", "--model", model, *words, input=lines).stdout
        found = [json.loads(line)["categories"][0]["probability"] for line in said.splitlines()]
        np.testing.assert_allclose(found, expected, atol=1e-4)
        adcat(copy, "export", tmp_path / model, "--model", model)  # compares it with the workspace
        told = adcat(copy, "predict", "--exported", tmp_path / model, *words, input=lines).stdout
        assert told == said
    serving = json.loads((tmp_path / "concat/serving.json").read_text())
    assert serving["layers"] == {"text": "logits", "image": "mixed7"}
    assert "* image_vectors: the layer `mixed7`" in (tmp_path / "concat/README.md").read_text()

    adcat(copy, "extract-features")  # the last layers', as by default
    for file in ARRAYS:
        np.testing.assert_array_equal(np.load(copy.features / file), before[file])


def refused(workspace, *words):
    result = CliRunner().invoke(app, ["-w", str(workspace.root), *map(str, words)])
    assert result.exit_code == 1, result.output
    return result.stderr


def test_a_layer_that_is_not_there_leaves_the_features_as_they_were(copy):
    digest = copy.features.check().digest
    told = refused(copy, "extract-features", "--image-layer", "mixed77")
    assert "inception-v3 has no layer 'mixed77' of maps; its modules end with stem, mixed2" in told
    assert copy.features.check().digest == digest


def test_a_last_layer_on_vectors_made_elsewhere_has_no_other(copy, tmp_path):
    words = ("--image-vectors", tmp_path / "v.npy", "--image-layer", "mixed7")
    told = "error: the image classifier is a last layer on vectors made elsewhere, and has no layer"
    assert refused(copy, "extract-features", *words).startswith(told)


def test_an_export_of_a_version_that_knew_no_layers_is_read(copy, tmp_path):
    adcat(copy, "export", tmp_path / "e", "--model", "text")
    definition = json.loads((tmp_path / "e/serving.json").read_text())
    del definition["layers"]
    (tmp_path / "e/serving.json").write_text(json.dumps(definition))
    said = adcat(copy, "predict", "--exported", tmp_path / "e", "--title", "volvo ratt").stdout
    assert json.loads(said)["modality"] == "text"
    for layers in ("[1]", '{"text": "hidden"}'):
        text = json.dumps({**definition, "layers": json.loads(layers)})
        (tmp_path / "e/serving.json").write_text(text)
        refused(copy, "predict", "--exported", tmp_path / "e", "--title", "volvo ratt")
