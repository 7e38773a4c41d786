"""What fused models say of ads that lack a modality."""

import dataclasses

import numpy as np
import pytest
from handmade import CLOSED_FORMS
from hypothesis import given
from hypothesis import strategies as st

from adcat.fusion.fitting import everything, fit_closed_form
from adcat.fusion.fused_model import closed_form, load
from adcat.fusion.material import Material, PartArrays
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings

PRIOR = np.array([0.5, 0.3, 0.2])
O_IMG = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], np.float32)
O_TXT = np.array([[0.2, 0.2, 0.6], [0.5, 0.3, 0.2], [0.7, 0.2, 0.1]], np.float32)
AVAILABILITIES = st.lists(st.sampled_from(["both", "text", "image"]), min_size=3, max_size=3).map(
    np.array
)


def arrays_of(availabilities, o_img=O_IMG, o_txt=O_TXT):
    """As they are stored: not a number where the ad lacks the modality."""
    lacks_image, lacks_text = (
        (availabilities == "text")[:, None],
        (availabilities == "image")[:, None],
    )
    return {
        "image_probs": np.where(lacks_image, np.float32(np.nan), o_img),
        "text_probs": np.where(lacks_text, np.float32(np.nan), o_txt),
    }


def model_of(policy):
    parameters = {
        "product-prior": {"prior": PRIOR.tolist()},
        "log-linear": {"prior": PRIOR.tolist(), "w_txt": 1.5, "w_img": 0.5, "gamma": -0.2},
        "weighted-sum": {"w_img": 0.3},
        "choice": {"w_img": [1.0, 0.0, 0.0], "w_txt": [-1.0, 0.0, 0.0], "bias": 0.0},
    }
    return closed_form(POLICIES[policy], parameters.get(policy, {}))


@pytest.mark.parametrize("policy", CLOSED_FORMS)
@given(availabilities=AVAILABILITIES)
def test_every_kind_of_ad_gets_its_own_answer_and_no_neighbour_changes_it(policy, availabilities):
    model = model_of(policy)
    found = model.predictions(arrays_of(availabilities), availabilities, np.arange(3), PRIOR)
    whole = model.probs([O_IMG, O_TXT])
    expected = [{"both": whole, "text": O_TXT, "image": O_IMG}[kind][i]
                for i, kind in enumerate(availabilities)]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_model_of_one_modality_says_the_prior_of_ads_without_it():
    model = dataclasses.replace(model_of("max"), reads=["text_probs"], combine=lambda o: o[0])
    availabilities = np.array(["both", "text", "image"])
    found = model.predictions(arrays_of(availabilities), availabilities, np.array([2, 0]), PRIOR)
    np.testing.assert_allclose(found, [PRIOR, O_TXT[0]], rtol=1e-6)


def confident(ads, seed):
    """A classifier that is right at random and thrice too sure, and the labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(ads, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((ads, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(max=2)
    return (p**3 / (p**3).sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_log_linear_fits_its_weights_per_kind_and_keeps_them(tmp_path):
    """The text of text-only ads is too sure; whole ads, of which there are none, say nothing."""
    o, labels = confident(3000, 0)
    availabilities = np.full(3000, "text")
    seen = PartArrays({"text_probs": o}, labels, availabilities, np.arange(3000))
    material = Material(dataclasses.replace(seen, labels=np.array([0, 1, 2])), seen, 3)
    model = fit_closed_form(
        POLICIES["log-linear"], material, everything(material), PolicySettings(regularisation=1.0)
    )
    assert model.single["text"]["w"] == pytest.approx(1 / 3, abs=0.05)
    assert set(model.single) == {"text"}
    model.save(tmp_path)
    again = load(tmp_path)
    found = again.predictions(seen.arrays, availabilities, np.arange(5), PRIOR)
    np.testing.assert_allclose(found, model.single_modality_probs("text", [o[:5]]), rtol=1e-6)
    assert np.abs(found - o[:5]).max() > 0.01


def test_parameters_for_incomplete_ads_are_fitted_on_those_only():
    """Another label of a whole ad changes nothing for text-only ads, and the other way round."""
    o, labels = confident(40, 1)
    availabilities = np.array(["both", "text"] * 20)
    arrays = arrays_of(availabilities, o, o)
    train = PartArrays({}, np.array([0, 1, 2]), np.full(3, "both"), np.arange(3))

    def fitted(labels):
        seen = PartArrays(arrays, labels, availabilities, np.arange(40))
        material = Material(train, seen, 3)
        settings = PolicySettings(regularisation=1.0)
        return fit_closed_form(POLICIES["log-linear"], material, everything(material), settings)

    model = fitted(labels)
    for row, same, changed in ((0, "single", "parameters"), (1, "parameters", "single")):
        other = labels.copy()
        other[row] = (other[row] + 1) % 3
        assert getattr(fitted(other), same) == getattr(model, same)
        assert getattr(fitted(other), changed) != getattr(model, changed)
