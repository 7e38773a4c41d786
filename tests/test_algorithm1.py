import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.fusion.algorithm1 import Algorithm1, Prose


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


def test_the_prose_version_wants_three_failures_in_a_row():
    assert run(Prose(8.0), [0.5] * 100) == [8.0] * 4 + [4.0] * 3 + [2.0] * 3
    assert run(Prose(8.0), [0.1, 0, 0, 0.2, 0, 0, 0.3, 0, 0])[-1] == 8.0


@pytest.mark.parametrize("kind", [Algorithm1, Prose])
@given(accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_the_best_accuracy_is_kept_up_to_epsilon(kind, accuracies):
    schedule = kind(1.0)
    seen = accuracies[: len(run(schedule, accuracies))]
    assert max(seen) - 1e-5 <= schedule.best_val_acc <= max(seen)
