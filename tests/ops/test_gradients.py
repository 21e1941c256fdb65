"""Gradients of convolutions on every path, against the NumPy oracles of the conformance rows.

Without an activation an output is linear in the input and in each kernel: the gradient along a direction is what the
oracle's output changes by in that direction, exactly.
"""

import keras
import numpy as np
import pytest

from tests.ops.rows.conv import ROWS
from tests.ops.test_conformance import declared, draw, fill

pytestmark = [pytest.mark.tensorflow, pytest.mark.processors]

LINEAR = [row for row in ROWS if "activation" not in row.args]


@pytest.mark.fast(20)
@pytest.mark.parametrize("row", LINEAR, ids=str)
def test_gradients_of_convolutions(row):
    import tensorflow as tf

    op, specs = declared(row)
    layer = op.lower(*specs)
    layer(keras.Input(specs[0].shape))
    values, (x,) = fill(layer, row), draw(row)
    rng = np.random.default_rng(1)
    onto = rng.normal(size=row.oracle(values, x).shape).astype("float32")
    variables = [w.value for w in layer.trainable_weights]

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) * onto)
        return tape.gradient(loss, [x, *variables])

    found = [g.numpy().astype("float64") for g in gradients(tf.constant(x))]
    starts = [x, *values.values()]
    for k, (gradient, start) in enumerate(zip(found, starts, strict=True)):
        step = rng.normal(size=start.shape)
        moved = [(s + step).astype("float32") if i == k else s for i, s in enumerate(starts)]
        after = row.oracle(dict(zip(values, moved[1:], strict=True)), moved[0])
        wanted = ((after - row.oracle(values, x)) * onto).sum()
        assert (gradient * step).sum() == pytest.approx(wanted, rel=1e-4, abs=1e-4 * np.abs(gradient * step).sum())
