"""The last layer behind scaled vectors, for networks that are left random."""

import numpy as np
import pytest

from adcat.image import stages
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import Schedule
from adcat.learning.training_loop import Run
from adcat.progress import Silent

DIMENSION, CATEGORIES, ADS = 6, 3, 50


@pytest.fixture(scope="module")
def keras():
    return seeded_tensorflow(0).keras


@pytest.fixture
def vectors():
    """Directions of very different strength; the last one never varies."""
    random = np.random.default_rng(0)
    strength = [1, 1e-1, 1e-2, 1e-3, 1e-4, 0]
    return (random.normal(size=(ADS, DIMENSION)) * strength + 0.5).astype(np.float32)


def test_moments_are_those_of_all_rows_at_once(vectors, monkeypatch):
    monkeypatch.setattr(stages, "BLOCK", 7)
    mean, variance = stages.moments(vectors)
    np.testing.assert_allclose(mean, vectors.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(variance, vectors.var(axis=0, dtype=np.float64), atol=1e-15)


def test_scaled_vectors_have_one_spread_but_for_what_hardly_varies(keras, vectors):
    _, scale = stages.last_layer_of(vectors, CATEGORIES)
    spread = np.asarray(scale(vectors)).std(axis=0)
    np.testing.assert_allclose(spread[:2], stages.SPREAD, rtol=1e-3)
    assert (spread[3:] < stages.SPREAD).all()
    assert spread[-1] == 0


def test_folded_weights_give_unscaled_vectors_the_same_logits(keras, vectors):
    layer, scale = stages.last_layer_of(vectors, CATEGORIES)
    expected = np.asarray(layer(scale(vectors)))
    kernel, bias = stages.folded(layer, scale)
    np.testing.assert_allclose(vectors @ kernel + bias, expected, atol=1e-4)


def test_the_prior_is_gaussian_and_as_strong_as_one_set_of_ads(keras, vectors):
    """The log of N(0, v) per weight on vectors of spread 1, shared out over the ads."""
    layer, scale = stages.last_layer_of(vectors, CATEGORIES)
    layer(scale(vectors))
    on_spread_1 = layer.kernel.numpy() * stages.SPREAD
    expected = np.square(on_spread_1).sum() / (2 * stages.PRIOR_VARIANCE) / ADS
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_the_probabilities_of_a_photo_are_from_a_layer_that_did_not_see_it(tmp_path):
    """Other categories for the photos of a fold change those of all others, but not theirs."""
    from pipeline import small_image_model

    random = np.random.default_rng(3)
    labels = np.arange(12) % 3
    vectors = (random.normal(size=(24, 6)) + np.tile(labels, 2)[:, None]).astype(np.float32)
    cuts = [(np.arange(4, 12), np.arange(4)), (np.arange(4), np.arange(4, 12))]

    def out_of_fold(labels, folder):
        model = small_image_model(3)
        folder.mkdir()
        schedule = Schedule("rmsprop", 0.1, batch_size=4, epochs=3, patience=3)
        run = Run(schedule, folder / "last_layer.npz", Silent())
        training, validation = stages.Stored(vectors, labels), stages.Stored(vectors[:12], labels)
        return stages.out_of_fold_probs(model, training, validation, cuts, run, scaled=True)

    found = out_of_fold(labels, tmp_path / "a")
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    other = labels.copy()
    other[:4] = (other[:4] + 1) % 3
    changed = out_of_fold(other, tmp_path / "b")
    np.testing.assert_array_equal(changed[:4], found[:4])
    assert np.abs(changed[4:] - found[4:]).max() > 0.01
