import pytest

from adcat import thesis
from adcat.evaluation.error_groups import ERROR_GROUPS
from adcat.fusion.policies import POLICIES


def test_the_thesis_best_models():
    assert thesis.results("product-max") == pytest.approx(
        {"top1": 0.8704, "top5": 0.9731, "mean_recall": 0.6884, "mean_precision": 0.7591}
    )
    assert thesis.results("text")["top1"] == pytest.approx(0.8487)
    assert thesis.results("attend-c-wh")["top1"] == pytest.approx(0.8508)
    assert thesis.results("log-linear") == {}  # which the thesis does not have


def test_shares_of_error_groups():
    found = thesis.recovered("nn-validation")
    assert set(found) == set(ERROR_GROUPS)
    assert found["image_correct_text_incorrect"] == pytest.approx(4900 / 8817)
    assert thesis.agreement()["both correct"] == pytest.approx(0.7003, abs=5e-5)


def test_what_more_data_brought():
    found = thesis.data_gain("concat")
    assert (found["part"], found["whole"]) == pytest.approx((0.8321, 0.8542))
    assert found["gain"] == pytest.approx(0.0221)


def test_the_ten_settings_of_attention():
    found = thesis.attention_settings()
    assert len(found) == 10
    assert found["c-wh"] == {"top1": pytest.approx(0.8278), "learning_rate": 0.001}
    assert max(found, key=lambda name: found[name]["top1"]) == "c-wh"


@pytest.mark.parametrize("policy", sorted(thesis.NAMES))
def test_every_name_has_numbers(policy):
    assert len(thesis.results(policy)) == 4
    if policy not in ("text", "image"):
        assert len(thesis.recovered(policy)) == 3


def test_every_policy_of_the_thesis_is_there():
    attention = {f"attend-{setting}" for setting in thesis.attention_settings()}
    assert set(thesis.NAMES) <= {*POLICIES, *attention, "text", "image"}
