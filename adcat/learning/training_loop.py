"""Trains a network until validation stalls, then more slowly, then ends (thesis, section 4.3.2).

Serves the last layer on stored vectors, all of Inception v3 on photos, and any other network whose
first output are logits [n, categories] and whose second, if it has one, an auxiliary head's.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adcat.errors import DivergedError
from adcat.files import replacing
from adcat.learning.examples import Examples, Inputs, Rows
from adcat.learning.runtime import import_tensorflow
from adcat.learning.schedule import (
    WARM_UP,
    Evaluation,
    Schedule,
    best,
    is_over,
    learning_rate,
    next_batches,
    steps_per_epoch,
    steps_taken,
)
from adcat.progress import Progress
from adcat.types import Labels

if TYPE_CHECKING:
    import keras

OUTPUT_WEIGHTS = (1.0, 0.4)  # of the losses of logits and auxiliary logits, as in TF-Slim
Step: TypeAlias = Callable[[Inputs, Labels], tuple[Any, Any]]  # -> mean loss, hits


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One training: its schedule, its checkpoint and its progress."""

    schedule: Schedule
    checkpoint: Path  # `.npz`, written after every evaluation; a later call resumes from it
    progress: Progress


def train(
    network: "keras.Model",
    training: Examples,
    validation: Examples,
    run: Run,
    title: str,
) -> list[Evaluation]:
    """Trains as scheduled; leaves the network with the weights of its best evaluation.

    The first evaluation comes before the first step, so that training never does harm.

    Args:
      network: what is trained; its layers that are not trainable run in inference mode.
      training: read in another order each epoch.
      validation: what every evaluation scores.
      run: how, for how long, and where the state is kept.
      title: what the progress calls this training.

    Raises:
      DivergedError: the loss is not finite.
    """
    schedule = run.schedule
    optimizer = make_optimizer(schedule)
    optimizer.build(network.trainable_variables)
    state = _State(run.checkpoint, changing(network), optimizer.variables)
    history = state.restore()
    learn, score = learning_step(network, optimizer), _scoring_step(network)
    in_order = _in_order(validation, schedule.batch_size)
    if not history:
        scored = _pass(score, validation, in_order)
        history.append(Evaluation(0.0, schedule.learning_rate, None, None, *scored))
        state.save(history, is_best=True)
    done = steps_taken(history, schedule)
    with run.progress.task(title, schedule.steps, "steps", done) as task:
        while not is_over(history, schedule):
            if schedule.decay == "plateau":
                optimizer.learning_rate.assign(learning_rate(history, schedule))
            rate = float(optimizer.learning_rate)
            batches, passed = next_batches(len(history) - 1, len(training), schedule)
            learned = _pass(learn, training, batches, task.advance)
            _check_finite(learned[0], passed, rate)
            scored = _pass(score, validation, in_order)
            history.append(Evaluation(passed, rate, *learned, *scored))
            state.save(history, is_best=best(history, schedule.watched) is history[-1])
            task.advance(0, f"validation loss {scored[0]:.4f}, top-1 {scored[1]:.2%}")
    state.restore_best()
    return history


def changing(layer: "keras.Layer") -> list[Any]:
    """The variables that training may change: those of all layers that are not frozen."""
    if not layer.trainable:
        return []
    inner = getattr(layer, "layers", None)
    found = [v for part in inner for v in changing(part)] if inner else layer.variables
    return list({id(variable): variable for variable in found}.values())  # each once


def make_optimizer(schedule: Schedule) -> "keras.Optimizer":
    """An optimizer, with the decay, momentum and epsilon of A.3.2 where it has any."""
    optimizers = import_tensorflow().keras.optimizers
    rate: Any = schedule.learning_rate
    if schedule.decay == "cosine":
        rising = math.ceil(WARM_UP * schedule.steps)
        rate = optimizers.schedules.CosineDecay(
            rate / rising, schedule.steps - rising, warmup_target=rate, warmup_steps=rising
        )
    return {
        "rmsprop": lambda: optimizers.RMSprop(rate, rho=0.9, momentum=0.9, epsilon=0.1),
        "adam": lambda: optimizers.Adam(rate),
        "sgd": lambda: optimizers.SGD(rate, momentum=0.9),
        "adagrad": lambda: optimizers.Adagrad(rate),
    }[schedule.optimizer]()


def _in_order(examples: Examples, batch_size: int) -> list[tuple[int, list[Rows]]]:
    count = steps_per_epoch(len(examples), batch_size)
    return [(0, np.array_split(np.arange(len(examples)), count))]


def _pass(
    step: Step,
    examples: Examples,
    by_epoch: Sequence[tuple[int, Sequence[Rows]]],
    advance: Callable[[int], None] = lambda steps: None,
) -> tuple[float, float]:
    """Takes the step with every batch of each epoch; returns mean loss and top-1 of their ads."""
    loss_sum = hits = ads = 0.0
    for epoch, batches in by_epoch:
        for rows, inputs in zip(batches, examples.stream(batches, epoch), strict=True):
            loss, found = step(inputs, examples.labels[rows])
            loss_sum, hits = loss_sum + float(loss) * len(rows), hits + float(found)
            ads += len(rows)
            advance(1)
    return loss_sum / ads, hits / ads


def _check_finite(loss: float, epochs: float, rate: float) -> None:
    if not np.isfinite(loss):
        raise DivergedError(
            f"training diverged within {epochs:g} epochs: the loss is {loss}; "
            f"try a lower --learning-rate than {rate:g}"
        )


def learning_step(network: "keras.Model", optimizer: "keras.Optimizer") -> Step:
    """Compiles a step of training: inputs and labels of a batch -> mean loss, hits."""
    tf = import_tensorflow()

    def learn(inputs, labels):
        with tf.GradientTape() as tape:
            losses, hits = _losses(network, inputs, labels, training=True)
            total = sum(weight * loss for weight, loss in zip(OUTPUT_WEIGHTS, losses, strict=False))
            total += sum(network.losses)  # what regularisers add
        gradients = tape.gradient(total, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return losses[0], hits

    return tf.function(learn, input_signature=_signature(network))


def _scoring_step(network: "keras.Model") -> Step:
    def score(inputs, labels):
        losses, hits = _losses(network, inputs, labels, training=False)
        return losses[0], hits

    return import_tensorflow().function(score, input_signature=_signature(network))


def _losses(network: "keras.Model", inputs, labels, training: bool) -> tuple[list[Any], Any]:
    """The mean cross entropy of every output, and how many ads the first one gets right."""
    tf = import_tensorflow()
    outputs = network(inputs[0] if len(inputs) == 1 else list(inputs), training=training)
    outputs = tf.nest.flatten(outputs)
    losses = [
        tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        for logits in outputs
    ]
    hits = tf.math.count_nonzero(tf.argmax(outputs[0], axis=-1) == labels)
    return losses, hits


def _signature(network: "keras.Model") -> list[Any]:
    """Fixes what varies to the number of ads, so that a smaller batch is not compiled anew."""
    tf = import_tensorflow()
    inputs = tuple(tf.TensorSpec(x.shape, x.dtype) for x in network.inputs)
    return [inputs, tf.TensorSpec([None], tf.int64)]


class _State:
    """What a training needs to go on: history, variables, and the best weights so far."""

    def __init__(self, path: Path, network: Sequence[Any], optimizer: Sequence[Any]) -> None:
        self._path = path
        self._network, self._all = network, [*network, *optimizer]
        self._best: list[NDArray[Any]] = []

    def restore(self) -> list[Evaluation]:
        """Sets the variables to what was kept, if anything was, and returns the history."""
        if not self._path.exists():
            return []
        with np.load(self._path, allow_pickle=False) as kept:
            _assign(self._all, [kept[f"now_{i}"] for i in range(len(self._all))])
            self._best = [kept[f"best_{i}"] for i in range(len(self._network))]
            return [Evaluation(**values) for values in json.loads(str(kept["history"]))]

    def save(self, history: Sequence[Evaluation], *, is_best: bool) -> None:
        """Keeps everything in one file, which is replaced whole."""
        if is_best:
            self._best = [variable.numpy() for variable in self._network]
        lines = json.dumps([dataclasses.asdict(evaluation) for evaluation in history])
        kept: dict[str, Any] = {"history": np.array(lines)}
        kept |= {f"now_{i}": variable.numpy() for i, variable in enumerate(self._all)}
        kept |= {f"best_{i}": value for i, value in enumerate(self._best)}
        with replacing(self._path) as new, new.open("wb") as file:
            np.savez(file, **kept)

    def restore_best(self) -> None:
        """Gives the network the weights of the best evaluation."""
        _assign(self._network, self._best)


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
