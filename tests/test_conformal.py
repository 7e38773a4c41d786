import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.prediction.conformal import scores, set_sizes, threshold
from adcat.prediction.rules import Promise, Rule

#                 A    B    C
PROBS = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]], np.float32)


def test_a_score_is_the_probability_before_the_true_category():
    assert scores(PROBS, np.array([1, 2, 2])) == pytest.approx([0.5, 0, 0.8])
    assert scores(PROBS, np.array([0, 0, 1])) == pytest.approx([0, 0.9, 0.4])  # ties: first first


def test_the_threshold_is_an_order_statistic_by_hand():
    found = np.arange(19) / 100
    assert threshold(found, 0.95) == 0.18  # the 19th of 19
    assert threshold(found, 0.9) == 0.17
    assert threshold(found, 0.5) == 0.09
    assert threshold(found[:18], 0.95) == math.inf  # ⌈19 · 0.95⌉ = 19 > 18


def test_sets_by_hand():
    assert set_sizes(PROBS, 0.0).tolist() == [1, 1, 1]
    assert set_sizes(PROBS, 0.6).tolist() == [2, 1, 2]
    assert set_sizes(PROBS, 0.75).tolist() == [2, 2, 2]
    assert set_sizes(PROBS, math.inf).tolist() == [3, 3, 3]


def drawn(rng, ads, sharpness):
    """Ads whose true probabilities a model overstates: what it says [n, 8], their categories."""
    logits = rng.normal(scale=1.5, size=(ads, 8))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = p**sharpness / (p**sharpness).sum(axis=1, keepdims=True)
    labels = (rng.random((ads, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(max=7)
    return said.astype(np.float32), labels


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("sharpness", [0.5, 1, 3])
@pytest.mark.parametrize("calibrate", [False, True])
def test_held_out_ads_are_covered_as_promised(coverage, sharpness, calibrate):
    rng = np.random.default_rng(1)
    seen, labels = drawn(rng, 4000, sharpness)
    promise = Promise(calibrate, coverage, seed=0)
    rule = promise.keep(
        Rule(("text_probs",), lambda arrays: arrays[0]), seen, labels, np.arange(4000)
    )
    unseen, truth = drawn(rng, 20_000, sharpness)
    probs = rule.probs({"text_probs": unseen}, np.arange(len(unseen)))
    found = np.mean(scores(probs, truth) <= rule.threshold)
    error = 4 * math.sqrt(coverage * (1 - coverage) * (1 / 2000 + 1 / 20_000))
    assert abs(found - coverage) < error
    ranks = (probs > probs[np.arange(len(truth)), truth][:, None]).sum(axis=1)
    assert np.mean(ranks < rule.sizes(probs, 1)) == pytest.approx(found, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(0.5, 0.99), st.integers(20, 60))
def test_of_exchangeable_ads_the_promise_holds_on_average(seed, coverage, ads):
    """Leaving each ad out in turn: at least ⌈n · coverage⌉ of n are covered by the others."""
    rng = np.random.default_rng(seed)
    values = rng.random(ads)
    covered = [values[i] <= threshold(np.delete(values, i), coverage) for i in range(ads)]
    assert sum(covered) >= math.ceil(ads * coverage - 1e-9)


@pytest.mark.parametrize("all_right", [True, False])
def test_of_few_ads_there_is_no_temperature_and_they_all_serve_the_coverage(all_right):
    probs, labels = drawn(np.random.default_rng(0), 99, 1)
    labels = probs.argmax(axis=1) if all_right else probs.argmin(axis=1)
    rule, groups = Rule(("text_probs",), lambda arrays: arrays[0]), np.arange(99)
    for ads, coverage in ((0, None), (49, None), (99, 0.9)):
        kept = Promise(True, coverage, seed=0).keep(rule, probs[:ads], labels[:ads], groups[:ads])
        assert kept.temperature is None
    assert kept.threshold == Promise(False, 0.9, seed=0).keep(rule, probs, labels, groups).threshold
    assert (kept.threshold == 0) == all_right
    enough = Promise(True, None, seed=0).keep(rule, probs[:50], labels[:50], groups[:50])
    assert enough.temperature is not None


def test_temperature_and_threshold_are_found_on_different_ads():
    rng = np.random.default_rng(0)
    probs, labels = drawn(rng, 200, 3)
    rule = Rule(("text_probs",), lambda arrays: arrays[0])
    groups = np.arange(200) // 2  # each ad has a duplicate, which is never in the other half
    both = Promise(True, 0.9, seed=0).keep(rule, probs, labels, groups)
    first = np.isin(groups, np.random.default_rng(0).permutation(100)[:50])
    of_first = Promise(True, None, seed=0).keep(rule, probs[first], labels[first], groups[first])
    assert both.temperature == of_first.temperature
    tempered = both.probs({"text_probs": probs}, np.flatnonzero(~first))
    assert both.threshold == threshold(scores(tempered, labels[~first]), 0.9)


def test_a_promise_on_duplicates_of_one_ad_has_a_temperature_and_no_threshold():
    probs, labels = drawn(np.random.default_rng(0), 130, 3)
    rule = Rule(("text_probs",), lambda arrays: arrays[0])
    for ads in (100, 101, 130):
        found = Promise(True, 0.5, seed=0).keep(rule, probs[:ads], labels[:ads], np.zeros(ads, int))
        assert found.temperature is not None
        assert found.threshold == math.inf
