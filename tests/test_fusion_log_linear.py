import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import allocated
from scipy.optimize import approx_fprime

from adcat.fusion import closed_forms, log_linear
from adcat.fusion.closed_forms import product_max, product_prior
from adcat.probabilities import prior, softmax

PRIOR = np.array([0.5, 0.3, 0.2])


def predictions(n, categories, strength, seed):
    """Probabilities of a classifier that knows something, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, categories, n)
    logits = rng.normal(size=(n, categories))
    logits[np.arange(n), labels] += strength
    return softmax(logits).astype(np.float32), labels


def combine(o_img, o_txt, w_txt, w_img, gamma):
    return closed_forms.log_linear(o_img, o_txt, PRIOR, w_txt, w_img, gamma)


@pytest.fixture(scope="module")
def pair():
    return predictions(40, 3, 1, 0)[0], predictions(40, 3, 2, 1)[0]


def test_the_product_is_a_special_case(pair):
    expected = product_max(*pair)
    np.testing.assert_allclose(combine(*pair, 1, 1, 0), expected, rtol=1e-12)


def test_the_product_over_the_prior_is_a_special_case(pair):
    expected = product_prior(*pair, PRIOR)
    np.testing.assert_allclose(combine(*pair, 1, 1, -1), expected, rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1, 3])
def test_temperature_scaling_is_a_special_case(pair, temperature):
    powers = pair[1].astype(float) ** (1 / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(combine(*pair, 1 / temperature, 0, 0), expected, rtol=1e-6)


def test_product_prior_by_hand():
    o_img, o_txt = np.array([[0.5, 0.3, 0.2]]), np.array([[0.2, 0.2, 0.6]])
    raw = np.array([[0.1 / 0.5, 0.06 / 0.3, 0.12 / 0.2]])
    fused = product_prior(o_img, o_txt, PRIOR)
    np.testing.assert_allclose(fused, raw / raw.sum(), rtol=1e-6)


def test_the_prior_is_smoothed():
    np.testing.assert_allclose(prior(np.array([0, 0, 2]), 3), [3 / 6, 1 / 6, 2 / 6])


@given(st.lists(st.floats(-2, 3), min_size=3, max_size=3), st.sampled_from([0.0, 1.0, 10.0]))
def test_the_gradient_is_that_of_the_loss(weights, regularisation):
    (o_img, labels), (o_txt, _) = predictions(30, 3, 1, 0), predictions(30, 3, 2, 0)
    point, data = np.array(weights), ([o_txt, o_img], labels, PRIOR, regularisation)
    _, gradient = log_linear.loss(point, *data)
    value = lambda w: log_linear.loss(w, *data)[0]  # noqa: E731
    np.testing.assert_allclose(gradient, approx_fprime(point, value), rtol=1e-3, atol=1e-2)


def test_the_fit_takes_the_memory_of_a_block_however_many_ads_there_are(monkeypatch):
    o, labels = predictions(4000, 50, 2, 0)
    uniform = np.full(50, 0.02)
    whole = log_linear.fit([o], labels, uniform, 1.0)
    monkeypatch.setattr(log_linear, "BLOCK", 100)
    few, many = (
        allocated(log_linear.loss, whole, [o[:n]], labels[:n], uniform, 1.0) for n in (400, 4000)
    )
    assert many < 1.5 * few
    np.testing.assert_allclose(log_linear.fit([o], labels, uniform, 1.0), whole, atol=1e-6)


@pytest.fixture(scope="module")
def independent_views():
    """Text and image that are independent given the category, under an uneven prior."""
    rng = np.random.default_rng(3)
    labels = rng.choice(3, 20_000, p=PRIOR)
    views = []
    for strength in (1.0, 2.0):
        seen = rng.normal(size=(20_000, 3))
        seen[np.arange(20_000), labels] += strength
        views.append(softmax(strength * seen + np.log(PRIOR)).astype(np.float32))
    return *views, labels


def test_the_fit_finds_the_bayes_rule_of_independent_views(independent_views):
    o_img, o_txt, labels = independent_views
    w = log_linear.fit([o_txt, o_img], labels, PRIOR, regularisation=1.0)
    np.testing.assert_allclose(w, [1, 1, -1], atol=0.08)


def test_the_fit_takes_overconfidence_back(independent_views):
    o_img, o_txt, labels = independent_views
    sharpened = softmax(3 * np.log(o_txt)).astype(np.float32)
    w = log_linear.fit([sharpened, o_img], labels, PRIOR, regularisation=0.0)
    np.testing.assert_allclose(w, [1 / 3, 1, -1], atol=0.08)


def test_strong_regularisation_gives_the_product(independent_views):
    o_img, o_txt, labels = independent_views
    w = log_linear.fit([o_txt, o_img], labels, PRIOR, regularisation=1e9)
    np.testing.assert_allclose(w, [1, 1, 0], atol=1e-4)


def test_of_one_classifier_it_takes_overconfidence_and_the_prior_back(independent_views):
    _, o_txt, labels = independent_views
    sharpened = softmax(3 * np.log(o_txt) - np.log(PRIOR)).astype(np.float32)
    w = log_linear.fit([sharpened], labels, PRIOR, regularisation=0.0)
    np.testing.assert_allclose(w, [1 / 3, 1 / 3], atol=0.03)


@pytest.mark.parametrize("regularisation", [0.0, 1.0])
@pytest.mark.parametrize("ads", [5, 12, 50])
@pytest.mark.parametrize("gap", [0.02, 0.5, 3.0])
def test_few_ads_that_are_all_right_are_believed_as_far_as_they_go(ads, gap, regularisation):
    labels = np.arange(ads) % 3
    o = softmax(gap * np.eye(3)[labels]).astype(np.float32)
    even = np.full(3, 1 / 3)
    weights = log_linear.fit([o, o], labels, even, regularisation)
    before, after = (log_linear.pool([o, o], even, w).max() for w in ([1, 1, 0], weights))
    assert after <= max(before, (ads + 1) / (ads + 2)) + 1e-3


def test_a_category_that_a_classifier_does_not_know_says_nothing_of_its_weight(independent_views):
    o_img, o_txt, labels = (array[:2000] for array in independent_views)
    prior_of_4 = np.append(0.99 * PRIOR, 0.01)
    views = [np.column_stack([o, np.zeros(2000)]).astype(np.float32) for o in (o_txt, o_img)]
    known = log_linear.fit(views, labels, prior_of_4, 1.0)
    labels = np.where(np.arange(2000) < 100, 3, labels)
    np.testing.assert_allclose(log_linear.fit(views, labels, prior_of_4, 1.0), known, atol=0.1)


def test_few_ads_that_are_all_wrong_leave_nothing_of_the_classifiers():
    labels = np.arange(12) % 3
    o = softmax(3 * np.eye(3)[(labels + 1) % 3]).astype(np.float32)
    weights = log_linear.fit([o, o], labels, np.full(3, 1 / 3), 0.0)
    assert np.abs(weights).max() < 2
    assert log_linear.pool([o, o], np.full(3, 1 / 3), weights)[0, 1] <= 13 / 14


def test_without_ads_one_classifier_is_believed():
    nothing = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    np.testing.assert_array_equal(log_linear.fit([nothing[0]], nothing[1], PRIOR, 1.0), [1, 0])
