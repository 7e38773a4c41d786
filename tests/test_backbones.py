import numpy as np
import pytest

from adcat.attention.attention_model import build as build_attention
from adcat.attention.attention_model import compiled as compiled_attention
from adcat.attention.config import AttentionConfig
from adcat.errors import BadInputError
from adcat.image import backbones, classifier, lite0
from adcat.image.backbones import BACKBONES, VECTORS
from adcat.image.inference import compiled
from adcat.image.weights.convert import converted
from adcat.learning.runtime import seeded_tensorflow

LITE0 = BACKBONES[lite0.NAME]


@pytest.fixture(autouse=True)
def _seeded():
    seeded_tensorflow(0)


def photos(side, count=2):
    return np.random.default_rng(0).uniform(-1, 1, (count, side, side, 3)).astype(np.float32)


def test_lite0_sees_what_tensorflows_own_sees():
    """The reference is the published network on x[h, w, c] = sin(0.05 h (c + 1)) cos(0.03 w)."""
    h, w, c = np.meshgrid(np.arange(224), np.arange(224), np.arange(3), indexing="ij")
    x = np.sin(0.05 * h * (c + 1)) * np.cos(0.03 * w)
    images = (x * 128 - 0.5) / 127.5  # x is (pixel - 127) / 128, images pixel / 127.5 - 1
    vector = backbones.build(LITE0, 224, "imagenet")(images[None].astype(np.float32))[0].numpy()
    assert vector.shape == (1280,)
    assert vector.argmax() == 71
    found = vector.mean(), vector.std(), vector.max()
    assert found == pytest.approx((0.15455, 0.60140, 5.9149), abs=2e-3)  # weights are float16


def test_every_layer_of_lite0_has_published_weights():
    layers = [layer for layer in lite0.build(32, is_pretrained=False).layers if layer.weights]
    with lite0.WEIGHTS.open("rb") as file, np.load(file) as stored:
        assert sorted(layer.name for layer in layers) == sorted(stored)
        for layer in layers:
            shapes = [array.shape for array in layer.get_weights()]
            assert list(stored[layer.name].shape) == (
                [4, *shapes[0]] if layer.name.endswith("_norm") else list(shapes[0])
            )


def test_conversion_by_hand():
    """A depthwise and an expanding convolution of two channels, and the norms behind them."""
    tensors = {
        "_blocks.3._expand_conv.weight": np.arange(2.0).reshape(2, 1, 1, 1),
        **{f"_blocks.3._bn0.{part}": np.full(2, k) for k, part in enumerate(NORM)},
        "_blocks.3._depthwise_conv.weight": np.arange(8.0).reshape(2, 1, 2, 2),
        **{f"_blocks.3._bn1.{part}": np.full(2, 4 + k) for k, part in enumerate(NORM)},
        "_fc.weight": np.zeros((3, 2)),
        "_blocks.3._bn0.num_batches_tracked": np.zeros(()),
    }
    found = converted(tensors)
    assert sorted(found) == sorted(
        f"block3_{kind}{end}" for kind in ("expand", "depthwise") for end in ("", "_norm")
    )
    assert found["block3_expand"].tolist() == [[[[0, 1]]]]
    assert found["block3_depthwise"][..., 0].tolist() == [[[0, 4], [1, 5]], [[2, 6], [3, 7]]]
    assert found["block3_depthwise_norm"].tolist() == [[4, 4], [5, 5], [6, 6], [7, 7]]


NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.mark.parametrize(
    "name",
    [
        lite0.NAME,
        pytest.param("mobilenet-v3-small", marks=pytest.mark.soak),
        pytest.param("convnext-tiny", marks=pytest.mark.soak),
    ],
)
def test_a_stored_classifier_says_the_same_again(name, tmp_path):
    made = classifier.build(BACKBONES[name], 40, 3, None)
    for layer in made.network.layers:  # a fresh norm has nothing to fold
        if layer.name.endswith("_norm"):
            spread = np.random.default_rng(1).uniform(0.5, 2, (4, layer.beta.shape[0]))
            layer.set_weights(spread)
    classifier.save(made, tmp_path)
    again = classifier.load(tmp_path, 3)
    assert (again.backbone, again.side) == (BACKBONES[name], 40)
    vectors, probs = compiled(again.network, VECTORS, classifier.PROBABILITIES)(photos(40))
    np.testing.assert_allclose(vectors, made.body(photos(40), training=False), atol=2e-4, rtol=1e-3)
    np.testing.assert_allclose(probs, made.network(photos(40), training=False), atol=1e-4)


@pytest.mark.soak
@pytest.mark.parametrize(
    "name", sorted(set(BACKBONES) - {lite0.NAME, "mobilenet-v3-small", "convnext-tiny"})
)
def test_every_other_stored_classifier_says_the_same_again(name, tmp_path):
    side = BACKBONES[name].smallest_side
    made = classifier.build(BACKBONES[name], side, 3, None)
    classifier.save(made, tmp_path)
    (probs,) = compiled(classifier.load(tmp_path, 3).network, classifier.PROBABILITIES)(
        photos(side)
    )
    np.testing.assert_allclose(probs, made.network(photos(side), training=False), atol=1e-4)


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, marks=[] if point == "e" else pytest.mark.soak) for point in LITE0.points],
)
def test_attention_that_is_uniform_leaves_lite0_as_it_is(point):
    image = classifier.build(LITE0, 64, 3, "imagenet")
    text = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    model = build_attention(image, text, AttentionConfig(insert_at=point))
    for variable in model.step.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    probs, *_ = compiled_attention(model)(photos(64), text[:2])
    np.testing.assert_allclose(probs, image.network(photos(64), training=False), atol=1e-5)


def test_points_of_lite0_are_maps_of_falling_size():
    network = lite0.build(224, is_pretrained=False)
    sides = [network.get_layer(layer).output.shape[1] for layer in LITE0.points.values()]
    assert sides == [56, 28, 14, 14, 7]


def test_attention_where_there_is_no_point_for_it():
    image = classifier.build(BACKBONES["mobilenet-v3-small"], 32, 3, None)
    with pytest.raises(BadInputError, match="cannot be inserted into mobilenet-v3-small"):
        build_attention(image, np.zeros((2, 3), np.float32), AttentionConfig())


def test_photos_that_are_too_small_for_a_network():
    with pytest.raises(BadInputError, match="inception-v3 needs photos of 75 pixels"):
        backbones.build(BACKBONES["inception-v3"], 74, None)
