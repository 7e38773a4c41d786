"""The schedule: decays and the end by hand, batches by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.errors import BadInputError
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
    values = {"optimizer": "sgd", "learning_rate": 1.0, "batch_size": 4, "steps": 990}
    return Schedule(**{**values, "evaluate_every": 10, "patience": 20, "decays": 1, **given})


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


def test_patience_counts_steps():
    assert decays(history(5, 6), schedule(patience=11)) == 0
    assert decays(history(5, 6, 7), schedule(patience=11)) == 1
    assert decays(history(5, 6), schedule(patience=10)) == 1


def test_a_patience_shorter_than_the_time_between_evaluations_is_refused():
    options = TrainingOptions(batch_size=4, patience=2).following({})
    assert options.schedule(8).patience == 2
    with pytest.raises(BadInputError, match=r"--patience 2 counts steps, .* 3 steps apart"):
        options.schedule(9)


@pytest.mark.parametrize("steps", [21, 30])
def test_steps_bound_the_training(steps):
    assert is_over(history(5, 4, 3), schedule(steps=steps))
    assert not is_over(history(5, 4), schedule(steps=steps))


def test_what_is_watched_decides():
    found = history(5, 4, 3, top1=[0.2, 0.5, 0.4])
    assert best(found, "validation_loss").epoch == 3
    assert best(found, "validation_top1").epoch == 2
    assert decays(found, schedule(watched="validation_top1", patience=10)) == 1


@given(
    ads=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    evaluate_every=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_every_epoch_reads_every_ad_once_in_even_batches(ads, batch_size, evaluate_every, seed):
    per_epoch = -(-ads // batch_size)
    plan = schedule(
        batch_size=batch_size, steps=3 * per_epoch, evaluate_every=evaluate_every, seed=seed
    )
    read, taken, evaluations = {0: [], 1: [], 2: []}, 0, 0
    while taken < plan.steps:
        parts, passed = next_batches(evaluations, ads, plan)
        steps = sum(len(batches) for _, batches in parts)
        assert steps == min(evaluate_every, plan.steps - taken)  # an epoch's end ends nothing
        taken, evaluations = taken + steps, evaluations + 1
        assert passed == pytest.approx(taken / per_epoch)
        for epoch, batches in parts:
            read[epoch] += batches
    for batches in read.values():
        assert sorted(np.concatenate(batches)) == list(range(ads))
        sizes = {len(batch) for batch in batches}
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1


def test_epochs_differ_in_order_and_repeat_with_the_seed():
    def orders(**given):
        parts, _ = next_batches(0, 50, schedule(batch_size=100, evaluate_every=2, **given))
        return [batches[0].tolist() for _, batches in parts]

    first, second = orders()
    assert first != second
    assert orders() == [first, second]
    assert orders(seed=1)[0] != first


def test_the_schedule_follows_from_the_options_and_the_ads():
    options = TrainingOptions(batch_size=3, learning_rate=0.5, epochs=7, seed=9).following({})
    made = options.schedule(10)
    assert (made.batch_size, made.learning_rate, made.seed, made.decays) == (3, 0.5, 9, 1)
    assert (made.steps, made.evaluate_every, made.patience) == (28, 4, 8)
    assert options.schedule(100_000).evaluate_every == 5000


def test_of_equal_top1_the_lower_loss_is_better():
    found = history(3, 2, 4, top1=[0.5, 0.5, 0.5])
    assert best(found, "validation_top1").epoch == 2


def test_what_is_not_given_follows_the_recipe_and_then_the_thesis():
    options = TrainingOptions(learning_rate=0.5).following({"optimizer": "adam", "epochs": 3})
    assert (options.learning_rate, options.optimizer, options.epochs) == (0.5, "adam", 3)
    assert (options.decay, options.batch_norm, options.crop_area) == ("plateau", "trained", 0.1)
