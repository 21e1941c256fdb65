"""Kernels that are computed: what training makes of them, held to numpy's singular values and lengths."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

SPEC = TensorSpec((6, 5, 3))
KERNELS = "(conv, conv_transpose, dense, depthwise_conv)"
CONV = {"conv": {"filters": 4, "kernel": 3, "bias": False}}


def lowered(op, **args):
    layer = Op.find(op).model_validate({"layer": CONV, **args}).lower(SPEC)
    layer.build((None, *SPEC.shape))
    return layer, next(w for w in layer.weights if w.name == "kernel")


def impulse(layer, training=False):
    """The kernel that the layer convolves with: what it makes of a single one, turned round."""
    x = np.zeros((3, 5, 5, 3), "float32")
    x[range(3), 2, 2, range(3)] = 1
    y = np.asarray(layer(x, training=training))[:, 1:4, 1:4]
    return y[:, ::-1, ::-1].transpose(1, 2, 0, 3)


@pytest.mark.tensorflow
def test_training_finds_the_largest_singular_value():
    keras.utils.set_random_seed(0)
    layer, kernel = lowered("spectral_norm")
    start = np.array(kernel)
    for _ in range(60):
        layer(np.zeros((1, *SPEC.shape), "float32"), training=True)
    np.testing.assert_array_equal(start, kernel)
    np.testing.assert_allclose(impulse(layer), start / np.linalg.norm(start.reshape(-1, 4), ord=2), atol=1e-4)


@pytest.mark.tensorflow
def test_gradients_go_through_the_quotient():
    """A kernel and its double give the same, so the gradient along the kernel itself is 0."""
    import tensorflow as tf

    layer, kernel = lowered("spectral_norm", iterations=30)
    x = np.random.default_rng(0).normal(size=(2, *SPEC.shape)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) ** 2)
    gradient = np.asarray(tape.gradient(loss, kernel.value))
    assert np.abs(gradient).max() > 1e-2
    assert abs((gradient * np.array(kernel)).sum()) < 1e-3 * np.abs(gradient * np.array(kernel)).sum()


@pytest.mark.tensorflow
def test_lengths_start_as_they_are():
    layer, kernel = lowered("weight_norm")
    np.testing.assert_allclose(impulse(layer), np.array(kernel), atol=1e-5)
    assert [w.name for w in layer.trainable_weights] == ["g", "kernel"]


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("op", ["spectral_norm", "weight_norm", "weight_standardization"])
def test_it_is_saved_with_its_layer_and_trained_in_a_model(op, tmp_path):
    x = keras.Input(SPEC.shape)
    model = keras.Model(x, lowered(op)[0](x))
    model.compile(optimizer="sgd", loss="mse")
    before = model.get_weights()
    value = np.random.default_rng(0).normal(size=(4, *SPEC.shape)).astype("float32")
    model.fit(value, np.ones((4, 6, 5, 4), "float32"), verbose=0)
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(again.predict(value, verbose=0), model.predict(value, verbose=0), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("relu", f"must be an op with one kernel {KERNELS}, got relu"),
        (
            {"separable_conv": 4},
            f"must be an op with one kernel {KERNELS}, got separable_conv",
        ),
        ({"convv": 4}, "there is no op 'convv'"),
    ],
)
def test_what_has_no_kernel_is_refused(layer, message):
    with pytest.raises(ValidationError) as refusal:
        Op.find("spectral_norm").model_validate({"layer": layer})
    assert refusal.value.errors()[0]["msg"] == message
