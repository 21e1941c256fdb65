"""Initialisers and regularisers: what is drawn and what is added to the loss; as arguments of ops."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from archspec.ops.constraint import Constraint
from archspec.ops.initializer import Initializer
from archspec.ops.regularizer import Regularizer

pytestmark = pytest.mark.tensorflow

INPUTS, OUTPUTS = 300, 200
# Mean and standard deviation of what is drawn for a matrix of 300 inputs and 200 outputs.
MOMENTS = [
    ("zeros", {}, 0, 0),
    ("ones", {}, 1, 0),
    ("constant", {"value": -4.595}, -4.595, 0),
    ("prior", {"probability": 0.01}, -4.59512, 0),
    ("normal", {"std": 0.2, "mean": 1.0}, 1, 0.2),
    # A normal distribution cut at two standard deviations has 0.8796 of its deviation.
    ("truncated_normal", {"std": 0.2}, 0, 0.2 * 0.87963),
    ("uniform", {"limit": 0.3}, 0, 0.3 / 3**0.5),
    ("glorot_uniform", {}, 0, (2 / (INPUTS + OUTPUTS)) ** 0.5),
    ("glorot_normal", {}, 0, (2 / (INPUTS + OUTPUTS)) ** 0.5),
    ("he_uniform", {}, 0, (2 / INPUTS) ** 0.5),
    ("he_normal", {}, 0, (2 / INPUTS) ** 0.5),
    ("lecun_uniform", {}, 0, (1 / INPUTS) ** 0.5),
    ("lecun_normal", {}, 0, (1 / INPUTS) ** 0.5),
    ("variance_scaling", {"scale": 2.0, "fan": "out"}, 0, (2 / OUTPUTS) ** 0.5),
    ("variance_scaling", {"fan": "average", "distribution": "uniform"}, 0, (2 / (INPUTS + OUTPUTS)) ** 0.5),
    ("orthogonal", {"gain": 2.0}, 0, 2.0 / INPUTS**0.5),
    # Without positions the identity.
    ("bilinear", {}, 1 / INPUTS, (1 / INPUTS * (1 - 1 / INPUTS)) ** 0.5),
]


@pytest.mark.parametrize(("name", "args", "mean", "deviation"), MOMENTS, ids=lambda v: v if isinstance(v, str) else "")
def test_moments_of_what_is_drawn(name, args, mean, deviation):
    keras.utils.set_random_seed(0)
    drawn = np.asarray(Initializer.find(name).model_validate(args).lower()((INPUTS, OUTPUTS)))
    assert drawn.mean() == pytest.approx(mean, abs=max(1e-5, 4 * deviation / (INPUTS * OUTPUTS) ** 0.5))
    assert drawn.std() == pytest.approx(deviation, rel=0.02, abs=1e-6)


def test_every_initializer_is_drawn_from():
    assert {name for name, *_ in MOMENTS} == set(Initializer.names())


def test_orthogonal_columns():
    drawn = np.asarray(Initializer.find("orthogonal")().lower()((30, 20)))
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(20), atol=1e-5)


def test_bilinear_kernels_are_those_of_fcn():
    known = json.loads((Path(__file__).parents[1] / "reference" / "vectors_ops.json").read_text())["bilinear_kernel_4"]
    made = Initializer.find("bilinear")().lower()
    kernel = np.asarray(made((4, 4, 3, 3)))
    np.testing.assert_allclose(kernel, np.multiply.outer(known["k4"], np.eye(3)), atol=1e-7)
    assert np.asarray(made((64, 64, 1, 1))).sum() == pytest.approx(known["k64_sum"])
    assert np.asarray(made((16, 16, 1, 1)))[0, :4, 0, 0] == pytest.approx(known["k16_row0_first4"], abs=1e-7)
    assert np.asarray(made((3, 5, 1))).sum(0) == pytest.approx(np.full((5, 1), 2.0))  # to all of one


def test_a_transposed_convolution_that_only_interpolates_learns_nothing_and_keeps_a_constant():
    op = Op.find("conv_transpose").model_validate(
        {"filters": 2, "kernel": 4, "bias": False, "kernel_initializer": "bilinear", "trainable": False}
    )
    spec = TensorSpec((5, 6, 2))
    layer = op.lower(spec)
    out = np.asarray(layer(np.full((1, 5, 6, 2), 3.0, "float32")))
    np.testing.assert_allclose(out[:, 1:-1, 1:-1], 3, rtol=1e-6)
    assert not layer.trainable_weights and [w.trainable for w in op.weights(spec)] == [False]


W = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
PENALTIES = [
    ("l1", 0.1, 0.1 * np.abs(W).sum()),
    ("l2", 0.1, 0.1 * (W**2).sum()),
    ("l1_l2", {"l1": 0.1, "l2": 0.2}, 0.1 * np.abs(W).sum() + 0.2 * (W**2).sum()),
    ("orthogonality", 0.1, None),
]


@pytest.mark.parametrize(("name", "args", "value"), PENALTIES, ids=lambda v: v if isinstance(v, str) else "")
def test_penalties(name, args, value):
    kind = Regularizer.find(name)
    found = float(
        kind.model_validate(args if isinstance(args, dict) else {kind.main: args}).lower()(
            keras.ops.convert_to_tensor(W)
        )
    )
    if value is None:
        units = W / np.linalg.norm(W, axis=0)
        products = np.abs(units.T @ units) * (1 - np.eye(3))
        value = args * products.sum() / 2 / 3
    assert found == pytest.approx(float(value), rel=1e-4)


def test_every_regularizer_is_compared():
    assert {name for name, *_ in PENALTIES} == set(Regularizer.names())


LENGTHS = np.linalg.norm(W, axis=0)
BROUGHT = [
    ("max_norm", 1.5, W * np.minimum(1, 1.5 / LENGTHS)),
    ("unit_norm", {}, W / LENGTHS),
    ("non_negative", {}, np.maximum(W, 0)),
]


@pytest.mark.parametrize(("name", "args", "expected"), BROUGHT, ids=lambda v: v if isinstance(v, str) else "")
def test_what_constraints_bring_a_kernel_to(name, args, expected):
    assert LENGTHS.min() < 1.5 < LENGTHS.max()
    op = Op.find("dense").model_validate({"units": 3, "kernel_constraint": {name: args} if args else name})
    layer = op.lower(TensorSpec((5,)))
    layer.build((None, 5))
    np.testing.assert_allclose(layer.kernel.constraint(keras.ops.convert_to_tensor(W)), expected, rtol=1e-5)


def test_every_constraint_is_compared():
    assert {name for name, *_ in BROUGHT} == set(Constraint.names())


@pytest.mark.parametrize(
    ("op", "args", "shape"),
    [
        ("conv", {"filters": 6, "kernel": 3}, (8, 8, 4)),
        ("conv", {"filters": 6, "kernel": 3, "groups": 2, "padding": 1}, (8, 8, 4)),
        ("conv_transpose", {"filters": 6}, (8, 8, 4)),
        ("depthwise_conv", {"kernel": 3}, (8, 8, 4)),
        ("dense", {"units": 6}, (4,)),
    ],
)
def test_they_reach_the_weights_of_an_op(op, args, shape):
    rules = {
        "kernel_initializer": {"constant": 0.5},
        "bias_initializer": {"constant": -2},
        "kernel_regularizer": {"l2": 0.1},
    }
    made = Op.find(op).model_validate({**args, **rules})
    layer = made.lower(TensorSpec(shape))
    layer(keras.Input(shape))
    kernel, bias = layer.get_weights()
    assert (kernel == 0.5).all()
    assert (bias == -2).all()
    assert float(sum(layer.losses)) == pytest.approx(0.1 * 0.25 * kernel.size, rel=1e-5)
    again = type(layer).from_config(layer.get_config())
    again(keras.Input(shape))
    assert (again.get_weights()[0] == 0.5).all()


@pytest.mark.parametrize("op", ["rnn", "lstm", "gru", "bidirectional"])
def test_they_reach_the_weights_of_a_recurrent_op(op):
    args = {
        "units": 6,
        "kernel_initializer": {"constant": 0.5},
        "recurrent_initializer": {"constant": -0.25},
        "bias_initializer": {"constant": -2},
        "kernel_regularizer": {"l2": 0.1},
        "recurrent_regularizer": {"l1": 0.2},
    }
    made = Op.find(op).model_validate({"layer": {"gru": args}} if op == "bidirectional" else args)
    layer = made.lower(TensorSpec((7, 4)))
    layer(keras.Input((7, 4)))
    expected = 0.0
    for kernel, recurrent, bias in zip(*[iter(layer.get_weights())] * 3, strict=True):
        assert (kernel == 0.5).all() and (recurrent == -0.25).all()
        # An LSTM starts its forget gate, the second, at 1 all the same.
        forget = slice(6, 12) if op == "lstm" else slice(0)
        assert (bias[..., forget] == 1).all() and (np.delete(bias, forget, -1) == -2).all()
        expected += 0.1 * 0.25 * kernel.size + 0.2 * 0.25 * recurrent.size
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


def test_they_reach_both_kernels_of_a_separable_convolution():
    args = {
        "filters": 6,
        "depthwise_initializer": {"constant": 0.5},
        "pointwise_initializer": {"constant": -0.25},
        "bias_initializer": {"constant": -2},
        "depthwise_regularizer": {"l2": 0.1},
        "pointwise_regularizer": {"l1": 0.2},
    }
    layer = Op.find("separable_conv").model_validate(args).lower(TensorSpec((8, 8, 4)))
    layer(keras.Input((8, 8, 4)))
    depthwise, pointwise, bias = layer.get_weights()
    assert (depthwise == 0.5).all() and (pointwise == -0.25).all() and (bias == -2).all()
    expected = 0.1 * 0.25 * depthwise.size + 0.2 * 0.25 * pointwise.size
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


def test_the_static_rules_are_the_same_and_import_neither():
    import subprocess
    import sys

    program = (
        "import sys\nfrom archspec.ops.base import Op\nfrom archspec.ir.tensors import TensorSpec\n"
        "Op.find('conv')(filters=3).infer(TensorSpec((8, 8, 3)))\n"
        "assert not {'archspec.ops.initializer', 'archspec.ops.regularizer', 'keras'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("he_norml", "there is no initializer 'he_norml'"),
        ({"he_normal": 1}, "he_normal takes no single value, got 1"),
        ({"normal": {"std": -1}}, "normal.std must be greater than 0.0, got -1"),
        ({"a": 1, "b": 2}, "must be the name of an initializer, or {name: arguments}"),
    ],
)
def test_wrong_ones_are_refused(value, message):
    with pytest.raises(ValidationError, match=message.replace("{", r"\{")) as caught:
        Op.find("dense").model_validate({"units": 3, "kernel_initializer": value})
    if value == "he_norml":
        assert caught.value.errors()[0]["ctx"]["help"] == "did you mean 'he_normal'?"


def test_an_embedding_starts_as_it_is_told():
    layer = (
        Op.find("embedding")
        .model_validate({"vocab": 50, "dim": 40, "initializer": {"uniform": 0.25}})
        .lower(TensorSpec((5,), "int32"))
    )
    layer.build((None, 5))
    drawn = np.abs(np.asarray(layer.embeddings))
    assert 0.24 < drawn.max() <= 0.25 and drawn.mean() == pytest.approx(0.125, rel=0.05)
