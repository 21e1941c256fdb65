"""Derivatives of derivatives against differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from archspec.training.updates.autodiff import gradient
from archspec.training.updates.steps import penalty

pytestmark = pytest.mark.tensorflow
DRAW = np.random.default_rng(0)
X, OUT = tf.constant(DRAW.normal(size=(8, 3))), tf.constant(DRAW.normal(size=(4, 1)))
LAYERS = {
    "none": lambda: keras.layers.Identity(dtype="float64"),
    "batch": lambda: keras.layers.BatchNormalization(dtype="float64"),
    "layer": lambda: keras.layers.LayerNormalization(dtype="float64"),
    "group": lambda: keras.layers.GroupNormalization(2, dtype="float64"),
}


@pytest.mark.fast(2)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_penalty_on_gradients_is_exact_through_normalisation(kind):
    layer, weight = LAYERS[kind](), tf.Variable(np.random.default_rng(1).normal(size=(3, 4)))
    layer.build((None, 4))

    def loss():
        score = lambda at: (tf.tanh(layer(at @ weight, training=True)) @ OUT, None)  # noqa: E731
        _, slope, _ = gradient(score, X)
        return tf.reduce_mean((tf.sqrt(tf.reduce_sum(slope**2, axis=1)) - 1) ** 2)

    with tf.GradientTape() as tape:
        value = loss()
    found = tape.gradient(value, weight).numpy()
    start, step = weight.numpy(), 1e-6
    for place in np.ndindex(3, 4):
        change = np.zeros((3, 4))
        change[place] = step
        ends = []
        for sign in (1, -1):
            weight.assign(start + sign * change)
            ends.append(float(loss()))
        assert found[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-7)
    weight.assign(start)


def test_the_penalty_of_a_gradient_that_is_zero_has_a_gradient():
    slope = tf.Variable(np.zeros((2, 3), "float32"))
    with tf.GradientTape() as tape:
        value = penalty(slope, 1.0)
    assert float(value) == pytest.approx(1)
    assert np.isfinite(tape.gradient(value, slope).numpy()).all()
