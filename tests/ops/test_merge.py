"""Merges accept and refuse exactly what Keras does, over a full grid of shapes."""

from itertools import product

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError

pytestmark = pytest.mark.tensorflow

SIZES = (1, 2, 3, None)
SHAPES = [shape for rank in (1, 2) for shape in product(SIZES, repeat=rank)]
LAYERS = {
    "add": keras.layers.Add,
    "multiply": keras.layers.Multiply,
    "average": keras.layers.Average,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
    "subtract": keras.layers.Subtract,
}


def static(op, shapes, **args):
    try:
        return Op.find(op)(**args).infer(*map(TensorSpec, shapes)).shape
    except OpError:
        return None


def symbolic(layer, shapes):
    try:
        return layer([keras.Input(s) for s in shapes]).shape[1:]
    except ValueError:
        return None


@pytest.mark.fast(2)
@pytest.mark.parametrize("op", LAYERS)
def test_elementwise_merges_are_keras_s(op):
    for shapes in product(SHAPES, repeat=2):
        assert static(op, shapes) == symbolic(LAYERS[op](), shapes), shapes


@pytest.mark.slow
def test_three_operands_are_keras_s():
    shapes = [(1,), (3,), (None,), (2, 1), (2, 3), (1, 3), (None, 1)]
    for operands in product(shapes, repeat=3):
        assert static("add", operands) == symbolic(keras.layers.Add(), operands), operands


@pytest.mark.parametrize("axis", [-1, 0])
def test_concat_runs_where_it_is_accepted(axis):
    accepted = 0
    for shapes in product([s for s in SHAPES if None not in s], repeat=2):
        layer = keras.layers.Concatenate(axis if axis < 0 else axis + 1)
        try:
            expected = layer([np.zeros((1, *s), "float32") for s in shapes]).shape[1:]
        except Exception:
            expected = None
        accepted += expected is not None
        assert static("concat", shapes, axis=axis) == expected, shapes
    assert accepted > 20


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(None, 4), (None, 3)], (None, 7)),
        ([(8, None, 4), (8, None, 3)], (8, None, 7)),
        ([(8, 4), (None, 3)], (8, 7)),
        ([(8, 4), (8, None)], (8, None)),
    ],
)
def test_concat_of_open_sizes(shapes, expected):
    assert static("concat", shapes) == expected == symbolic(keras.layers.Concatenate(), shapes)


@pytest.mark.parametrize(
    ("op", "args", "inputs", "message"),
    [
        (
            "concat",
            {},
            [TensorSpec((26, 26, 256)), TensorSpec((52, 52, 256))],
            "cannot concat (26, 26, 256) and (52, 52, 256): all dimensions but channels must match",
        ),
        (
            "concat",
            {"axis": 0},
            [TensorSpec((4, 3)), TensorSpec((2, 3)), TensorSpec((2, 5))],
            "cannot concat (4, 3) and (2, 5): all dimensions but axis 0 must match",
        ),
        (
            "concat",
            {},
            [TensorSpec((4, 3)), TensorSpec((3,))],
            "cannot concat (4, 3) and (3,): all dimensions but channels must match",
        ),
        ("concat", {"axis": 3}, [TensorSpec((4, 3))], "concat: axis 3 does not exist in (4, 3)"),
        ("concat", {}, [TensorSpec((4,)), TensorSpec((4,), "int32")], "cannot concat float32 and int32"),
        (
            "add",
            {},
            [TensorSpec((8, 8, 3)), TensorSpec((4, 4, 3))],
            "cannot add (8, 8, 3) and (4, 4, 3): sizes must match or be 1",
        ),
        ("add", {}, [], "add needs at least one tensor"),
        ("multiply", {}, [TensorSpec((4,), "int32")] * 2, "multiply needs floating-point numbers, got int32"),
        ("subtract", {}, [TensorSpec((4,))] * 3, "subtract needs exactly two tensors, got 3"),
        (
            "matmul",
            {},
            [TensorSpec((4, 3)), TensorSpec((4, 3))],
            "cannot matmul (4, 3) and (4, 3): inner sizes 3 and 4 differ",
        ),
        ("dot", {}, [TensorSpec((4,)), TensorSpec((3,))], "dot needs two vectors of equal length, got (4,) and (3,)"),
    ],
)
def test_refusals_say_why(op, args, inputs, message):
    with pytest.raises(OpError) as refusal:
        Op.find(op)(**args).infer(*inputs)
    assert refusal.value.message == message


@pytest.mark.parametrize("op", [*sorted(LAYERS.keys() - {"subtract"}), "concat"])
def test_of_one_tensor_is_the_identity_and_can_be_saved(op, tmp_path):
    x = keras.Input((4, 3))
    model = keras.Model(x, Op.find(op)().lower(TensorSpec((4, 3)))([x]))
    model.save(tmp_path / "model.keras")
    value = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(value), value)


def test_integers_are_joined_as_integers():
    a, b = keras.Input((3,), dtype="int32"), keras.Input((2,), dtype="int32")
    specs = TensorSpec((3,), "int32"), TensorSpec((2,), "int32")
    joined = Op.find("concat")()
    model = keras.Model([a, b], keras.layers.Embedding(9, 2)(joined.lower(*specs)([a, b])))
    assert joined.infer(*specs) == TensorSpec((5,), "int32")
    assert model([np.array([[1, 2, 3]], "int32"), np.array([[4, 5]], "int32")]).shape == (1, 5, 2)


def test_flags():
    merges = {op.name for op in Op.all() if op.is_merge}
    assert merges == {"concat", "stack", "add", "multiply", "divide", "average", "maximum", "minimum", "subtract"}
    assert {op.name for op in Op.all() if op.is_projectable} == {"add", "subtract", "average", "maximum"}


@pytest.mark.parametrize(
    ("op", "args", "shapes", "macs", "flops"),
    [
        ("add", {}, [(4, 3, 2)] * 3, 0, 48),
        ("multiply", {}, [(4, 3, 2), (1, 1, 2)], 0, 24),
        ("average", {}, [(4, 3, 2)] * 3, 0, 72),
        ("maximum", {}, [(4, 3, 2)], 0, 0),
        ("concat", {}, [(4, 3, 2)] * 3, 0, 0),
        ("matmul", {}, [(7, 4, 3), (7, 3, 5)], 7 * 4 * 3 * 5, 2 * 7 * 4 * 3 * 5),
        ("matmul", {"transpose_a": True, "transpose_b": True}, [(3, 4), (5, 3)], 60, 120),
        ("dot", {}, [(8,), (8,)], 8, 16),
    ],
)
def test_costs(op, args, shapes, macs, flops):
    op, specs = Op.find(op)(**args), [TensorSpec(s) for s in shapes]
    out = op.infer(*specs)
    assert (op.macs(out, *specs), op.flops(out, *specs), op.transcendentals(out, *specs)) == (macs, flops, 0)
