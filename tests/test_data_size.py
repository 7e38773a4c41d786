import dataclasses

import pytest
from handmade import NETWORKS
from hypothesis import given
from hypothesis import strategies as st

from adcat.fusion.data_size import SMALL, resolve
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings

CATEGORIES = 193


def resolved(policy, ads, categories=CATEGORIES, **given):
    return resolve(POLICIES[policy], PolicySettings(**given), ads, categories)


@pytest.mark.parametrize("policy", NETWORKS)
def test_at_the_thesis_size_the_published_values_hold(policy):
    found, published = resolved(policy, 646_187), POLICIES[policy].published
    names = ["l2_weight", *SMALL[POLICIES[policy].is_early]]
    assert [getattr(found, n) for n in names] == pytest.approx([published[n] for n in names])


@pytest.mark.parametrize("policy", NETWORKS)
@pytest.mark.parametrize("ads", [1, 300, 200 * CATEGORIES])
def test_few_ads_have_the_values_that_were_measured_on_few(policy, ads):
    found, small = resolved(policy, ads), SMALL[POLICIES[policy].is_early]
    penalty = 0.5 if policy in ("image-only", "text-only") else 0.1
    assert found.l2_weight == pytest.approx(penalty / ads**0.5)
    assert {name: getattr(found, name) for name in small} == pytest.approx(small)


def test_half_way_between_in_by_hand():
    """Between 200 and 3,348 ads per category lie 818, their geometric mean."""
    found = resolved("image-only", round((200 * 646_187 / 193) ** 0.5 * 10), 10)
    small, published = SMALL[True]["learning_rate"], 0.00031216820530251304
    assert found.learning_rate == pytest.approx((small * published) ** 0.5, rel=1e-3)


@given(st.sampled_from(NETWORKS), st.integers(1, 10**6), st.integers(2, 500))
def test_what_is_given_stays_and_nothing_is_left_open(policy, ads, categories):
    found = resolved(policy, ads, categories, learning_rate=0.7)
    assert found.learning_rate == 0.7
    others = dataclasses.replace(found, max_epochs=1, folds=0, tune_fraction=1.0)
    assert None not in POLICIES[policy].values(others).values()
    assert found == resolve(POLICIES[policy], found, 1 + ads // 2, categories)
