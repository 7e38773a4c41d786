"""Optimizers as TensorFlow's fused kernels: one pass over a variable, where Keras' make a dozen.

The update is most of the work of a step of these networks. Constants are Keras' defaults.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from adcat.learning.runtime import import_tensorflow

Update: TypeAlias = Callable[[Sequence[Any], Any], None]  # from gradients and the learning rate
Optimizer: TypeAlias = tuple[Update, Sequence[Any]]  # and the variables of its own


def adam(variables: Sequence[Any]) -> Optimizer:
    """Adam (Kingma and Ba, 2015, algorithm 1, in the form that precedes section 2.1)."""
    tf = import_tensorflow()
    beta1, beta2, epsilon = 0.9, 0.999, 1e-7
    m, v = _zeros_like(variables), _zeros_like(variables)
    beta1_power, beta2_power = tf.Variable(1.0), tf.Variable(1.0)

    def update(gradients: Sequence[Any], rate: Any) -> None:
        powers = beta1_power.assign(beta1_power * beta1), beta2_power.assign(beta2_power * beta2)
        for i, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m[i].handle,
                v=v[i].handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=beta1,
                beta2=beta2,
                epsilon=epsilon,
                grad=gradient,
            )

    return update, [*m, *v, beta1_power, beta2_power]


def rmsprop(variables: Sequence[Any]) -> Optimizer:
    """RMSprop without momentum (Tieleman and Hinton, 2012)."""
    tf = import_tensorflow()
    rho, epsilon = 0.9, 1e-7
    mean_square, momentum = _zeros_like(variables), _zeros_like(variables)

    def update(gradients: Sequence[Any], rate: Any) -> None:
        for i, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
            tf.raw_ops.ResourceApplyRMSProp(
                var=variable.handle,
                ms=mean_square[i].handle,
                mom=momentum[i].handle,
                lr=rate,
                rho=rho,
                momentum=0.0,
                epsilon=epsilon,
                grad=gradient,
            )

    return update, [*mean_square, *momentum]


def sgd(variables: Sequence[Any]) -> Optimizer:
    """Plain stochastic gradient descent."""
    tf = import_tensorflow()

    def update(gradients: Sequence[Any], rate: Any) -> None:
        for variable, gradient in zip(variables, gradients, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)

    return update, []


OPTIMIZERS: Mapping[str, Callable[[Sequence[Any]], Optimizer]] = {
    "adam": adam,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


def _zeros_like(variables: Sequence[Any]) -> list[Any]:
    tf = import_tensorflow()
    return [tf.Variable(tf.zeros_like(variable)) for variable in variables]
