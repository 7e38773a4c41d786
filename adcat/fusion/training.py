"""Trains a fusion network: many steps in one call, since a step of these networks is small.

A Keras `fit` spends most of its time between the steps. Here a pool of mixed batches goes to
TensorFlow at once, and a loop inside one compiled function takes them from it; a thread reads the
next pool meanwhile.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adcat.data.thread_map import map_ahead
from adcat.errors import DivergedError
from adcat.fusion.algorithm1 import SCHEDULES
from adcat.fusion.networks import prepare
from adcat.fusion.optimizers import OPTIMIZERS
from adcat.fusion.policy import NetworkPolicy
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import Block, Sample, statistics
from adcat.learning.runtime import seeded_tensorflow
from adcat.progress import Task

MEASURED_EPOCHS = 2  # the thesis draws its curves over the first two epochs (section 5.1)
MEASUREMENTS = 25  # in each of them


@dataclasses.dataclass(frozen=True)
class Point:
    """One line of a training's history."""

    epoch: int
    step: int
    learning_rate: float
    validation_top1: float
    validation_loss: float


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network with its best validation weights, and how it got there."""

    model: Any  # keras.Model from the arrays that it reads to probabilities [n, categories]
    history: Sequence[Point]
    best_epoch: int
    last_epoch: int
    train_top1: float  # on the ads that it learned from
    validation_top1: float


def train(
    policy: NetworkPolicy,
    sample: Sample,
    validation: Sample,
    categories: int,
    settings: PolicySettings,
    task: Task,
) -> Trained:
    """Trains a network by Algorithm 1 and gives it its best validation weights back.

    Raises:
      DivergedError: the loss is not finite.
    """
    tf = seeded_tensorflow(settings.seed, policy.threads)
    machine = Machine(tf, policy, sample, categories, settings)
    schedule = SCHEDULES[settings.schedule](settings.learning_rate)
    rng = np.random.default_rng(settings.seed)
    history: list[Point] = []
    best: tuple[float, int, list[np.ndarray]] = (-1.0, 0, [])
    epoch, goes_on = 0, True
    while goes_on and epoch < settings.max_epochs:
        epoch += 1
        rate = schedule.learning_rate
        for step in machine.epoch(sample, rng, rate, parts=_measurements(epoch)):
            top1, loss = machine.measure(validation)
            history.append(Point(epoch, step, rate, top1, loss))
        if not np.isfinite(history[-1].validation_loss):
            raise DivergedError(
                f"{policy.name} diverged in epoch {epoch}: the validation loss is "
                f"{history[-1].validation_loss}; try a lower --learning-rate than {rate:g}"
            )
        top1 = history[-1].validation_top1
        if top1 > best[0]:
            best = (top1, epoch, machine.model.get_weights())
        goes_on = schedule.goes_on(top1)
        task.advance(1, f"validation top-1 {top1:.4f}, best {best[0]:.4f}")
    machine.model.set_weights(best[2])
    train_top1, _ = machine.measure(sample)
    return Trained(machine.model, history, best[1], epoch, train_top1, best[0])


def _measurements(epoch: int) -> int:
    return MEASUREMENTS if epoch <= MEASURED_EPOCHS else 1


class Machine:
    """A network with its optimizer and its compiled functions."""

    def __init__(
        self,
        tf: Any,
        policy: NetworkPolicy,
        sample: Sample,
        categories: int,
        settings: PolicySettings,
    ) -> None:
        import keras

        self._tf, self._settings = tf, settings
        inputs, prepared = prepare(policy.reads, statistics(sample), settings)
        network = policy.build(prepared, categories, settings)
        self._training = keras.Model(inputs, network._asdict())
        self.model = keras.Model(inputs, keras.layers.Softmax()(network.logits))
        self._variables = [v.value for v in self._training.trainable_variables]
        self._update = OPTIMIZERS[settings.optimizer](self._variables)
        self._steps = tf.function(self._steps_on_pool, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluate_block, reduce_retracing=True)
        self._step = 0

    def epoch(
        self, sample: Sample, rng: np.random.Generator, rate: float, parts: int
    ) -> Iterator[int]:
        """Trains one epoch; yields the number of steps so far `parts` times, last at the end."""
        size = self._settings.batch_size
        total = -(-len(sample) // size)
        stops = sorted({self._step + -(-total * i // parts) for i in range(1, parts + 1)})
        pools = sample.shuffled(size, rng)
        for pool in map_ahead(lambda rows: self._tensors(sample.pool(rows)), pools, ahead=1):
            batches, ads = pool[1].shape
            # The smaller batch at the end is not worth the time of compiling for its shape.
            run = self._steps if ads == size else self._steps_on_pool
            first, end = self._step, self._step + batches
            while self._step < end:
                until = min(end, stops[0])
                numbers = self._step - first, until - first, rate
                run(*pool, *map(self._tf.constant, numbers))
                self._step = until
                if until == stops[0]:
                    yield stops.pop(0)

    def measure(self, sample: Sample) -> tuple[float, float]:
        """Top-1 accuracy and mean cross entropy on a sample."""
        sums = [self._evaluate(*self._tensors(block)[:2]) for block in sample.blocks()]
        right, loss = np.sum([[float(value) for value in pair] for pair in sums], axis=0)
        return float(right / len(sample)), float(loss / len(sample))

    def _tensors(self, block: Block) -> Any:
        inputs, labels, weights = block
        constant = self._tf.constant
        return [constant(array) for array in inputs], constant(labels), constant(weights)

    def _steps_on_pool(
        self, inputs: Any, labels: Any, weights: Any, start: Any, end: Any, rate: Any
    ) -> None:
        tf = self._tf
        for i in tf.range(start, end):
            with tf.GradientTape() as tape:
                outputs = self._training([array[i] for array in inputs], training=True)
                loss = self._loss(outputs, labels[i], weights[i])
            self._update(tape.gradient(loss, self._variables), rate)

    def _loss(self, outputs: Any, labels: Any, weights: Any) -> Any:
        from adcat.fusion.losses import auxiliary, cross_entropy, l2

        loss = cross_entropy(outputs["logits"], labels, weights)
        if self._settings.l2_weight:
            loss += l2(self._variables, self._settings.l2_weight)
        if outputs["pair"] and self._settings.aux_weight:
            u_img, u_txt = outputs["pair"]
            loss += self._settings.aux_weight * auxiliary(
                u_img, u_txt, labels, self._settings.similarity, self._settings.negatives
            )
        return loss

    def _evaluate_block(self, inputs: Any, labels: Any) -> tuple[Any, Any]:
        tf = self._tf
        logits = self._training(inputs, training=False)["logits"]
        right = tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_sum(tf.cast(right, tf.float32)), tf.reduce_sum(losses)
