"""The schedule: decays and the end by hand, batches by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.learning.schedule import (
    Evaluation,
    Schedule,
    TrainingOptions,
    best,
    decays,
    is_over,
    learning_rate,
    next_batches,
)


def schedule(**given):
    values = {"optimizer": "sgd", "learning_rate": 1.0, "batch_size": 4, "epochs": 99}
    return Schedule(**{**values, "patience": 2, "decays": 1, **given})


def history(*losses, top1=(), start=1e9):
    top1 = top1 or [0.0] * len(losses)
    return [Evaluation(0, 1.0, None, None, start, 0.0)] + [
        Evaluation(i + 1, 1.0, 0.0, 0.0, loss, share)
        for i, (loss, share) in enumerate(zip(losses, top1, strict=True))
    ]


@pytest.mark.parametrize(
    ("losses", "rate", "over"),
    [
        ([], 1, False),
        ([5, 4, 3], 1, False),
        ([5, 6], 1, False),
        ([5, 6, 5], 0.1, False),  # two evaluations brought nothing; an equal one is none
        ([5, 6, 4, 6], 1, False),  # a better one starts the count again
        ([5, 6, 7, 8], 0.1, False),
        ([5, 6, 7, 8, 9], 0.01, True),  # two more after the only decay
        ([5, 6, 7, 4, 3, 2], 0.1, False),
    ],
)
def test_the_rate_falls_when_validation_stalls_and_training_ends_at_the_next_stall(
    losses, rate, over
):
    found = history(*losses)
    assert learning_rate(found, schedule()) == pytest.approx(rate)
    assert is_over(found, schedule()) is over


def test_without_decays_the_first_stall_is_the_end():
    assert is_over(history(5, 6, 7), schedule(decays=0))
    assert not is_over(history(5, 6), schedule(decays=0))


def test_the_start_is_kept_where_it_is_best_but_does_not_hurry_the_end():
    found = history(5, 4, 3, start=1)
    assert best(found, "validation_loss").epoch == 0
    assert decays(found, schedule()) == 0


def test_epochs_bound_the_training():
    assert is_over(history(5, 4, 3), schedule(epochs=3))
    assert not is_over(history(5, 4), schedule(epochs=3))


def test_what_is_watched_decides():
    found = history(5, 4, 3, top1=[0.2, 0.5, 0.4])
    assert best(found, "validation_loss").epoch == 3
    assert best(found, "validation_top1").epoch == 2
    assert decays(found, schedule(watched="validation_top1", patience=1)) == 1


@given(
    ads=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    evaluate_every=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_an_epoch_reads_every_ad_once_in_even_batches(ads, batch_size, evaluate_every, seed):
    plan = schedule(batch_size=batch_size, evaluate_every=evaluate_every, seed=seed)
    read, passed, evaluations = [], 0.0, 0
    while passed < 1:
        epoch, batches, passed = next_batches(evaluations, ads, plan)
        assert epoch == 0
        assert 1 <= len(batches) <= evaluate_every
        read += batches
        evaluations += 1
        assert passed == pytest.approx(len(read) / -(-ads // batch_size))
    assert sorted(np.concatenate(read)) == list(range(ads))
    sizes = {len(batch) for batch in read}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert next_batches(evaluations, ads, plan)[0] == 1


def test_epochs_differ_in_order_and_repeat_with_the_seed():
    plan = schedule(batch_size=100)
    first, second = (next_batches(i, 50, plan)[1][0].tolist() for i in range(2))
    assert first != second
    assert next_batches(1, 50, plan)[1][0].tolist() == second
    assert next_batches(0, 50, schedule(batch_size=100, seed=1))[1][0].tolist() != first


def test_the_schedule_follows_from_the_options():
    options = TrainingOptions(batch_size=3, learning_rate=0.5, epochs=7, patience=4, seed=9)
    made = options.schedule()
    assert (made.batch_size, made.learning_rate, made.epochs) == (3, 0.5, 7)
    assert (made.patience, made.seed, made.decays) == (4, 9, 1)


def test_of_equal_top1_the_lower_loss_is_better():
    found = history(3, 2, 4, top1=[0.5, 0.5, 0.5])
    assert best(found, "validation_top1").epoch == 2
