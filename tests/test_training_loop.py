"""The training loop on small networks: steps by hand, resuming, the best weights."""

import dataclasses

import numpy as np
import pytest

from adcat.errors import DivergedError
from adcat.learning.examples import Examples, stored
from adcat.learning.runtime import seeded_tensorflow
from adcat.learning.schedule import Schedule
from adcat.learning.training_loop import Run, make_optimizer, train
from adcat.progress import Silent

SCHEDULE = Schedule(  # 6 epochs of 40 ads, each with an evaluation
    "rmsprop", 0.001, batch_size=8, steps=30, evaluate_every=5, patience=99, decays=0
)


@pytest.fixture(scope="module")
def keras():
    return seeded_tensorflow(0).keras


def examples(n=40, seed=0):
    """Vectors of three categories that can be told apart."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    vectors = random.normal(size=(n, 5)).astype(np.float32)
    vectors[:, :3] += 2 * np.eye(3, dtype=np.float32)[labels]
    return stored(vectors, labels)


def network(keras, seed=0):
    """One with everything that has a state of its own: batch norm, dropout, an auxiliary head."""
    keras.utils.set_random_seed(seed)
    vector = keras.Input([5])
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(6, "relu")(vector))
    logits = keras.layers.Dense(3)(keras.layers.Dropout(0.3)(hidden))
    return keras.Model(vector, [logits, keras.layers.Dense(3)(hidden)])


def last_layer(keras):
    """Logits that are linear in the vectors; weights 0."""
    vector = keras.Input([5])
    return keras.Model(vector, keras.layers.Dense(3, kernel_initializer="zeros")(vector))


def fit(model, path, schedule=SCHEDULE, training=None, progress=None):
    training = training or examples()
    run = Run(schedule, path, progress or Silent())
    return train(model, training, examples(15, 1), run, "test")


def values(model):
    return [variable.numpy() for variable in model.variables]


def interrupted(training, reads):
    """The same examples, which fail after so many batches."""
    left = iter(range(reads))

    def stream(batches, epoch):
        for inputs in training.stream(batches, epoch):
            if next(left, None) is None:
                raise KeyboardInterrupt
            yield inputs

    return Examples(training.labels, stream)


@pytest.mark.parametrize(
    ("reads", "every", "decay"),
    [(11, 5, "plateau"), (11, 5, "cosine"), pytest.param(25, 7, "plateau", marks=pytest.mark.soak)],
)
def test_an_interrupted_training_ends_like_one_that_was_not(keras, tmp_path, reads, every, decay):
    schedule = dataclasses.replace(SCHEDULE, evaluate_every=every, decay=decay)
    whole, parted = network(keras), network(keras)
    expected = fit(whole, tmp_path / "whole.npz", schedule)
    with pytest.raises(KeyboardInterrupt):
        fit(parted, tmp_path / "parted.npz", schedule, interrupted(examples(), reads))
    parted = network(keras, seed=1)  # a new process; what was kept beats its own start
    assert fit(parted, tmp_path / "parted.npz", schedule) == expected
    assert [e.epoch for e in expected] == [min(6, every * i / 5) for i in range(len(expected))]
    for found, wanted in zip(values(parted), values(whole), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_finished_training_is_not_done_again(keras, tmp_path):
    first, again = network(keras), network(keras, seed=1)
    history = fit(first, tmp_path / "state.npz")
    assert fit(again, tmp_path / "state.npz", training=interrupted(examples(), 0)) == history
    np.testing.assert_array_equal(values(again)[0], values(first)[0])


def test_the_best_weights_are_kept_even_those_of_the_start(keras, tmp_path):
    model = last_layer(keras)
    wrong = Examples((examples().labels + 1) % 3, examples().stream)  # only makes it worse
    history = fit(model, tmp_path / "state.npz", training=wrong)
    losses = [evaluation.validation_loss for evaluation in history]
    assert losses == sorted(losses)
    validation = examples(15, 1)
    (inputs,) = next(validation.stream([np.arange(15)], 0))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = float(loss(validation.labels, model.predict(inputs, verbose=0)))
    assert found == pytest.approx(losses[0], rel=1e-5)


def test_one_step_of_rmsprop_by_hand(keras, tmp_path):
    """A.3.2: s = 0.1 g², m = rate · g / √(s + 0.1), w = -m, at the start."""
    model, training = last_layer(keras), examples(8)
    schedule = dataclasses.replace(SCHEDULE, steps=1)
    history = fit(model, tmp_path / "state.npz", schedule, training)
    (x,) = next(training.stream([np.arange(8)], 0))
    gradient = x.T @ (1 / 3 - np.eye(3)[training.labels]) / 8
    expected = -0.001 * gradient / np.sqrt(0.1 * gradient**2 + 0.1)
    np.testing.assert_allclose(values(model)[0], expected, rtol=1e-4, atol=1e-9)
    assert history[1].train_loss == pytest.approx(np.log(3))  # before the step


def test_the_auxiliary_head_counts_0_4_times(keras, tmp_path):
    """Two heads on the same vectors: the second one's step is 0.4 of the first one's."""
    vector = keras.Input([5])
    heads = [keras.layers.Dense(3, kernel_initializer="zeros")(vector) for _ in range(2)]
    model = keras.Model(vector, heads)
    schedule = dataclasses.replace(SCHEDULE, optimizer="sgd", steps=1)
    fit(model, tmp_path / "state.npz", schedule, examples(8))
    main, _, auxiliary, _ = values(model)
    np.testing.assert_allclose(auxiliary, 0.4 * main, rtol=1e-4, atol=1e-9)


def test_frozen_batch_norm_stays_as_it_is(keras, tmp_path):
    model = network(keras)
    norm = model.layers[2]
    norm.trainable = False
    fit(model, tmp_path / "state.npz", dataclasses.replace(SCHEDULE, steps=1))
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.zeros(6))


def test_a_cosine_rises_over_a_tenth_of_the_steps_and_falls_to_nothing(keras):
    schedule = dataclasses.replace(SCHEDULE, learning_rate=0.8, steps=40, decay="cosine")
    optimizer, rates = make_optimizer(schedule), []
    for step in (0, 1, 3, 4, 22, 40):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    assert rates == pytest.approx([0.2, 0.35, 0.65, 0.8, 0.4, 0], abs=1e-6)


def test_a_cosine_takes_all_its_steps_whatever_validation_says(keras, tmp_path):
    schedule = dataclasses.replace(SCHEDULE, decay="cosine", patience=5)
    wrong = Examples((examples().labels + 1) % 3, examples().stream)
    history = fit(last_layer(keras), tmp_path / "state.npz", schedule, wrong)
    assert history[-1].epoch == 6
    assert history[-1].learning_rate < history[2].learning_rate


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd", "adagrad"])
def test_every_optimizer_learns(keras, tmp_path, optimizer):
    schedule = dataclasses.replace(SCHEDULE, optimizer=optimizer, learning_rate=0.05, steps=100)
    history = fit(last_layer(keras), tmp_path / "state.npz", schedule)
    assert history[-1].train_loss < 0.6 * history[1].train_loss
    assert max(evaluation.validation_top1 for evaluation in history) > 0.75


def test_a_stall_lowers_the_rate_and_then_ends_training(keras, tmp_path):
    wrong = Examples((examples().labels + 1) % 3, examples().stream)
    schedule = dataclasses.replace(SCHEDULE, patience=10, decays=1, steps=250)
    history = fit(last_layer(keras), tmp_path / "state.npz", schedule, wrong)
    rates = [evaluation.learning_rate for evaluation in history]
    assert rates == pytest.approx([0.001] * 4 + [0.0001] * 2)  # the start, then 3 and 2 epochs


def test_divergence_is_told(keras, tmp_path):
    schedule = dataclasses.replace(SCHEDULE, optimizer="sgd", learning_rate=1e38)
    with pytest.raises(DivergedError, match=r"diverged .* lower --learning-rate than 1e\+38"):
        fit(last_layer(keras), tmp_path / "state.npz", schedule)


def test_several_inputs_are_read(keras, tmp_path):
    """As attention needs it: photo and text vector."""
    first, second = keras.Input([5]), keras.Input([2])
    logits = keras.layers.Dense(3)(keras.layers.Concatenate()([first, second]))
    model = keras.Model([first, second], logits)

    def both(given):
        def stream(batches, epoch):
            for rows, (vectors,) in zip(batches, given.stream(batches, epoch), strict=True):
                yield vectors, np.ones((len(rows), 2), np.float32)

        return Examples(given.labels, stream)

    run = Run(SCHEDULE, tmp_path / "s.npz", Silent())
    history = train(model, both(examples()), both(examples(15, 1)), run, "")
    assert [evaluation.epoch for evaluation in history] == list(range(7))


def test_epochs_take_the_stored_views_in_turn():
    vectors = np.arange(12, dtype=np.float32).reshape(6, 2)  # 2 views of 3 photos
    in_views = stored(vectors, np.zeros(3, np.int64))
    seen = [next(in_views.stream([np.array([2, 0])], epoch))[0].tolist() for epoch in range(3)]
    assert seen == [[[4, 5], [0, 1]], [[10, 11], [6, 7]], [[4, 5], [0, 1]]]
