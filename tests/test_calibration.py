import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve

from adcat.evaluation.calibration import automate, automation_curve, reliability, threshold_for
from adcat.prediction.new_ads import Ad
from adcat.prediction.predictions import Prediction

CONFIDENCE = np.array([0.95, 0.9, 0.9, 0.6, 0.55, 0.3], np.float32)
CORRECT = np.array([True, True, False, True, False, False])

predictions = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, n, elements=st.floats(2**-7, 1, width=16)),
        hnp.arrays(bool, n),
    )
)


def test_reliability_by_hand():
    found = reliability(CONFIDENCE, CORRECT)
    assert found.ads.tolist() == [1, 2, 2, 1]  # up to 0.3, 0.6, 0.9, 1
    assert found.confidence == pytest.approx([0.3, 0.575, 0.9, 0.95])
    assert found.accuracy == pytest.approx([0, 0.5, 0.5, 1])
    expected = (0.3 + 2 * 0.075 + 2 * 0.4 + 0.05) / 6
    assert found.expected_calibration_error == pytest.approx(expected)


def test_a_model_that_is_right_as_often_as_it_says_has_no_calibration_error():
    correct = np.arange(100) < 75
    found = reliability(np.full(100, 0.75, np.float32), correct)
    assert found.expected_calibration_error == pytest.approx(0)


@given(predictions)
def test_the_bins_are_scikit_learns(case):
    confidence, correct = case
    found = reliability(confidence, correct)
    # scikit-learn has a bin's lower edge in it, adcat the upper one: confidences off the edges
    inside = np.abs(confidence * 10 - np.round(confidence * 10)) > 1e-4
    if not inside.any():
        return
    found = reliability(confidence[inside], correct[inside])
    accuracy, mean = calibration_curve(correct[inside], confidence[inside], n_bins=10)
    assert found.accuracy == pytest.approx(accuracy)
    assert found.confidence == pytest.approx(mean, rel=1e-5)


@given(predictions)
def test_the_calibration_error_has_bounds(case):
    confidence, correct = case
    found = reliability(confidence, correct)
    assert found.ads.sum() == len(correct)
    gap = abs(float(confidence.mean(dtype=np.float64)) - correct.mean())
    assert gap - 1e-6 <= found.expected_calibration_error <= 1


def test_automation_by_hand():
    found = automate(CONFIDENCE, CORRECT, 0.9)
    assert (found.accepted, found.errors) == (3, 1)
    assert found.share == pytest.approx(0.5)
    assert found.precision == pytest.approx(2 / 3)
    assert automate(CONFIDENCE, CORRECT, 0.99).precision is None
    assert threshold_for(CONFIDENCE, CORRECT, 4 / 6) == 0.6  # 3 of 4 and 1 of 2
    assert threshold_for(CONFIDENCE, CORRECT, 0.67) is None
    assert threshold_for(CONFIDENCE, ~CORRECT, 0.6) is None


@pytest.mark.parametrize(("precision", "fewest"), [(0.75, 2), (0.9, 8), (0.95, 18), (0.99, 98)])
def test_however_right_a_few_ads_are_they_show_no_high_precision(precision, fewest):
    for ads, found in ((fewest - 1, None), (fewest, 0.3)):
        sure = np.full(ads, 0.3, np.float32)
        assert threshold_for(sure, np.ones(ads, bool), precision) == found
        assert threshold_for(sure, np.zeros(ads, bool), precision) is None


@given(predictions, st.floats(0.05, 1))
def test_the_threshold_is_the_lowest_that_is_precise_enough(case, wanted):
    confidence, correct = case
    accepted = [(c, correct[confidence >= c]) for c in np.unique(confidence)]
    enough = [c for c, right in accepted if (right.sum() + 1) / (len(right) + 2) >= wanted]
    found = threshold_for(confidence, correct, wanted)
    assert found == (min(enough) if enough else None)
    if found is not None and wanted >= 0.5:
        assert (automate(confidence, correct, found).precision or 0) >= wanted


def is_accepted_by_predict(confidence, threshold):
    found = Prediction(Ad(1, "", "", "", ""), [0], [confidence], "text", {}, [])
    return found.record(["Bilar"], threshold)["accepted"]


@given(predictions.flatmap(lambda case: st.tuples(
    hnp.arrays(np.float32, len(case[1]), elements=st.floats(2**-20, 1, width=32)),
    st.just(case[1]), st.floats(0.05, 0.9))))  # fmt: skip
def test_a_threshold_typed_as_it_is_shown_accepts_the_same_ads(case):
    confidence, correct, wanted = case
    found = threshold_for(confidence, correct, wanted)
    if found is None:
        return
    typed = float(f"{found}")
    accepted = [is_accepted_by_predict(float(one), typed) for one in confidence]
    assert sum(accepted) == automate(confidence, correct, typed).accepted
    assert (correct[accepted].sum() + 1) / (sum(accepted) + 2) >= wanted
    assert confidence[accepted].min() == np.float32(typed)


@pytest.mark.parametrize("shown", ["0.9", "0.1", "0.3", "0.7", "0.99999994", "1.2e-05"])
def test_a_confidence_equal_to_the_threshold_is_accepted_and_shown_as_it(shown):
    confidence = float(np.float32(shown))
    assert is_accepted_by_predict(confidence, float(shown))
    assert not is_accepted_by_predict(float(np.nextafter(np.float32(shown), 0)), float(shown))
    found = Prediction(Ad(1, "", "", "", ""), [0], [confidence], "text", {}, []).record(
        ["Bilar"], None
    )
    assert found["categories"] == [{"category": "Bilar", "probability": float(shown)}]


@given(predictions)
def test_the_curve_ends_with_every_ad_and_the_models_accuracy(case):
    confidence, correct = case
    share, precision = automation_curve(confidence, correct)
    assert (np.diff(share) > 0).all()
    assert share[-1] == 1
    assert precision[-1] == pytest.approx(correct.mean())
    for x, y in zip(share, precision, strict=True):
        lowest = np.sort(confidence)[::-1][round(x * len(confidence)) - 1]
        assert y == pytest.approx(correct[confidence >= lowest].mean())


def test_a_long_curve_is_thinned():
    share, _ = automation_curve(np.linspace(0, 1, 5000, dtype=np.float32), np.ones(5000, bool))
    assert len(share) == 200
