"""Activations as arguments: what they accept, what they refuse and why, and that Keras can save them. Costs."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from archspec.ir.tensors import TensorSpec, UnknownSize
from archspec.ops.base import Op, OpError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

ARGUMENTS = [
    *(op.name for op in Op.all() if op.is_activation and hasattr(op, "function")),
    {"leaky_relu": 0.1},
    {"elu": 0.5},
    {"gelu": True},
    {"softmax": 0},
    {"log_softmax": {"axis": 0}},
]


@pytest.mark.parametrize("activation", ARGUMENTS, ids=str)
def test_an_argument_survives_saving(activation, tmp_path):
    dense, x = Op.find("dense")(units=4, activation=activation), keras.Input((6, 5))
    model = keras.Model(x, dense.lower(TensorSpec((6, 5)))(x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    value = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    np.testing.assert_array_equal(model(value), again(value))
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    step = Op.find("activation")(function=activation).lower(TensorSpec((6, 4)))
    linear = Op.find("dense")(units=4).lower(TensorSpec((6, 5)))
    linear.build((None, 6, 5))
    linear.set_weights(model.get_weights())
    np.testing.assert_allclose(step(linear(value)), model(value), atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("prelu", "cannot be prelu, which has weights: put it in a step of its own"),
        ({"prelu": {"shared": "all"}}, "cannot be prelu, which has weights: put it in a step of its own"),
        ({"maxout": 2}, "cannot be maxout, which changes the channels: put it in a step of its own"),
        ("rleu", "there is no activation 'rleu'"),
        ("conv", "there is no activation 'conv'"),
        ({"relu": 3}, "relu takes no single value, got 3"),
        ({"leaky_relu": "steep"}, "leaky_relu.slope must be a number, got 'steep'"),
        (3, "must be the name of an activation, or {name: arguments}"),
        ({"relu": None, "elu": None}, "must be the name of an activation, or {name: arguments}"),
    ],
)
def test_refusals_say_why(activation, message):
    with pytest.raises(ValidationError) as refusal:
        Op.find("dense").model_validate({"units": 4, "activation": activation})
    assert refusal.value.errors()[0]["msg"] == message


def test_a_misspelt_name_gets_a_hint():
    with pytest.raises(ValidationError) as refusal:
        Op.find("activation").model_validate({"function": "rleu"})
    assert refusal.value.errors()[0]["ctx"]["help"] == "did you mean 'relu'?"


@pytest.mark.parametrize("op", [op.name for op in Op.all() if op.is_activation])
def test_a_step_of_its_own(op):
    """``activation`` is the op that it names, weights and all."""
    args, x = ({"pieces": 2} if op == "maxout" else {}), TensorSpec((5, 4, 6))
    alone, step = Op.find(op)(**args), Op.find("activation")(function={op: args})
    out = alone.infer(x)
    assert step.infer(x) == out
    assert step.weights(x) == alone.weights(x)
    assert (step.macs(out, x), step.flops(out, x), step.transcendentals(out, x)) == (
        alone.macs(out, x),
        alone.flops(out, x),
        alone.transcendentals(out, x),
    )
    assert type(step.lower(x)) is type(alone.lower(x))
    with refuses(OpError):
        step.infer(TensorSpec((5, 4, 6), "int32"))


@pytest.mark.parametrize(
    ("op", "args", "flops", "transcendentals"),
    [
        ("linear", {}, 0, 0),
        ("relu", {}, 1, 0),
        ("relu6", {}, 2, 0),
        ("leaky_relu", {}, 2, 0),
        ("prelu", {}, 2, 0),
        ("elu", {}, 2, 1),
        ("elu", {"alpha": 0.5}, 3, 1),
        ("selu", {}, 3, 1),
        ("gelu", {}, 4, 1),
        ("gelu", {"approximate": True}, 8, 1),
        ("silu", {}, 4, 1),
        ("hard_swish", {}, 5, 0),
        ("hard_sigmoid", {}, 4, 0),
        ("sigmoid", {}, 3, 1),
        ("tanh", {}, 0, 1),
        ("scaled_tanh", {}, 2, 1),
        ("softplus", {}, 1, 2),
        ("softsign", {}, 2, 0),
        ("mish", {}, 2, 3),
    ],
)
def test_costs_per_element(op, args, flops, transcendentals):
    op, x = Op.find(op)(**args), TensorSpec((5, 4, 6))
    assert (op.flops(x, x), op.transcendentals(x, x)) == (120 * flops, 120 * transcendentals)
    if flops:
        with pytest.raises(UnknownSize):
            op.flops(TensorSpec((None, 6)), TensorSpec((None, 6)))


def test_costs_over_an_axis():
    x = TensorSpec((5, 4, 6))  # 20 rows of 6, or 24 of 5
    softmax, over_first = Op.find("softmax")(), Op.find("softmax")(axis=0)
    assert (softmax.flops(x, x), softmax.transcendentals(x, x)) == (480 - 40, 120)
    assert (over_first.flops(x, x), over_first.transcendentals(x, x)) == (480 - 48, 120)
    assert Op.find("log_softmax")().transcendentals(x, x) == 140
    assert Op.find("maxout")(pieces=3).flops(TensorSpec((5, 4, 2)), x) == 80


def test_prelu_starts_at_its_slope():
    layer = Op.find("prelu")(slope=0.1).lower(TensorSpec((4, 3)))
    np.testing.assert_allclose(layer(np.full((1, 4, 3), -2.0, "float32")), -0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "args", "shape", "argument"),
    [
        ("prelu", {"shared": "none"}, (None, 3), "shared"),
        ("maxout", {"pieces": 4}, (5, 6), "pieces"),
        ("softmax", {"axis": 2}, (5, 6), "axis"),
    ],
)
def test_refusals_name_the_argument(op, args, shape, argument):
    with pytest.raises(OpError) as refusal:
        Op.find(op)(**args).infer(TensorSpec(shape))
    assert refusal.value.argument == argument
