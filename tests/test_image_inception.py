"""Inception v3: shapes, weights from files, the auxiliary head, folded batch norm."""

import urllib.request

import numpy as np
import pytest
from PIL import Image

from adcat.errors import BadInputError, MissingArtifactError
from adcat.image import backbones, classifier, inception
from adcat.image.backbones import BACKBONES, VECTORS
from adcat.image.extraction import append_rows, appended_rows, extractor, stream_features
from adcat.image.inference import compiled
from adcat.learning.runtime import seeded_tensorflow

INCEPTION = BACKBONES["inception-v3"]
SIDE, CATEGORIES = 75, 4


@pytest.fixture(scope="module")
def keras():
    return seeded_tensorflow(0).keras


@pytest.fixture(scope="module")
def images():
    """Coarse patterns, each with a colour of its own: [16, SIDE, SIDE, 3]."""
    random = np.random.default_rng(0)
    patches = random.uniform(-1, 1, (16, 5, 5, 3)) + random.uniform(-1, 1, (16, 1, 1, 3))
    return patches.repeat(SIDE // 5, axis=1).repeat(SIDE // 5, axis=2).astype(np.float32) / 2


@pytest.fixture(scope="module")
def model(keras):
    """With statistics in batch norm, so that there is something to fold."""
    made = classifier.build(INCEPTION, SIDE, CATEGORIES, None)
    random = np.random.default_rng(1)
    for layer in made.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(random.normal(0, 0.01, layer.moving_mean.shape))
            layer.moving_variance.assign(random.uniform(0.1, 2, layer.moving_variance.shape))
    return made


def test_vectors_are_2048_long_and_probabilities_sum_to_1(model, images):
    assert model.dimension == 2048
    probs = model.network(images, training=False)
    assert probs.shape == (16, CATEGORIES)
    np.testing.assert_allclose(np.sum(probs, axis=1), 1, atol=1e-6)


def test_new_layers_start_from_a_truncated_normal(model):
    kernel, bias = (weights.numpy() for weights in model.last_layer.weights)
    assert abs(kernel).max() <= 0.02
    assert kernel.std() == pytest.approx(0.0088, rel=0.05)  # 0.01, cut off at 2 deviations
    assert (bias == 0).all()


@pytest.mark.soak
def test_folding_batch_norm_changes_nothing(model, images):
    vectors, probs = compiled(model.network, VECTORS, classifier.PROBABILITIES)(images)
    np.testing.assert_allclose(vectors, model.body(images, training=False), atol=1e-5)
    np.testing.assert_allclose(probs, model.network(images, training=False), atol=1e-6)


@pytest.mark.parametrize(("length", "pool", "kernel"), [(3, 3, 1), (7, 5, 1), (17, 5, 5)])
def test_the_auxiliary_head_fits_the_map_of_mixed7(keras, length, pool, kernel):
    """As long as the map is at 75, 139 and 299 pixels; TF-Slim's numbers at 299."""
    maps = keras.Input([length, length, 768])
    network = keras.Model(maps, keras.layers.Identity(name="mixed7")(maps))
    head = inception.auxiliary_head(network, CATEGORIES)
    pooling, narrow, _, _, full = head.layers[1:6]
    assert pooling.pool_size == (pool, pool)
    assert narrow.kernel.shape == (1, 1, 768, 128)
    assert full.kernel.shape == (kernel, kernel, 128, 768)
    assert head.output.shape == (None, CATEGORIES)


def equal_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def bare(keras):
    """What Keras itself makes."""
    return keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )


@pytest.fixture(scope="module")
def target(keras):
    return backbones.build(INCEPTION, SIDE, None)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5", "a.h5"])
def test_weights_are_read_from_what_keras_writes(bare, target, tmp_path, name):
    path = tmp_path / name
    if name == "a.h5":  # the form of Keras' own no-top file
        write_legacy(bare, path)
    elif name == "a.keras":
        bare.save(path)
    else:
        bare.save_weights(path)
    target.set_weights([np.zeros_like(weights) for weights in target.get_weights()])
    backbones.load_weights(target, INCEPTION, path)
    assert equal_weights(target, bare)


def write_legacy(network, path):
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)


@pytest.mark.soak
def test_a_saved_classifier_is_read_back_and_serves_as_weights(model, images, tmp_path):
    classifier.save(model, tmp_path)
    again = extractor(classifier.load(tmp_path))
    assert (again.model.side, again.model.central_fraction) == (SIDE, 0.875)
    expected = model.network(images, training=False)
    np.testing.assert_allclose(again.forward(images)[1], expected, atol=1e-6)
    other_size = backbones.build(INCEPTION, SIDE + 10, str(tmp_path / classifier.NETWORK))
    assert equal_weights(other_size, model.body)


@pytest.mark.soak
def test_a_saved_classifier_is_the_same_file_each_time(model, tmp_path):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        classifier.save(model, tmp_path / name)
        files.append((tmp_path / name / classifier.NETWORK).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras", "a.txt"])
def test_a_file_that_holds_no_weights_is_named(target, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no weights")
    with pytest.raises(BadInputError, match=f"{name} holds no weights of inception-v3: .+\nexpec"):
        backbones.load_weights(target, INCEPTION, path)


def test_another_network_s_weights_are_refused(keras, target, tmp_path):
    other = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    other.save(tmp_path / "a.keras")
    other.save_weights(tmp_path / "a.weights.h5")
    for name in ("a.keras", "a.weights.h5"):
        with pytest.raises(BadInputError, match="holds no weights of inception-v3"):
            backbones.load_weights(target, INCEPTION, tmp_path / name)


def test_without_a_network_the_way_out_is_named(keras, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(keras.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(BadInputError) as error:
        backbones.build(INCEPTION, SIDE, "imagenet")
    message = str(error.value)
    assert message.startswith("cannot get the ImageNet weights")
    assert "notop.h5" in message
    assert "--weights PATH" in message
    assert "--backbone efficientnet-lite0" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(MissingArtifactError, match=r"model\.json is missing"):
        classifier.load(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(
        BadInputError, match=r"model\.json is not a valid image model of adcat: 'backbone'"
    ):
        classifier.load(tmp_path)


def test_features_come_in_order_and_do_not_depend_on_the_batch(model, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(7)]
    for i, path in enumerate(paths):
        Image.linear_gradient("L").rotate(40 * i).resize((30, 20)).save(path)
    extracted = extractor(model)
    images = np.stack([model.read(path) for path in paths])
    expected = [part(images, training=False) for part in (model.body, model.network)]
    assert np.std(expected[0], axis=0).mean() > 1e-4  # they differ from photo to photo
    for batch_size in (1, 5, 32):
        batches = list(stream_features(extracted, paths, batch_size))
        vectors, probs = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        assert vectors.dtype == probs.dtype == np.float32
        np.testing.assert_allclose(vectors, expected[0], atol=1e-5)
        np.testing.assert_allclose(probs, expected[1], atol=1e-6)
        for done in range(len(paths)):  # rounded as beside the photos before them
            found = [v for v, _ in stream_features(extracted, paths, batch_size, done)]
            np.testing.assert_array_equal(np.concatenate(found), vectors[done:])


def test_a_photo_that_cannot_be_read_is_named(model, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"broken\.jpg is not a readable photo"):
        list(stream_features(extractor(model), [str(tmp_path / "broken.jpg")], 4))


def test_rows_are_appended_where_an_interrupted_run_stopped(tmp_path):
    rows = np.arange(21, dtype=np.float32).reshape(7, 3)
    asked = []

    def batches(done, until):
        asked.append(done)
        for start in range(done, until, 2):
            yield rows[start : start + 2]
        if until < len(rows):
            raise KeyboardInterrupt

    path = tmp_path / "rows"
    with pytest.raises(KeyboardInterrupt):
        append_rows(path, 3, lambda done: batches(done, 4))
    with path.open("ab") as file:
        file.write(b"half")  # killed within a row
    found = append_rows(path, 3, lambda done: batches(done, 7))
    np.testing.assert_array_equal(found, rows)
    assert asked == [0, 4]
    np.testing.assert_array_equal(append_rows(path, 3, lambda done: batches(done, 7)), rows)
    assert asked == [0, 4, 7]
    with path.open("ab") as file:
        file.write(b"half")
    np.testing.assert_array_equal(appended_rows(path, 3), rows)
    assert appended_rows(tmp_path / "nothing", 3).shape == (0, 3)
