import numpy as np
import pytest

from adcat.fusion.optimizers import OPTIMIZERS
from adcat.learning.runtime import import_tensorflow


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_takes_the_steps_of_keras_optimizer(name):
    tf = import_tensorflow()
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (2,))]
    mine, theirs = ([tf.Variable(array) for array in start] for _ in range(2))
    update, _ = OPTIMIZERS[name](mine)
    keras = tf.keras.optimizers
    optimizer = {"adam": keras.Adam, "rmsprop": keras.RMSprop, "sgd": keras.SGD}[name](0.05)
    step = tf.function(lambda *gradients: update(gradients, tf.constant(0.05)))
    for _ in range(5):
        gradients = [
            tf.constant(rng.normal(size=array.shape).astype(np.float32)) for array in start
        ]
        step(*gradients)
        optimizer.apply_gradients(zip(gradients, theirs, strict=True))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4)
