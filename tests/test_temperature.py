import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from adcat.prediction.temperature import fit_temperature, with_temperature


def logits_and_labels(seed, ads=400):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, ads)
    return rng.normal(size=(ads, 4)) + 1.5 * np.eye(4)[labels], labels


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_tempering_divides_the_logits(temperature):
    logits, _ = logits_and_labels(0)
    found = with_temperature(softmax(logits), temperature)
    np.testing.assert_allclose(found, softmax(logits / temperature), atol=1e-6)


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_the_temperature_undoes_overconfidence(seed, factor):
    logits, labels = logits_and_labels(seed)
    plain = fit_temperature(softmax(logits), labels)
    assert fit_temperature(softmax(factor * logits), labels) == pytest.approx(
        factor * plain, rel=0.02
    )


def test_the_temperature_is_the_best_of_a_grid():
    logits, labels = logits_and_labels(3)
    probs = softmax(4 * logits)
    grid = np.geomspace(0.1, 10, 400)
    losses = [log_loss(labels, softmax(np.log(probs) / t).astype(np.float32)) for t in grid]
    assert fit_temperature(probs, labels) == pytest.approx(grid[np.argmin(losses)], rel=0.02)


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_tempering_never_changes_the_order(seed, temperature):
    probs = softmax(logits_and_labels(seed, 20)[0])
    again = with_temperature(probs, temperature)
    assert (np.argsort(-probs) == np.argsort(-again)).all()
    np.testing.assert_allclose(again.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("ads", [1, 5, 50, 1000])
@pytest.mark.parametrize("gap", [0.01, 0.5, 2.0, 6.0])
def test_ads_that_are_all_right_are_believed_as_far_as_they_go(ads, gap):
    labels = np.arange(ads) % 4
    probs = softmax(gap * np.eye(4)[labels])
    found = with_temperature(probs, fit_temperature(probs, labels)).max()
    limit = (ads + 1) / (ads + 2)  # Laplace: n of n are right
    assert found == pytest.approx(limit, abs=1e-3) or (gap == 0.01 and found < limit)


@given(st.integers(0, 1000), st.integers(2, 60), st.floats(0.02, 5), st.floats(0, 1))
def test_no_ads_make_a_model_surer_than_all_of_them_right_would(seed, ads, scale, share):
    rng = np.random.default_rng(seed)
    probs = softmax(scale * rng.normal(size=(ads, 4)))
    labels = np.where(rng.random(ads) < share, probs.argmax(axis=1), rng.integers(0, 4, ads))
    found = with_temperature(probs, fit_temperature(probs, labels)).max(axis=1).mean()
    assert found <= max(probs.max(axis=1).mean(), (ads + 1) / (ads + 2)) + 1e-3


@pytest.mark.parametrize("ads", [1, 5, 50])
def test_ads_that_are_all_wrong_end_all_confidence(ads):
    probs = softmax(3 * np.eye(4)[np.arange(ads) % 4])
    found = with_temperature(probs, fit_temperature(probs, (np.arange(ads) + 1) % 4)).max()
    assert 0.25 < found < 1 / 3


def test_a_category_that_the_model_does_not_know_says_nothing_of_its_temperature():
    """No temperature gives it any probability: it must not make all others even."""
    logits, labels = logits_and_labels(0)
    probs = np.column_stack([softmax(3 * logits), np.zeros(400)]).astype(np.float32)
    known = fit_temperature(probs, labels)
    labels[:40] = 4
    assert fit_temperature(probs, labels) == pytest.approx(known, rel=0.1)
    assert fit_temperature(probs, np.full(400, 4)) == pytest.approx(1, abs=1e-2)


def test_a_probability_of_0_stays_finite():
    probs = np.array([[1, 0], [0, 1]], np.float32)
    assert np.isfinite(fit_temperature(probs, np.array([0, 0])))
    assert np.isfinite(with_temperature(probs, 3.0)).all()
