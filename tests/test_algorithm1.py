import pytest
from handmade import NETWORKS
from hypothesis import given
from hypothesis import strategies as st

from adcat.fusion.algorithm1 import Algorithm1, Prose, course
from adcat.fusion.policies import POLICIES
from adcat.fusion.policy_settings import PolicySettings


def transcription(accuracies, lr):
    """Algorithm 1 word for word, driven by scripted accuracies: learning rate of every epoch."""
    eps, best_val_acc, clock, decay_step = 0.00001, 0, 3, 3
    rates = []
    for val_acc in accuracies:
        rates.append(lr)
        if val_acc >= best_val_acc + eps:
            best_val_acc = val_acc
        elif decay_step == 0:
            break
        elif clock == 0:
            lr = lr * 0.5
            decay_step = decay_step - 1
            clock = 3
        else:
            clock = clock - 1
    return rates


def run(schedule, accuracies):
    rates = []
    for accuracy in accuracies:
        rates.append(schedule.learning_rate)
        if not schedule.goes_on(accuracy):
            break
    return rates


@given(st.lists(st.floats(0, 1), max_size=60))
def test_it_is_algorithm_1(accuracies):
    assert run(Algorithm1(0.1), accuracies) == transcription(accuracies, 0.1)


def test_the_shortest_run_is_14_epochs_with_decays_after_5_9_and_13():
    rates = run(Algorithm1(8.0), [0.5] * 100)
    assert rates == [8.0] * 5 + [4.0] * 4 + [2.0] * 4 + [1.0]


def test_a_rise_does_not_set_the_clock_back():
    rates = run(Algorithm1(8.0), [0.1, 0, 0, 0, 0.2, 0, 0.3])
    assert rates == [8.0] * 6 + [4.0]


def test_any_extra_correct_ad_of_the_thesis_validation_set_counts():
    schedule = Algorithm1(1.0)
    schedule.goes_on(60000 / 71418)
    schedule.goes_on(60001 / 71418)
    assert schedule.best_val_acc == 60001 / 71418


def test_the_prose_version_wants_three_failures_in_a_row_at_each_of_four_rates():
    assert run(Prose(8.0), [0.5] * 100) == [8.0] * 4 + [4.0] * 3 + [2.0] * 3 + [1.0] * 3
    assert run(Prose(8.0), [0.1, 0, 0, 0.2, 0, 0, 0.3, 0, 0])[-1] == 8.0


@pytest.mark.parametrize("kind", [Algorithm1, Prose])
@given(accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_the_best_accuracy_is_kept_up_to_epsilon(kind, accuracies):
    schedule = kind(1.0)
    seen = accuracies[: len(run(schedule, accuracies))]
    assert max(seen) - 1e-5 <= schedule.best_val_acc <= max(seen)


def stages(settings, ads, scores):
    """What is learned before each evaluation, where these are the scores."""
    ahead = course(settings, ads)
    found, scores = [next(ahead)], iter(scores)
    while found[-1]:
        found.append(ahead.send(next(scores)))
    return found[:-1]


@pytest.mark.parametrize("policy", NETWORKS)
def test_the_preset_evaluates_and_decays_after_epochs_as_printed(policy):
    """At the thesis' size; there what suits few ads changes nothing either."""
    published = dict(POLICIES[policy].published)
    rate = published["learning_rate"]
    accuracies = [0.8, 0.85, 0.85, 0.86, 0.85, 0.85, 0.85, 0.87] + [0.86] * 9
    expected = [(i + 1, 1, lr) for i, lr in enumerate(transcription(accuracies, rate))]
    assert [r / rate for _, _, r in expected] == [1] * 7 + [0.5] * 5 + [0.25] * 4 + [0.125]
    for every in (published["evaluate_every"], PolicySettings().evaluate_every):
        settings = PolicySettings(**{**published, "evaluate_every": every})
        assert stages(settings, 646_187, accuracies) == expected
    assert stages(PolicySettings(**published), 300, accuracies) == expected


def test_no_evaluation_before_so_many_steps():
    """300 ads are 10 steps: 100 steps are 10 epochs; the last ones are those that are left."""
    settings = PolicySettings(learning_rate=8.0, batch_size=32, evaluate_every=95, max_epochs=75)
    assert stages(settings, 300, [0.5] * 99) == [
        *[(epoch, 10, 8.0) for epoch in (10, 20, 30, 40, 50)],
        *[(60, 10, 4.0), (70, 10, 4.0), (75, 5, 4.0)],
    ]


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.lists(st.floats(0, 1), min_size=200))
def test_patience_counts_evaluations_whatever_the_size(ads, every, scores):
    settings = PolicySettings(learning_rate=1.0, evaluate_every=every)
    found = stages(settings, ads, scores)
    per_epoch = -(-ads // 32)
    assert all(every <= s.passes * per_epoch < every + per_epoch for s in found)
    assert [s.learning_rate for s in found] == run(Algorithm1(1.0), scores)[:200]
