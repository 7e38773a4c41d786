"""Inception v3 with attention inside: where it is cut, what it predicts, what is trained of it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from adcat.attention import attention_model as attention
from adcat.attention.attention_model import build, compiled
from adcat.attention.config import AttentionConfig
from adcat.attention.fine_tuning import frozen_network, training_network
from adcat.attention.insertion import cut
from adcat.attention.late_text import start_late_text
from adcat.attention.step import QUERY
from adcat.image import classifier, inception
from adcat.image.backbones import BACKBONES, VECTORS
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.training_loop import changing
from adcat.probabilities import softmax
from adcat.progress import Silent

SIDE, CATEGORIES, TEXT = 75, 4, 6
POINTS = "abcde"
CONFIG = AttentionConfig()


@pytest.fixture(scope="module")
def keras():
    return seeded_tensorflow(0).keras


@pytest.fixture(scope="module")
def image(keras, images):
    """A random Inception v3 whose predictions differ from photo to photo."""
    keras.utils.set_random_seed(0)
    made = classifier.build(BACKBONES["inception-v3"], SIDE, CATEGORIES, None)
    random = np.random.default_rng(1)
    for layer in made.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(random.normal(0, 0.01, layer.moving_mean.shape))
            layer.moving_variance.assign(random.uniform(0.01, 0.2, layer.moving_variance.shape))
    vectors = np.asarray(made.body(images, training=False))
    mean, spread = vectors.mean(axis=0), np.linalg.norm(vectors.std(axis=0))
    kernel = random.normal(0, 1 / spread, made.last_layer.kernel.shape)
    made.last_layer.set_weights([kernel, -mean @ kernel])
    return made


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def text():
    return np.random.default_rng(2).normal(3, 2, (3, TEXT)).astype(np.float32)


def test_the_attention_matrix_starts_from_the_deviation_asked_for(image, text):
    for choices, deviation in (({}, 0.01), ({"initial_deviation": 0.1}, 0.1)):
        model = build(image, text, AttentionConfig(**choices))
        kernel = model.step.get_layer(QUERY).kernel.numpy()
        assert 1.2 * deviation < abs(kernel).max() <= 2 * deviation


def with_flat_attention(image, text, **choices):
    model = build(image, text, dataclasses.replace(CONFIG, **choices))
    query = model.step.get_layer(QUERY)
    query.kernel.assign(np.zeros(query.kernel.shape))
    return model


def test_inception_is_cut_where_the_thesis_says(keras):
    made = classifier.build(BACKBONES["inception-v3"], 299, 2, None)
    shapes = [cut(made, point).below.output.shape[1:] for point in POINTS]
    assert shapes == [(35, 35, 192), (35, 35, 288), (17, 17, 768), (17, 17, 768), (8, 8, 2048)]


@pytest.mark.parametrize("over", ["wh", "c"])
@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[pytest.mark.soak] * (point in "abd")) for point in POINTS]
)
def test_flat_attention_leaves_the_image_baseline_as_it_was(image, images, text, point, over):
    model = with_flat_attention(image, text, insert_at=point, over=over)
    expected = image.network(images, training=False)
    assert np.ptp(expected, axis=0).max() > 0.1
    probs, alpha = model.network([images, text], training=False)
    np.testing.assert_allclose(probs, expected, atol=1e-4)
    np.testing.assert_allclose(alpha, 1 / alpha.shape[1], rtol=1e-5)


@pytest.mark.soak
def test_the_compiled_model_answers_alike(image, images, text):
    model = build(image, text, dataclasses.replace(CONFIG, late_text=True))
    model.step.get_layer(QUERY).kernel.assign(np.random.default_rng(3).normal(0, 2, (TEXT, 768)))
    expected = model.network([images, text], training=False)
    *found, vectors = compiled(model)(images, text)
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, wanted, atol=1e-5)
    logits = model.logits(vectors, model.standardised(text))
    np.testing.assert_allclose(softmax(np.asarray(logits)), expected[0], atol=1e-5)
    other = compiled(model)(images, text[::-1])
    assert np.abs(other[1] - expected[1]).max() > 1e-3  # the text is what steers it


@pytest.mark.soak
def test_it_is_saved_with_its_preprocessing(image, images, text, tmp_path):
    model = build(image, text, dataclasses.replace(CONFIG, late_text=True))
    attention.save(model, tmp_path)
    again = attention.load(tmp_path)
    assert (again.image.side, again.image.central_fraction) == (SIDE, image.central_fraction)
    inputs = [images, text]
    for found, wanted in zip(again.network(inputs), model.network(inputs), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_text_is_standardised_with_what_it_was_made_from(image, text):
    for standardise, expected in ((True, (text - text.mean(0)) / text.std(0)), (False, text)):
        model = build(image, text, dataclasses.replace(CONFIG, standardise=standardise))
        np.testing.assert_allclose(model.standardised(text), expected, atol=1e-5)


def test_late_text_starts_as_the_regression_on_the_text(image):
    """On text vectors that tell the category; the same whether they are standardised or not."""
    categories = image.last_layer.units
    labels = np.arange(10 * categories) % categories
    text = np.random.default_rng(0).normal(3, 0.1, (len(labels), TEXT)).astype(np.float32)
    text[np.arange(len(labels)), labels % TEXT] += 2
    scores = []
    for standardise in (True, False):
        how = dataclasses.replace(CONFIG, late_text=True, standardise=standardise)
        model = build(image, text, how)
        start_late_text(model, text, labels, 0, Silent())
        late = np.asarray(model.network.get_layer(attention.LATE_TEXT)(model.standardised(text)))
        scores.append(late - late.mean(axis=0))
    assert (scores[0].argmax(axis=1) == labels).all()
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_late_text_is_added_to_the_logits(image, text):
    model = build(image, text, dataclasses.replace(CONFIG, standardise=False, late_text=True))
    vectors, layer = np.ones((3, 2048), np.float32), model.network.get_layer(attention.LATE_TEXT)
    late = np.random.default_rng(3).normal(size=layer.kernel.shape).astype(np.float32)
    layer.set_weights([late])
    expected = image.last_layer(vectors) + text @ late
    np.testing.assert_allclose(model.logits(vectors, text), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("point", "is_attended"),
    [pytest.param("a", True, marks=pytest.mark.soak), ("c", True), ("d", False)],
)
def test_the_auxiliary_head_reads_mixed7(keras, image, images, text, point, is_attended):
    auxiliary = inception.auxiliary_head(image.network, CATEGORIES)
    model = with_flat_attention(image, text, insert_at=point)
    network = training_network(model, point, auxiliary)
    logits, of_auxiliary = network([images, text], training=False)
    mixed7 = image.network.get_layer(inception.AUXILIARY_INPUT).output
    plain = keras.Model(image.network.input, [mixed7, image.network.output])
    maps, probs = plain(images, training=False)
    np.testing.assert_allclose(of_auxiliary, auxiliary(maps, training=False), rtol=1e-4)
    np.testing.assert_allclose(keras.ops.softmax(logits), probs, atol=1e-4)
    query = model.step.get_layer(QUERY)
    query.kernel.assign(np.random.default_rng(3).normal(0, 5, query.kernel.shape))
    _, steered = network([images, text], training=False)
    assert np.allclose(steered, of_auxiliary, rtol=1e-3) != is_attended


def test_frozen_training_moves_the_step_and_the_last_layer_only(image, text):
    model = build(image, text, dataclasses.replace(CONFIG, late_text=True))
    network = frozen_network(model)
    names = {variable.path for variable in network.trainable_variables}
    assert names == {"query/kernel", "logits/kernel", "logits/bias", "late_text/kernel"}
    kept = {variable.path for variable in changing(network)} - names
    assert kept <= {f"standardised_text/{name}" for name in ("mean", "variance", "count")}


def test_a_photo_lies_under_its_own_attention(keras, tmp_path):
    """A bright patch, and a text that asks for brightness."""
    from adcat.attention.overlays import overlay, scaled, squares
    from adcat.data.images import central_box, open_image

    pixels = np.full((160, 200, 3), 40, np.uint8)
    pixels[100:120, 150:170] = 255  # below, on the right
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    image = keras.Input((32, 32, 3))
    maps = keras.layers.MaxPooling2D(4, name=inception.STEM)(image)
    maps = keras.layers.Identity(name="mixed0")(maps)
    vectors = keras.layers.GlobalAveragePooling2D(name=VECTORS)(maps)
    logits = keras.layers.Dense(2, name=classifier.LAST_LAYER)(vectors)
    probs = keras.layers.Softmax(name=classifier.PROBABILITIES)(logits)
    plain = classifier.ImageModel(keras.Model(image, probs), BACKBONES["inception-v3"], 32)
    config = dataclasses.replace(CONFIG, insert_at="a", standardise=False)
    model = build(plain, np.zeros((1, 1), np.float32), config)
    model.step.get_layer(QUERY).kernel.assign(np.full((1, 3), 5.0))
    _, alpha, _ = compiled(model)(model.image.read(path)[None], np.ones((1, 1), np.float32))
    weights = alpha.reshape(model.map_shape)
    whole = open_image(path)
    left, top, right, bottom = map(round, central_box(whole, model.image.central_fraction))
    seen = whole.crop((left, top, right, bottom))
    patch = (slice(100 - top, 120 - top), slice(150 - left, 170 - left))
    light = np.asarray(overlay(Image.new("RGB", seen.size, "white"), weights, blur=0.0))[..., 0]
    marked = np.asarray(squares(Image.new("RGB", seen.size, "black"), weights))[..., 0]
    for shown in (light, marked):
        brightest = np.argwhere(shown == shown.max())
        centre = brightest.mean(axis=0)
        assert abs(centre[0] - np.mean([patch[0].start, patch[0].stop])) < seen.height / 8
        assert abs(centre[1] - np.mean([patch[1].start, patch[1].stop])) < seen.width / 8
    assert scaled(weights).max() == 1
    assert light[patch].mean() > 3 * light.mean()
