"""Classifiers of photos for the pairs of categories that the text confuses."""

import dataclasses

import numpy as np
import pytest

from adcat.fusion import fused_model
from adcat.fusion.confusion_driven import combine, confused_pairs
from adcat.fusion.fitting import everything, fit
from adcat.fusion.linear import Regression
from adcat.fusion.material import Material, PartArrays
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings
from adcat.learning import regression
from adcat.progress import Silent

EVERY = np.arange(4)


def certain(categories):
    return np.eye(4, dtype=np.float32)[categories]


def test_the_pairs_that_are_mistaken_most_often_by_hand():
    """0 and 1 are mistaken three times, in both directions; 2 and 3 twice, 1 and 3 once."""
    labels = np.array([0, 0, 1, 2, 2, 1, 3, 3])
    o_txt = certain([1, 1, 0, 3, 3, 3, 3, 3])
    assert confused_pairs(o_txt, labels, EVERY, 2) == [(0, 1), (2, 3)]
    assert confused_pairs(o_txt, labels, EVERY, None) == [(0, 1), (2, 3), (1, 3)]
    assert confused_pairs(o_txt, labels, np.array([0, 2, 3]), None) == [(2, 3)]
    assert confused_pairs(o_txt, o_txt.argmax(axis=1), EVERY, None) == []


def test_a_pair_shares_its_sum_as_the_products_by_hand():
    """Of (1, 3) the photo says 3 with odds of 4: .5 · 1 to .3 · 4 share .8. Other ads stay."""
    fitted = Regression(
        regression.Regression([np.array([[0.0], [2 * np.log(4)]])], np.zeros(1)), scale=0.5
    )
    vectors = np.array([[0, 9], [0, 9], [0, 9], [9, 0]], np.float32)
    o_txt = np.array(
        [[0.1, 0.5, 0.1, 0.3], [0.1, 0.3, 0.1, 0.5], [0.5, 0.3, 0.1, 0.1], [0.1, 0.5, 0.1, 0.3]],
        np.float32,
    )
    found = combine(vectors, o_txt, [(1, 3)], fitted)
    first, second = 0.8 * 0.5 / 1.7, 0.8 * 0.3 / 2.3
    expected = [[0.1, first, 0.1, 0.8 - first], [0.1, second, 0.1, 0.8 - second], *o_txt[2:]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def part(ads, seed):
    """Of 4 categories, of which the text takes 2 and 3 for one and the photo knows all."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, ads)
    said = np.where(labels < 2, labels, rng.integers(2, 4, ads))
    o_txt = 0.1 + 0.6 * certain(said)
    o_txt[labels >= 2] = [0.05, 0.05, 0.45, 0.45]
    o_txt[np.arange(ads), said] += 0.01
    o_txt /= o_txt.sum(axis=1, keepdims=True)
    vectors = (np.eye(4)[labels] + 0.1 * rng.normal(size=(ads, 4))).astype(np.float32)
    arrays = {"text_probs": o_txt.astype(np.float32), "image_vectors": vectors}
    return PartArrays(arrays, labels, np.full(ads, "both"), np.arange(ads))


def fitted(material, **settings):
    policy, rows = POLICIES["cdpf"], everything(material)
    return fit(policy, material, rows, PolicySettings(**settings), Silent())[0]


def predicted(model, part):
    return model.probs([part.arrays[name] for name in model.reads])


@pytest.mark.parametrize("is_out_of_fold", [False, True])
def test_the_photo_tells_what_the_text_confuses_and_the_model_is_kept(tmp_path, is_out_of_fold):
    material = Material(part(80, 0), part(40, 1), 4, is_out_of_fold)
    model, new = fitted(material), part(40, 2)
    assert model.parameters["pairs"] == [(2, 3)]
    found = predicted(model, new)
    assert (new.arrays["text_probs"].argmax(axis=1) == new.labels).mean() < 0.9
    assert (found.argmax(axis=1) == new.labels).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    model.save(tmp_path)
    again = fused_model.load(tmp_path, {"text_probs": 4, "image_vectors": 4})
    np.testing.assert_array_equal(predicted(again, new), found)


def test_a_text_that_confuses_nothing_is_believed():
    labels = np.array([0, 1, 2, 3, 0])
    arrays = {"text_probs": 0.1 + 0.6 * certain(labels), "image_vectors": np.ones((5, 2))}
    ads = PartArrays(arrays, labels, np.full(5, "both"), np.arange(5))
    model = fitted(Material(ads, ads, 4))
    assert model.parameters["pairs"] == []
    np.testing.assert_array_equal(predicted(model, ads), arrays["text_probs"])


def test_ads_without_a_photo_are_confused_but_not_learned_from():
    """The only mistakes are made about them; those of category 3 have no photo to learn from."""
    learned = part(80, 0)
    kinds = np.where(learned.labels == 3, "text", "both")
    vectors = np.where(kinds[:, None] == "text", np.nan, learned.arrays["image_vectors"])
    arrays = {**learned.arrays, "image_vectors": vectors.astype(np.float32)}
    lacking = dataclasses.replace(learned, arrays=arrays, availabilities=kinds)
    assert fitted(Material(lacking, lacking, 4)).parameters["pairs"] == []
