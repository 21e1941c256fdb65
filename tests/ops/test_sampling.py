"""Draws: their moments, their gradients, their seeds, and what is refused."""

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
MEAN, LOG_VARIANCE = np.array([-2.0, 0.0, 3.0], "float32"), np.array([-4.0, 0.0, 2.0], "float32")
SPEC = TensorSpec((3,))


def drawn(inference, training, count=20_000):
    keras.utils.set_random_seed(3)
    layer = Op.find("sample_normal")(inference=inference).lower(SPEC, SPEC)
    rows = np.ones((count, 1), "float32")
    return keras.ops.convert_to_numpy(layer(rows * MEAN, rows * LOG_VARIANCE, training=training))


@pytest.mark.parametrize(("inference", "training"), [("mean", True), ("draw", True), ("draw", False)])
def test_draws_have_the_mean_and_the_variance_that_were_asked_for(inference, training):
    found = drawn(inference, training)
    deviation = np.exp(LOG_VARIANCE / 2)
    np.testing.assert_allclose(found.mean(0), MEAN, atol=5 * deviation.max() / np.sqrt(20_000))
    np.testing.assert_allclose(found.std(0), deviation, rtol=0.03)
    # A normal distribution: a share of 0.683 lies within a deviation, of 0.954 within two.
    distance = np.abs(found - MEAN) / deviation
    assert (distance < 1).mean() == pytest.approx(0.6827, abs=0.01)
    assert (distance < 2).mean() == pytest.approx(0.9545, abs=0.005)


def test_draws_are_seeded_and_the_mean_is_no_draw():
    np.testing.assert_array_equal(drawn("draw", False, 5), drawn("draw", False, 5))
    np.testing.assert_array_equal(drawn("mean", False, 5), np.tile(MEAN, (5, 1)))


def test_gradients_reach_mean_and_variance():
    """Of z² the expected value is mean² + variance: its derivatives are 2 · mean, and the variance by the logarithm."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    layer = Op.find("sample_normal")().lower(SPEC, SPEC)
    rows = tf.ones((200_000, 1))
    mean, log_variance = tf.Variable(MEAN), tf.Variable(LOG_VARIANCE / 2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.reduce_mean(layer(rows * mean, rows * log_variance, training=True) ** 2, 0))
    by_mean, by_variance = tape.gradient(loss, [mean, log_variance])
    np.testing.assert_allclose(by_mean, 2 * MEAN, atol=0.05)
    np.testing.assert_allclose(by_variance, np.exp(LOG_VARIANCE / 2), atol=0.05)


def test_costs_are_those_of_what_it_gives_at_inference():
    assert [Op.find("sample_normal")(inference=i).flops(SPEC, SPEC, SPEC) for i in ("mean", "draw")] == [0, 9]
    assert [Op.find("sample_normal")(inference=i).transcendentals(SPEC, SPEC, SPEC) for i in ("mean", "draw")] == [0, 3]


@pytest.mark.parametrize("other", [(4,), (1, 3), (3, 1)])
def test_each_mean_has_a_variance(other):
    with refuses(OpError):
        Op.find("sample_normal")().infer(SPEC, TensorSpec(other))
