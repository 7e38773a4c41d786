import numpy as np
import pytest

from adcat.fusion.losses import auxiliary, contrast, cross_entropy, l2, similarities
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import boost, boost_proportionally
from adcat.learning.runtime import import_tensorflow

LABELS = np.array([0, 2, 1, 0])
O_IMG = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.4, 0.5, 0.1]], np.float32)
O_TXT = np.array([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4]], np.float32)
ARRAYS = {"image_probs": O_IMG, "text_probs": O_TXT}


@pytest.fixture(scope="module")
def tf():
    return import_tensorflow()


def test_boost_factors_by_hand():
    settings = PolicySettings(image_boost=0.655)
    np.testing.assert_allclose(boost(ARRAYS, LABELS, settings), [0.655, 1, 0.655, 1])
    expected = [1 + 0.1 * 2.639, 1, 1 + 0.8 * 2.639, 1]
    found = boost_proportionally(ARRAYS, LABELS, PolicySettings(image_boost=2.639))
    np.testing.assert_allclose(found, expected, 1e-6)


def test_cross_entropy_against_a_plain_loop(tf):
    rng = np.random.default_rng(0)
    logits, weights = rng.normal(size=(4, 3)), rng.random(4)
    total = 0.0
    for logit, label, weight in zip(logits, LABELS, weights, strict=True):
        total += weight * (np.log(np.exp(logit).sum()) - logit[label])
    np.testing.assert_allclose(cross_entropy(tf.constant(logits), LABELS, weights), total / 4)


def test_boosting_the_gradient_equals_weighting_the_loss(tf):
    """The thesis multiplies per-example gradients; the code weights per-example losses."""
    factors = boost(ARRAYS, LABELS, PolicySettings(image_boost=0.655))
    logits = tf.Variable(np.random.default_rng(0).normal(size=(4, 3)))
    with tf.GradientTape() as tape:
        loss = cross_entropy(logits, LABELS, factors.astype(float))
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    by_hand = factors[:, None] * (p - np.eye(3)[LABELS]) / 4
    np.testing.assert_allclose(tape.gradient(loss, logits), by_hand, rtol=1e-6)


def test_l2_counts_weight_matrices_and_no_biases(tf):
    import keras

    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    layer.set_weights([np.arange(6.0).reshape(3, 2), np.array([100.0, 100.0])])
    np.testing.assert_allclose(
        l2([v.value for v in layer.trainable_variables], 0.1), 0.1 * 55 / 2, rtol=1e-6
    )


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_auxiliary_loss_against_a_plain_loop_with_known_negatives(tf, similarity):
    rng = np.random.default_rng(1)
    images, texts = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    draws = np.array([[1, 2], [0, 3], [3, 1], [3, 2]])  # the last ad's first draw is no negative
    total = 0.0
    for n, drawn in enumerate(draws):
        for j in drawn:
            if LABELS[j] != LABELS[n]:
                own, other = (_similarity(images[n], t, similarity) for t in (texts[n], texts[j]))
                total += -np.log(np.exp(own) / (np.exp(own) + np.exp(other)))
    other = tf.constant((LABELS[:, None] != LABELS).astype(float))
    found = contrast(similarities(images, texts, similarity), tf.constant(draws), other)
    np.testing.assert_allclose(found, total / 4, rtol=1e-6)


def _similarity(i, t, kind):
    return i @ t / (np.linalg.norm(i) * np.linalg.norm(t)) if kind == "cosine" else i @ t


@pytest.mark.parametrize("ads", [1, 3])
def test_a_batch_of_one_category_has_no_auxiliary_loss(tf, ads):
    vectors = tf.constant(np.random.default_rng(0).normal(size=(2, ads, 4)), tf.float32)
    labels = tf.constant([1] * ads)
    assert float(tf.function(auxiliary)(*vectors, labels, "dot", 5, (0, 0))) == 0


def test_negatives_are_of_another_category(tf):
    """Only the first image is like a text of another category: only it has a loss."""
    u_img, u_txt = tf.eye(4), tf.eye(4) * 50
    labels = tf.constant([0, 0, 0, 1])
    u_txt = tf.tensor_scatter_nd_update(u_txt, [[3, 0]], [500.0])
    losses = [float(auxiliary(u_img, u_txt, labels, "dot", 1, (0, i))) for i in range(5)]
    assert losses == pytest.approx([(500 - 50) / 4] * 5, rel=1e-3)
