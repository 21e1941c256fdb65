"""What a tensor holds is known from the text alone: of integers and truth values, too."""

import keras
import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from tests.ops.test_conformance import ROWS, as_tuple, call

pytestmark = pytest.mark.tensorflow
WHOLE = ("int32", "int64", "uint8", "bool")


@pytest.mark.fast(1)
@pytest.mark.parametrize("dtype", WHOLE)
def test_static_dtype_equals_keras_in_every_row_that_takes_it(dtype):
    """A layer's output as a graph declares it, and as it is when the layer runs."""
    wrong, taken = [], set()
    for row in ROWS:
        op, specs = Op.find(row.op).model_validate(row.args), [TensorSpec(shape, dtype) for shape in row.inputs]
        try:
            promised = [o.dtype for o in as_tuple(op.infer(*specs))]
        except OpError:
            continue
        taken.add(row.op)
        layer = op.lower(*specs)
        declared = as_tuple(call(layer, op, [keras.Input(s.shape, dtype=dtype) for s in specs]))
        found = as_tuple(call(layer, op, [np.zeros((2, *s.shape), dtype) for s in specs]))
        for outputs in (declared, found):
            if [keras.backend.standardize_dtype(y.dtype) for y in outputs] != promised:
                wrong.append((str(row), promised, [y.dtype for y in outputs]))
    assert wrong == []
    assert {"concat", "pad", "crop", "center_crop", "repeat_vector", "flatten", "slice", "split"} <= taken


def test_joined_tokens_are_still_tokens(tmp_path):
    """Two sentences one after the other, looked up in one table."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: net\n"
        "inputs: {a: {shape: [3], dtype: int32}, b: {shape: [2], dtype: int32}}\n"
        "body: [{concat: {axis: 0}, from: [a, b]}, embedding: {vocab: 9, dim: 2}]\n"
    )
    model = archspec.compile(archspec.load(str(path)))
    table = model.get_weights()[0]
    a, b = np.array([[1, 2, 3]], "int32"), np.array([[4, 8]], "int32")
    np.testing.assert_array_equal(model({"a": a, "b": b}), table[[[1, 2, 3, 4, 8]]])
