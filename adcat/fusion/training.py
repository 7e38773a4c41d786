"""Trains a fusion network: many steps in one call, since a step of these networks is small.

A Keras `fit` spends most of its time between the steps. Here a pool of mixed batches goes to
TensorFlow at once, and a loop inside one compiled function takes them from it; a thread reads the
next pool meanwhile.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adcat.data.thread_map import map_ahead
from adcat.errors import BadInputError, DivergedError
from adcat.fusion.algorithm1 import course
from adcat.fusion.networks import Network, prepare, standardising
from adcat.fusion.optimizers import OPTIMIZERS
from adcat.fusion.policy import NetworkPolicy
from adcat.fusion.policy_settings import PolicySettings
from adcat.fusion.samples import Block, Sample, Statistics, statistics
from adcat.learning.runtime import seeded_tensorflow
from adcat.progress import Task

CURVE_EPOCHS = 2  # the thesis draws its curves over the first two epochs (section 5.1)


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

    An evaluation follows at the end of an epoch, but not before `evaluate_every` steps. What is
    measured between them is for the curves only.

    Raises:
      BadInputError: inputs are not finite.
      DivergedError: the loss is not finite.
    """
    tf = seeded_tensorflow(settings.seed, policy.threads)
    widths = tuple(array.shape[1] for array in sample.inputs)
    shared = dataclasses.replace(settings, curve_every=1)  # which no machine reads
    machine = _machine(tf, policy, widths, categories, shared)
    machine.start(_finite(policy, statistics(sample)))
    rng = np.random.default_rng(settings.seed)
    history: list[Point] = []
    best: tuple[float, int, list[np.ndarray]] = (-1.0, 0, [])
    if settings.residual and "residual" in policy.options:
        history.append(Point(0, 0, settings.learning_rate, *machine.measure(validation)))
        best = (watched_score(history[-1], settings), 0, machine.weights())
    ahead = course(settings, len(sample))
    stage = next(ahead)
    while stage:
        epoch, passes, rate = stage
        every = settings.curve_every if epoch <= CURVE_EPOCHS else passes
        for step in machine.learn(sample, passes, rng, rate, every):
            history.append(Point(epoch, step, rate, *machine.measure(validation)))
        if not np.isfinite(history[-1].validation_loss):
            raise DivergedError(
                f"{policy.name} diverged in epoch {epoch}: the validation loss is "
                f"{history[-1].validation_loss}; try a lower --learning-rate than {rate:g}"
            )
        score = watched_score(history[-1], settings)
        if score > best[0]:
            best = (score, epoch, machine.weights())
        task.advance(passes, f"validation top-1 {history[-1].validation_top1:.4f}")
        stage = ahead.send(score)
    machine.restore(best[2])
    train_top1, _ = machine.measure(sample)
    validation_top1, _ = machine.measure(validation)
    last = history[-1].epoch
    return Trained(machine.copy(), history, best[1], last, train_top1, validation_top1)


def _finite(policy: NetworkPolicy, found: Sequence[Statistics]) -> Sequence[Statistics]:
    """The mean and variance of each input; ReLU may make 0 of what is not a number."""
    for name, of_input in zip(policy.reads, found, strict=True):
        if not np.isfinite(of_input).all():
            raise BadInputError(
                f"{policy.name}: {name} of ads to learn from have NaN or infinity; run adcat "
                "extract-features again"
            )
    return found


def watched_score(point: Point, settings: PolicySettings) -> float:
    """What Algorithm 1 watches, between 0 and 1: more is better."""
    if settings.watched == "validation_top1":
        return point.validation_top1
    return float(np.exp(-point.validation_loss))


@functools.lru_cache(maxsize=1)  # for the folds of one policy: compiling takes longer than training
def _machine(*facts: Any) -> "Machine":
    return Machine(*facts)


class Machine:
    """A network with its optimizer and its compiled functions, which may be trained repeatedly."""

    def __init__(
        self,
        tf: Any,
        policy: NetworkPolicy,
        widths: Sequence[int],
        categories: int,
        settings: PolicySettings,
    ) -> None:
        self._tf, self._policy, self._settings = tf, policy, settings
        self._facts = policy.reads, widths, categories
        inputs, network = self._built()
        import keras

        self._training = keras.Model(inputs, network._asdict())
        self._variables = [v.value for v in self._training.trainable_variables]
        self._update, own = OPTIMIZERS[settings.optimizer](self._variables)
        self._step = tf.Variable(0, dtype=tf.int32)
        self._state = [*(v.value for v in self._training.variables), *own, self._step]
        self._initial = [v.numpy() for v in self._state]
        arrays = [tf.TensorSpec([None, None, width]) for width in widths]
        labels, weights = (tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32))
        number, rate = tf.TensorSpec([], tf.int32), tf.TensorSpec([])
        self._steps = tf.function(
            self._steps_on_pool, input_signature=[arrays, labels, weights, number, number, rate]
        )
        arrays = [tf.TensorSpec([None, width]) for width in widths]
        self._evaluate = tf.function(
            self._evaluate_block, input_signature=[arrays, tf.TensorSpec([None], tf.int32)]
        )

    def _built(self) -> tuple[Sequence[Any], Network]:
        reads, widths, categories = self._facts
        inputs, prepared = prepare(reads, widths, self._settings)
        return inputs, self._policy.build(prepared, categories, self._settings)

    def start(self, moments: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Sets everything back, and the standardisation to mean and variance of each input."""
        self.restore(self._initial)
        for name, of_input in zip(self._policy.reads, moments, strict=True):
            if layer := standardising(self._training, name):
                layer.set_weights(of_input)

    def weights(self) -> list[np.ndarray]:
        """All that `restore` needs to get back here."""
        return [v.numpy() for v in self._state]

    def restore(self, weights: Sequence[np.ndarray]) -> None:
        """Goes back to where `weights` was called."""
        for variable, value in zip(self._state, weights, strict=True):
            variable.assign(value)

    def copy(self) -> Any:
        """A keras.Model of its own, from the arrays that it reads to probabilities."""
        import keras

        seeded_tensorflow(self._settings.seed, self._policy.threads)
        inputs, network = self._built()
        keras.Model(inputs, network._asdict()).set_weights(self._training.get_weights())
        return keras.Model(inputs, keras.layers.Softmax()(network.logits))

    def learn(
        self, sample: Sample, passes: int, rng: np.random.Generator, rate: float, every: float
    ) -> Iterator[int]:
        """Passes over the ads; yields the steps so far `every` so many epochs, and at the end."""
        size, done = self._settings.batch_size, int(self._step)
        total = math.ceil(passes * len(sample) / size)
        every *= math.ceil(len(sample) / size)  # in steps
        between = {max(1, round(i * every)) for i in range(1, math.ceil(total / every))}
        stops = [done + steps for steps in sorted(between | {total})]
        pools = sample.shuffled(size, rng, passes)
        for pool in map_ahead(lambda rows: self._tensors(sample.pool(rows)), pools, ahead=1):
            first, end = done, done + len(pool[1])
            while done < end:
                until = min(end, stops[0])
                numbers = done - first, until - first, rate
                self._steps(*pool, *map(self._tf.constant, numbers))
                done = until
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
            self._step.assign_add(1)

    def _loss(self, outputs: Any, labels: Any, weights: Any) -> Any:
        from adcat.fusion.losses import auxiliary, cross_entropy, l2

        settings = self._settings
        loss = cross_entropy(outputs["logits"], labels, weights)
        if settings.l2_weight:
            loss += l2(self._variables, settings.l2_weight)
        if outputs["pair"] and settings.aux_weight:
            u_img, u_txt = outputs["pair"]
            kind, seed = settings.similarity, (settings.seed, self._step)
            loss += settings.aux_weight * auxiliary(
                u_img, u_txt, labels, kind, settings.negatives, seed
            )
        return loss

    def _evaluate_block(self, inputs: Any, labels: Any) -> tuple[Any, Any]:
        tf = self._tf
        logits = self._training(inputs, training=False)["logits"]
        right = tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_sum(tf.cast(right, tf.float32)), tf.reduce_sum(losses)
