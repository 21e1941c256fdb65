"""Which ops say that they are random in training, against what they do: features of frozen layers are kept by it."""

import keras
import numpy as np
import pytest

from archspec.ops.base import Op
from tests.ops.rows import Row
from tests.ops.test_conformance import ROWS, arrays, call, declared, draw, each_kind, each_row, fill, its_answer

pytestmark = pytest.mark.tensorflow
TRIES = 40
"""What is drawn for few elements is often the same."""

ALONE = [
    Row(op, {"units": 3, "sequences": True, argument: 0.5}, ((5, 4),), None)
    for op in ("lstm", "gru", "rnn")
    for argument in ("dropout", "recurrent_dropout")
]
"""One source of chance at a time, where an op has several."""


@pytest.mark.parametrize(
    "row", [*each_kind([row for row in ROWS if not Op.find(row.op).is_held], its_answer, axes=False), *each_row(ALONE)]
)
def test_an_op_is_random_if_its_outputs_are(row):
    """Called again and again in training, from the same state. (What is held is drawn by the training step.)"""
    keras.utils.set_random_seed(1)
    op, specs = declared(row)
    layer, symbols = op.lower(*specs), [keras.Input(s.shape, dtype=s.dtype) for s in specs]
    model = keras.Model(symbols, call(layer, op, symbols))
    fill(layer, row)
    state, inputs = layer.get_weights(), draw(row)
    first = arrays(model(inputs, training=True))
    found = False
    # What the op says must not decide how often it is tried: layers that draw have a generator.
    draws = any("seed_generator" in variable.path for variable in model.variables)
    for _ in range(TRIES if "drop" in str(row) else 5 if draws else 2):
        # Running means are not chance.
        layer.set_weights(state)
        again = arrays(model(inputs, training=True))
        found |= any(not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(first, again, strict=True))
        if found:
            break
    assert op.is_random() == found
