"""The last layer, fitted on a frozen network's vectors."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from adcat.image import last_layer
from adcat.image.last_layer import LabelledVectors
from adcat.progress import Silent

DIMENSION, CATEGORIES, ADS = 6, 3, 50


@pytest.fixture
def vectors():
    """Directions of very different strength; the last one never varies."""
    random = np.random.default_rng(0)
    strength = [1, 1e-1, 1e-2, 1e-3, 1e-4, 0]
    return (random.normal(size=(ADS, DIMENSION)) * strength + 0.5).astype(np.float32)


def drawn(crops=1, ads=60, seed=3):
    """LabelledVectors of three categories, `crops` of each."""
    random = np.random.default_rng(seed)
    labels = np.arange(ads) % CATEGORIES
    shape = (ads * crops, DIMENSION)
    found = (random.normal(size=shape) + np.tile(labels, crops)[:, None]).astype(np.float32)
    scaling = last_layer.scaling(found, is_random=False)
    return LabelledVectors(found, labels, np.arange(ads), scaling)


def test_moments_are_those_of_all_rows_at_once(vectors, monkeypatch):
    monkeypatch.setattr(last_layer, "BLOCK", 7)
    mean, variance = last_layer.moments(vectors)
    np.testing.assert_allclose(mean, vectors.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(variance, vectors.var(axis=0, dtype=np.float64), atol=1e-15)


def test_vectors_have_length_1_on_the_average(vectors):
    x = last_layer.scaling(vectors, is_random=False).of(vectors)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    assert np.square(x).sum(axis=1).mean() == pytest.approx(1, rel=1e-3)
    assert x.std(axis=0)[0] / x.std(axis=0)[1] == pytest.approx(10, rel=0.5)


def test_directions_of_a_random_network_count_alike_but_for_what_hardly_varies(vectors):
    spread = last_layer.scaling(vectors, is_random=True).of(vectors).std(axis=0)
    np.testing.assert_allclose(spread[:2], DIMENSION**-0.5, rtol=1e-3)
    assert (spread[3:] < 0.5 * DIMENSION**-0.5).all()
    assert spread[-1] == 0


@pytest.mark.parametrize("crops", [1, 2])
def test_the_layer_is_scikit_learns_regression_on_scaled_vectors(crops):
    photos, rows = drawn(crops), np.arange(10, 60)
    found = last_layer.fit(photos, rows, CATEGORIES, strength=3.0)
    learned = np.concatenate([rows + 60 * crop for crop in range(crops)])
    x = photos.scaling.of(photos.vectors)
    theirs = LogisticRegression(C=3.0, max_iter=2000, tol=1e-8)
    theirs.fit(x[learned], np.tile(photos.labels, crops)[learned])
    expected = theirs.predict_proba(x[:60])
    np.testing.assert_allclose(found.probs(photos.vectors[:60]), expected, atol=5e-3)


def test_a_category_without_a_photo_is_not_impossible():
    found = last_layer.fit(drawn(), np.arange(60), CATEGORIES + 1, strength=3.0)
    probs = found.probs(drawn().vectors)
    assert (probs[:, CATEGORIES] > 0).all()
    assert probs[:, CATEGORIES].mean() < 0.05


def test_the_strength_with_the_least_loss_is_found_and_the_search_ends_behind_it():
    photos = drawn(ads=300)
    losses = last_layer.search(photos, 0, Silent())
    *falling, last = losses.values()
    assert falling == sorted(falling, reverse=True)
    assert last > falling[-1] or len(losses) == len(last_layer.STRENGTHS)
    assert list(losses) == list(last_layer.STRENGTHS[: len(losses)])


def test_the_probabilities_of_a_photo_are_from_a_layer_that_did_not_see_it():
    """Other categories for the photos of a fold change those of all others, but not theirs."""
    photos = drawn(crops=2, ads=12)
    cuts = [(np.arange(4, 12), np.arange(4)), (np.arange(4), np.arange(4, 12))]
    found = last_layer.out_of_fold_probs(photos, cuts, CATEGORIES, 1.0)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    other = photos.labels.copy()
    other[:4] = (other[:4] + 1) % 3
    changed = last_layer.out_of_fold_probs(photos._replace(labels=other), cuts, CATEGORIES, 1.0)
    np.testing.assert_array_equal(changed[:4], found[:4])
    assert np.abs(changed[4:] - found[4:]).max() > 0.01
