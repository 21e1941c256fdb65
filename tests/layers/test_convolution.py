"""Grouped convolution on every path: native, and split where TensorFlow has no gradient; trained, saved and loaded."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from archspec.layers import convolution
from archspec.layers.convolution import Convolution1D, Convolution2D, Convolution3D, conv, conv_transpose

pytestmark = [pytest.mark.tensorflow, pytest.mark.processors]

tf = pytest.importorskip("tensorflow")
ROOT = Path(__file__).parents[2]
INPUTS = {1: (9, 8), 2: (7, 6, 8), 3: (4, 5, 6, 8)}


def by_group(layer, x):
    """The plain convolution of every group, with its own stretch of the kernel."""
    plain = (
        keras.ops.conv(part, kernel, list(layer.strides), layer.padding, "channels_last", layer.dilation_rate)
        for part, kernel in zip(
            tf.split(x, layer.groups, -1), tf.split(layer.kernel.value, layer.groups, -1), strict=True
        )
    )
    return tf.concat(list(plain), -1) + layer.bias


@pytest.mark.fast(8)
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("layer", [Convolution1D, Convolution2D, Convolution3D])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"kernel_size": 1},
        {"kernel_size": 1, "strides": 2},
        {"strides": 2},
        {"dilation_rate": 2},
        {"padding": "same", "strides": 2},
    ],
)
def test_grouped_convolution_and_its_gradients(monkeypatch, native, layer, config):
    if not native:
        monkeypatch.setattr(convolution, "_native_groups", lambda dtype: False)
    layer = layer(12, groups=4, bias_initializer="normal", **{"kernel_size": 2, **config})
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *INPUTS[layer.rank])).astype("float32"))
    layer(x)

    def outputs_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y**2)
        return [y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])]

    found = outputs_and_gradients(layer)
    traced = outputs_and_gradients(tf.function(layer))
    for f, t, e in zip(found, traced, outputs_and_gradients(lambda x: by_group(layer, x)), strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(t, e, rtol=1e-4, atol=1e-4)


def test_groups_train_in_half_precision_too():
    for dtype in ("mixed_float16", "mixed_bfloat16"):
        layer = Convolution2D(8, 3, groups=4, dtype=dtype)
        x = tf.ones((1, 5, 5, 8), "float16" if dtype == "mixed_float16" else "bfloat16")
        layer(x)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x))
        gradient = tape.gradient(loss, layer.kernel.value)
        np.testing.assert_allclose(gradient, np.full((3, 3, 2, 8), 9.0))


@pytest.mark.slow
def test_layers_train_without_onednn():
    """As on processors where TensorFlow leaves it off: those without AVX-512."""
    script = (
        "import tensorflow as tf; from archspec.layers.convolution import *\n"
        "def gradient(layer, x):\n"
        "    layer(x)\n"
        "    with tf.GradientTape() as tape: loss = tf.reduce_sum(layer(x))\n"
        "    return tape.gradient(loss, layer.kernel.value)\n"
        "x = tf.ones((1, 5, 5, 8))\n"
        "assert float(tf.reduce_min(gradient(Convolution2D(8, 3, groups=4), x))) == 9.0\n"
        "assert float(tf.reduce_min(gradient(Convolution2D(8, 2, groups=4, dilation_rate=2), x))) == 9.0\n"
        "d = depthwise_conv(rank=2, kernel_size=3, strides=(2, 1), padding='same', dilation_rate=1)\n"
        "assert d(x).shape == (1, 3, 5, 8)\n"
        "for rank in (1, 2, 3):\n"
        "    for padding, lost in (('valid', 0), ('same', 2), (((1, 1),) * rank, 1)):\n"
        "        t = conv_transpose(rank=rank, filters=4, kernel_size=3, strides=1, padding=padding,\n"
        "                           output_padding=None, dilation_rate=2)\n"
        "        g = gradient(t, tf.ones((1, *(5,) * rank, 2)))\n"
        "        assert float(tf.reduce_max(g)) == 5.0**rank and float(tf.reduce_min(g)) == (5.0 - lost) ** rank\n"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_plain_layer_stands_where_it_computes_the_same():
    common = {"rank": 2, "filters": 4, "dilation_rate": 1, "use_bias": True, "activation": None}
    one = ((1, 1), (1, 1))
    for strides, padding, groups, plain in [
        (1, "same", 1, True),
        (1, one, 1, True),
        (2, one, 1, False),
        (2, ((0, 0), (0, 0)), 1, True),
        (1, ((0, 1), (1, 1)), 1, False),
        (1, "same", 2, False),
    ]:
        layer = conv(kernel_size=3, strides=strides, padding=padding, groups=groups, **common)
        assert (type(layer) is keras.layers.Conv2D) is plain, (strides, padding, groups)
    for kernel, padding, extra, plain in [(4, one, None, True), (3, one, 1, False), (2, ((0, 0), (0, 0)), 1, True)]:
        layer = conv_transpose(kernel_size=kernel, strides=2, padding=padding, output_padding=extra, **common)
        assert (type(layer) is keras.layers.Conv2DTranspose) is plain, (kernel, padding, extra)


def test_models_save_and_load_in_safe_mode(tmp_path):
    common = {"dilation_rate": 1, "use_bias": True, "activation": "relu", "rank": 2}
    x = keras.Input((None, None, 4))
    y = conv(filters=8, kernel_size=3, strides=2, padding=((1, 1), (1, 1)), groups=4, **common)(x)
    y = conv_transpose(filters=4, kernel_size=3, strides=2, padding=((1, 1), (1, 1)), output_padding=1, **common)(y)
    y = convolution.depthwise_conv(kernel_size=3, strides=(2, 1), padding="same", depth_multiplier=2, **common)(y)
    y = convolution.separable_conv(filters=3, kernel_size=3, strides=2, padding=((1, 0), (0, 1)), **common)(y)
    model = keras.Model(x, convolution.Bias(name="offset")(y))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    image = np.random.default_rng(0).normal(size=(2, 9, 8, 4)).astype("float32")
    assert np.abs(model.predict(image, verbose=0)).max() > 0
    np.testing.assert_allclose(loaded.predict(image, verbose=0), model.predict(image, verbose=0), atol=1e-6)
