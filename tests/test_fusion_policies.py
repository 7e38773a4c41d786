import numpy as np
import pytest
from handmade import CLOSED_FORMS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adcat.fusion.closed_forms import Evidence
from adcat.fusion.policies import POLICIES

HEURISTICS = ["max", "sum-max", "product-max"]

# Two ads, three categories, worked by hand.
O_IMG = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], np.float32)
O_TXT = np.array([[0.2, 0.2, 0.6], [0.5, 0.3, 0.2]], np.float32)
BY_HAND = {
    "max": [[5 / 14, 3 / 14, 6 / 14], [5 / 15, 8 / 15, 2 / 15]],
    "sum-max": [[0.35, 0.25, 0.4], [0.3, 0.55, 0.15]],
    "product-max": [[10 / 28, 6 / 28, 12 / 28], [5 / 31, 24 / 31, 2 / 31]],
}


@st.composite
def probability_pairs(draw):
    """Two arrays [n, categories] of probabilities, zeros and ones among them."""
    n, categories = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    elements = st.sampled_from([0.0, 1e-30, 1e-3, 0.5, 1.0]) | st.floats(0, 1, width=32)

    def probs():
        raw = draw(hnp.arrays(np.float32, (n, categories), elements=elements))
        raw[:, 0] += raw.sum(axis=1) == 0
        return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)

    return probs(), probs()


def fused(name, o_img, o_txt, labels=None):
    """Fits the policy on the very ads and combines them."""
    n, categories = o_img.shape
    labels = np.arange(n) % categories if labels is None else labels
    prior = np.full(categories, 1 / categories)
    policy = POLICIES[name]
    parameters = policy.fit(Evidence([o_txt, o_img], labels, prior, 1.0))
    return policy.combine(o_img, o_txt, **parameters)


@pytest.mark.parametrize("name", HEURISTICS)
def test_by_hand(name):
    np.testing.assert_allclose(fused(name, O_IMG, O_TXT), BY_HAND[name], rtol=1e-6)


def weight_of_image(n, o_img, o_txt, regularisation=1.0):
    """That a sum gives the image, from what both say of the true category of n equal ads."""
    o_txt, o_img = (np.tile([o, 1 - o], (n, 1)).astype(np.float32) for o in (o_txt, o_img))
    evidence = Evidence([o_txt, o_img], np.zeros(n, np.int64), np.ones(2) / 2, regularisation)
    return POLICIES["weighted-sum"].fit(evidence)["w_img"]


def test_the_weight_of_a_sum_by_hand():
    """Of n ads about which image alone is right, (n + 1) / (n + 2); nobody knows more: a half."""
    assert weight_of_image(3, 1.0, 0.0) == pytest.approx(4 / 5, abs=1e-6)
    assert weight_of_image(3, 0.0, 1.0) == pytest.approx(1 / 5, abs=1e-6)
    assert weight_of_image(3, 1.0, 0.0, regularisation=2.0) == pytest.approx(5 / 7, abs=1e-6)
    assert weight_of_image(3, 0.6, 0.6) == pytest.approx(1 / 2, abs=1e-6)
    assert weight_of_image(0, 1.0, 0.0) == pytest.approx(1 / 2, abs=1e-6)
    assert weight_of_image(3, 0.6, 0.4, regularisation=0.0) == pytest.approx(1, abs=1e-6)


def test_a_weighted_sum_by_hand():
    probs = POLICIES["weighted-sum"].combine(O_IMG, O_TXT, w_img=0.75)
    np.testing.assert_allclose(probs, [[0.425, 0.275, 0.3], [0.2, 0.675, 0.125]], rtol=1e-6)


def test_a_choice_by_hand():
    """The image is surer than the text by .1 and by .3; its second category counts against it."""
    o_img = np.array([[0.6, 0.3, 0.1], [0.8, 0.1, 0.1]], np.float32)
    o_txt = np.array([[0.2, 0.5, 0.3], [0.4, 0.5, 0.1]], np.float32)
    odds = {"w_img": [1, -1, 0], "w_txt": [-1, 0, 0], "bias": 0.0}  # -.2 and .2
    probs = POLICIES["choice"].combine(o_img, o_txt, **odds)
    np.testing.assert_array_equal(probs, [o_txt[0], o_img[1]])
    probs = POLICIES["choice"].combine(o_img, o_txt, **{**odds, "bias": -0.3})
    np.testing.assert_array_equal(probs, o_txt)


def fitted_choice(o_img, o_txt, labels, regularisation=1.0):
    evidence = Evidence([o_txt, o_img], labels, np.ones(3) / 3, regularisation)
    return POLICIES["choice"].fit(evidence)


def test_the_surer_one_is_taken_where_nothing_else_is_known():
    """Neither is right about the first two ads, both about the third."""
    o_img, o_txt = np.vstack([O_IMG, O_IMG[:1]]), np.vstack([O_TXT, O_IMG[:1]])
    found = fitted_choice(o_img, o_txt, np.array([1, 2, 0]))
    assert found == {"w_img": [1, 0, 0], "w_txt": [-1, 0, 0], "bias": 0}


def test_the_less_sure_one_is_taken_where_that_was_the_right_one():
    """The image, always sure, is right where the text's second category comes close."""
    close, clear = [0.5, 0.4, 0.1], [0.6, 0.2, 0.2]
    o_txt = np.array([close, clear] * 20, np.float32)
    o_img = np.tile(np.array([0.1, 0.8, 0.1], np.float32), (40, 1))
    labels = np.array([1, 0] * 20)
    found = POLICIES["choice"].combine(o_img, o_txt, **fitted_choice(o_img, o_txt, labels, 0.01))
    assert (found.argmax(axis=1) == labels).all()
    surer = POLICIES["choice"].combine(o_img, o_txt, **fitted_choice(o_img, o_txt, labels, 1e6))
    assert (surer.argmax(axis=1) == 1).all()


def evaluated(formula, parameters, **arrays):
    known = {"maximum": np.maximum, "sorted": np.sort, **parameters}
    ads = range(len(O_TXT))
    scores = np.array([eval(formula, known, {o: arrays[o][ad] for o in arrays}) for ad in ads])
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_formula_is_what_is_computed(name):
    policy, prior = POLICIES[name], np.array([0.5, 0.3, 0.2])
    parameters = policy.fit(Evidence([O_TXT, O_IMG], np.array([0, 1]), prior, 1.0))
    known = {**parameters, "prior": prior}
    ours = evaluated(policy.formula, known, o_img=O_IMG, o_txt=O_TXT)
    np.testing.assert_allclose(ours, policy.combine(O_IMG, O_TXT, **parameters), rtol=1e-6)
    if single := policy.single_modality:
        parameters = {"w": 0.7, "gamma": -0.2, "prior": prior}
        ours = evaluated(single.formula, parameters, o=O_TXT)
        np.testing.assert_allclose(ours, single.prediction(O_TXT, **parameters), rtol=1e-6)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@given(probability_pairs())
def test_every_policy_gives_probabilities(name, pair):
    probs = fused(name, *pair)
    assert probs.shape == pair[0].shape
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", [*HEURISTICS, "product-prior"])
@given(probability_pairs())
def test_neither_modality_comes_first(name, pair):
    np.testing.assert_array_equal(fused(name, *pair), fused(name, *pair[::-1]))


@pytest.mark.parametrize("name", CLOSED_FORMS)
@given(probability_pairs(), st.randoms(use_true_random=False))
def test_ads_and_categories_may_come_in_any_order(name, pair, random):
    n, categories = pair[0].shape
    rows, columns = [*range(n)], [*range(categories)]
    random.shuffle(rows)
    random.shuffle(columns)
    labels = np.arange(n) % categories
    relabelled = np.argsort(columns)[labels]
    reordered = [probs[rows][:, columns] for probs in pair]
    expected = fused(name, *pair, labels)[rows][:, columns]
    found = fused(name, *reordered, relabelled[rows])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", HEURISTICS)
@given(probability_pairs())
def test_baselines_that_agree_are_followed(name, pair):
    probs = pair[0]
    top = probs.argmax(axis=1)
    assert (fused(name, probs, probs).argmax(axis=1) == top).all()


@given(probability_pairs())
def test_max_takes_the_prediction_of_the_more_confident_baseline(pair):
    o_img, o_txt = pair
    surer = np.where(o_img.max(1) > o_txt.max(1), o_img.argmax(1), o_txt.argmax(1))
    certain = o_img.max(1) != o_txt.max(1)
    assert (fused("max", o_img, o_txt).argmax(1) == surer)[certain].all()


def test_a_product_of_tiny_probabilities_does_not_underflow():
    probs = np.array([[1e-30, 2e-30, 1 - 3e-30]], np.float32)
    other = np.array([[1e-30, 1 - 1e-30, 0]], np.float32)
    product = fused("product-max", probs, other)
    assert product.argmax() == 1
    np.testing.assert_allclose(product.sum(), 1, rtol=1e-6)
