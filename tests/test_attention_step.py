"""The attention step against a plain loop, and what holds for it everywhere."""

import math

import numpy as np
import pytest

from adcat.attention.step import QUERY, attention_step
from adcat.learning.runtime import seeded_tensorflow

# Thesis, figure 4.9, at 299 pixels: the maps before modules 1, 4, 6, 9 and 11.
SHAPES = {"a": (35, 35, 192), "b": (35, 35, 288), "c": (17, 17, 768), "d": (17, 17, 768)}
SHAPES["e"] = (8, 8, 2048)
TEXT = 100


@pytest.fixture(scope="module")
def keras():
    return seeded_tensorflow(0).keras


def draw(shape, ads=2, text=TEXT):
    random = np.random.default_rng(0)
    return (
        random.normal(size=(ads, *shape)).astype(np.float32),
        random.normal(size=(ads, text)).astype(np.float32),
    )


def plain(maps, text, wt, over):
    """The thesis' formulas, one ad and one key at a time: weighted maps and α."""
    height, width, channels = maps.shape[1:]
    out, alphas = np.zeros_like(maps), []
    for n in range(len(maps)):
        positions = [(y, x) for y in range(height) for x in range(width)]
        if over == "wh":
            keys = [maps[n, y, x] for y, x in positions]
        else:
            keys = [np.array([maps[n, y, x, c] for y, x in positions]) for c in range(channels)]
        q = text[n] @ wt
        scores = np.array([q @ key for key in keys], np.float64) / math.sqrt(len(q))
        alpha = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        for i, weight in enumerate(alpha):
            if over == "wh":
                out[n][positions[i]] = weight * maps[n][positions[i]]
            else:
                out[n, :, :, i] = weight * maps[n, :, :, i]
        alphas.append(alpha)
    return out, np.array(alphas)


@pytest.mark.parametrize("over", ["wh", "c"])
@pytest.mark.parametrize("point", SHAPES)
def test_it_does_what_a_plain_loop_does(keras, point, over):
    step = attention_step(SHAPES[point], TEXT, over, "weighted", "none")
    maps, text = draw(SHAPES[point])
    out, alpha = (array.numpy() for array in step([maps, text]))
    wanted, weights = plain(maps, text, step.get_layer(QUERY).kernel.numpy(), over)
    np.testing.assert_allclose(alpha, weights, rtol=1e-4)
    np.testing.assert_allclose(out, wanted, rtol=1e-3, atol=1e-8)
    np.testing.assert_allclose(alpha.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("point", "over", "parameters"),
    [
        *(("a", "wh", 100 * 192), ("b", "wh", 100 * 288), ("c", "wh", 100 * 768)),
        *(("d", "wh", 100 * 768), ("e", "wh", 100 * 2048), ("a", "c", 100 * 1225)),
        *(("b", "c", 100 * 1225), ("c", "c", 100 * 289), ("d", "c", 100 * 289)),
        ("e", "c", 100 * 64),
    ],
)
def test_the_attention_matrix_is_all_there_is_to_learn(keras, point, over, parameters):
    step = attention_step(SHAPES[point], TEXT, over, "weighted", "none")
    assert step.count_params() == parameters


@pytest.mark.parametrize("over", ["wh", "c"])
def test_flat_attention_times_the_count_changes_nothing(keras, over):
    step = attention_step((3, 4, 5), 2, over, "weighted", "count")
    step.get_layer(QUERY).kernel.assign(np.zeros((2, 5 if over == "wh" else 12)))
    maps, text = draw((3, 4, 5), text=2)
    out, alpha = step([maps, text])
    np.testing.assert_allclose(out, maps, rtol=1e-6)
    assert np.ptp(alpha) < 1e-7


@pytest.mark.parametrize("over", ["wh", "c"])
def test_the_summed_form_repeats_one_average(keras, over):
    step = attention_step((3, 4, 5), 2, over, "summed", "count")
    maps, text = draw((3, 4, 5), text=2)
    out, alpha = (array.numpy() for array in step([maps, text]))
    if over == "wh":
        average = np.einsum("nl,nlc->nc", alpha, maps.reshape(2, 12, 5))
        np.testing.assert_allclose(out, np.broadcast_to(average[:, None, None], out.shape), 1e-4)
    else:
        average = np.einsum("nc,nhwc->nhw", alpha, maps)
        np.testing.assert_allclose(out, np.broadcast_to(average[..., None], out.shape), 1e-4)


@pytest.mark.parametrize("form", ["weighted", "summed"])
@pytest.mark.parametrize("over", ["wh", "c"])
def test_gradients_reach_the_attention_matrix(keras, over, form):
    import tensorflow as tf

    step = attention_step((3, 4, 5), 2, over, form, "none")
    with tf.GradientTape() as tape:
        out, _ = step(list(draw((3, 4, 5), text=2)))
        loss = tf.reduce_sum(out**2)
    (gradient,) = tape.gradient(loss, step.trainable_variables)
    assert np.abs(gradient).min() > 0


def test_two_places_by_hand(keras):
    step = attention_step((1, 2, 1), 1, "wh", "weighted", "count")
    step.get_layer(QUERY).kernel.assign([[math.log(3)]])
    out, alpha = step([np.array([[[[0.0], [1.0]]]], np.float32), np.ones((1, 1), np.float32)])
    np.testing.assert_allclose(alpha, [[0.25, 0.75]], rtol=1e-6)  # e^0 : e^(log 3 · 1)
    np.testing.assert_allclose(out, [[[[0.0], [1.5]]]], rtol=1e-6)  # 2 · 0.75 · 1
