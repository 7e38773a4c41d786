import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import log_loss, precision_score, recall_score, top_k_accuracy_score

from adcat.errors import BadInputError
from adcat.evaluation.metrics import BLOCK, ad_results, count_categories, score
from adcat.evaluation.significance import (
    accuracy_interval,
    fisher,
    holm,
    mcnemar,
    paired_difference,
)

FILE = Path("fuse/max/test/probs.npy")


def measure(probs, labels):
    found = ad_results(np.asarray(probs, np.float32), np.asarray(labels), FILE)
    return found, score(found, count_categories(found, np.shape(probs)[1]))


def random_probs(n, categories, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(categories, 0.3), n).astype(np.float32)


@st.composite
def labelled_probs(draw):
    """Probabilities with ties among them, and labels."""
    n, categories = draw(st.integers(1, 12)), draw(st.integers(2, 7))
    weights = draw(hnp.arrays(np.float32, (n, categories), elements=st.sampled_from([1, 2, 4, 8])))
    labels = draw(hnp.arrays(np.int64, n, elements=st.integers(0, categories - 1)))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_three_ads_by_hand():
    probs = [[0.2, 0.5, 0.3, 0.0], [0.4, 0.1, 0.1, 0.4], [0.6, 0.4, 0.0, 0.0]]
    found, scores = measure(probs, [1, 3, 1])
    assert found.predicted.tolist() == [1, 0, 0]  # the tie of the second ad goes to category 0
    assert found.rank.tolist() == [0, 1, 1]
    np.testing.assert_allclose(found.confidence, [0.5, 0.4, 0.6])
    np.testing.assert_allclose(found.loss, [-math.log(0.5), -math.log(0.4), -math.log(0.4)], 1e-6)
    assert scores.top1 == pytest.approx(1 / 3)
    assert scores.top5 == 1
    assert scores.categories_scored == 2  # 1 and 3 have ads
    assert scores.mean_recall == pytest.approx((1 / 2 + 0) / 2)
    assert scores.mean_precision == pytest.approx((1 / 1 + 0) / 2)  # 3 is never predicted


@given(labelled_probs())
def test_the_rank_is_the_place_in_a_stable_order(case):
    probs, labels = case
    found = ad_results(probs, labels, FILE)
    for row, label, predicted, rank in zip(probs, labels, found.predicted, found.rank, strict=True):
        order = sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))
        assert (predicted, rank) == (order[0], order.index(label))


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_metrics_equal_those_of_scikit_learn(n):
    categories = 23
    probs, labels = random_probs(n, categories), np.random.default_rng(1).integers(0, 20, n)
    found, scores = measure(probs, labels)
    everything = np.arange(categories)
    here = np.unique(labels)
    for k, ours in ((1, scores.top1), (5, scores.top5)):
        theirs = top_k_accuracy_score(labels, probs, k=k, labels=everything)
        assert ours == pytest.approx(theirs)
    for metric, ours in (
        (recall_score, scores.mean_recall),
        (precision_score, scores.mean_precision),
    ):
        theirs = metric(labels, probs.argmax(1), labels=here, average="macro", zero_division=0)
        assert ours == pytest.approx(theirs)
    assert scores.categories_scored == len(here)
    double = probs / probs.sum(axis=1, keepdims=True, dtype=np.float64)
    theirs = log_loss(labels, double, labels=everything)
    assert found.loss.mean() == pytest.approx(theirs, rel=1e-5)


def test_a_true_category_without_probability_has_a_finite_loss():
    found, _ = measure([[1.0, 0.0], [1.0, 0.0]], [0, 1])
    assert np.isfinite(found.loss).all()


@given(labelled_probs(), st.randoms(use_true_random=False))
def test_the_order_of_the_ads_does_not_matter(case, random):
    probs, labels = case
    order = random.sample(range(len(labels)), len(labels))
    assert measure(probs, labels)[1] == measure(probs[order], labels[order])[1]


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_categories_does_not_matter(seed, random):
    probs, labels = random_probs(30, 6, seed), np.random.default_rng(seed).integers(0, 6, 30)
    old = np.array(random.sample(range(6), 6))  # new category -> old one
    _, scores = measure(probs, labels)
    _, renamed = measure(probs[:, old], np.argsort(old)[labels])
    assert renamed.top1 == scores.top1
    assert renamed.top5 == scores.top5
    assert renamed.mean_recall == pytest.approx(scores.mean_recall)
    assert renamed.mean_precision == pytest.approx(scores.mean_precision)


@given(labelled_probs())
def test_the_best_and_the_worst_model(case):
    probs, labels = case
    _, perfect = measure(np.eye(probs.shape[1])[labels], labels)
    assert (perfect.top1, perfect.top5, perfect.mean_recall, perfect.mean_precision) == (1, 1, 1, 1)
    _, wrong = measure(np.eye(probs.shape[1])[labels - 1], labels)
    assert (wrong.top1, wrong.mean_recall, wrong.mean_precision) == (0, 0, 0)


def test_what_is_counted_by_category_adds_up():
    found, scores = measure(random_probs(500, 9), np.random.default_rng(2).integers(0, 8, 500))
    counts = count_categories(found, 9)
    assert counts.ads.sum() == counts.predicted.sum() == 500
    assert counts.correct.sum() / 500 == pytest.approx(scores.top1)
    assert np.isnan(counts.recall).tolist() == [False] * 8 + [True]


def test_a_memory_mapped_file_gives_the_same(tmp_path):
    probs, labels = random_probs(BLOCK + 7, 5), np.zeros(BLOCK + 7, int)
    np.save(tmp_path / "probs.npy", probs)
    mapped = ad_results(np.load(tmp_path / "probs.npy", mmap_mode="r"), labels, FILE)
    np.testing.assert_array_equal(mapped.rank, ad_results(probs, labels, FILE).rank)


@pytest.mark.parametrize("bad", [[math.nan, 0.5], [math.inf, 0.5], [0.5, 0.6], [0.0, 0.0]])
def test_a_row_that_is_no_distribution_is_named(bad):
    probs = np.full((2 * BLOCK, 2), 0.5, np.float32)
    probs[BLOCK + 3] = bad
    with pytest.raises(BadInputError, match=rf"fuse/max/test/probs.npy: row {BLOCK + 3} "):
        ad_results(probs, np.zeros(2 * BLOCK, int), FILE)


def test_another_number_of_ads_is_refused():
    with pytest.raises(BadInputError, match="expected a row for each of 3 ads, found 2"):
        ad_results(random_probs(2, 4), np.zeros(3, int), FILE)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (10, 10), (871, 1000)])
def test_the_interval_of_top_1_is_wilsons(right, n):
    z, p = 1.959963985, right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = accuracy_interval(np.arange(n) < right)
    assert (low, high) == pytest.approx((middle - reach, middle + reach), abs=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 1), (3, 3), (2, 12)])
def test_mcnemars_p_value_is_a_sum_of_binomial_coefficients(gained, lost):
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1)) / 2**n
    assert mcnemar(gained, lost) == pytest.approx(min(1, 2 * tail))


def test_the_paired_difference_by_hand():
    correct = np.array([True] * 6 + [False] * 4)
    reference = np.array([False] * 3 + [True] * 4 + [False] * 3)  # 3 gained, 1 lost
    found = paired_difference(correct, reference)
    reach = 1.959963985 * math.sqrt((4 / 12 + 2 / 12 - (2 / 12) ** 2) / 12)
    assert found.difference == pytest.approx(0.2)
    assert found.interval == pytest.approx((2 / 12 - reach, 2 / 12 + reach), abs=1e-9)
    assert found.p_value == pytest.approx(10 / 16)


@given(hnp.arrays(bool, (2, 15)))
def test_the_paired_difference_changes_its_sign_with_the_sides(both):
    one, other = paired_difference(*both), paired_difference(*both[::-1])
    assert one.difference == -other.difference
    assert one.interval == pytest.approx([-bound for bound in other.interval[::-1]])
    assert one.p_value == other.p_value
    assert one.interval[0] <= one.difference <= one.interval[1]


def test_the_interval_of_the_difference_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    p_text, p_gained, p_lost = 0.8, 0.5, 0.06  # the model is right in 0.2·0.5 + 0.8·0.94
    truth = (1 - p_text) * p_gained - p_text * p_lost
    covered = 0
    for _ in range(1000):
        text = generator.random(200) < p_text
        fused = np.where(text, generator.random(200) >= p_lost, generator.random(200) < p_gained)
        low, high = paired_difference(fused, text).interval
        covered += low <= truth <= high
    assert 0.93 <= covered / 1000 <= 0.97


def test_fishers_tasting_of_tea():
    # 3 of 4 cups right: (C(4,3)·C(4,1) + C(4,4)·C(4,0)) / C(8,4) on either side
    assert fisher(3, 4, 1, 4) == pytest.approx(2 * (16 + 1) / 70)
    assert fisher(2, 4, 2, 4) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis(p_values):
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, len(p_values) * p)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    for alpha in (0.01, 0.05, 0.2):  # what Holm's procedure itself rejects, step by step
        rejected = set()
        for position, i in enumerate(order):
            if p_values[i] * (len(p_values) - position) > alpha:
                break
            rejected.add(int(i))
        assert rejected == {i for i, q in enumerate(corrected) if q <= alpha}
