"""What dropout ops do in training: how much they drop, in what units, and how the rest is scaled."""

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("op", "units"),
    [("dropout", (200, 4, 5, 8)), ("spatial_dropout", (200, 1, 1, 8)), ("drop_path", (200, 1, 1, 1))],
)
def test_units_are_dropped_whole_and_the_rest_is_scaled(op, units):
    keras.utils.set_random_seed(1)
    x = TensorSpec((4, 5, 8))
    layer = Op.find(op).model_validate({"rate": 0.25}).lower(x)
    y = keras.ops.convert_to_numpy(layer(np.ones((200, *x.shape), "float32"), training=True))
    np.testing.assert_allclose(np.unique(y), [0.0, 1 / 0.75], rtol=1e-6)
    one_per_unit = y[tuple(slice(0, n) for n in units)]
    np.testing.assert_array_equal(y, np.broadcast_to(one_per_unit, y.shape))
    dropped = (one_per_unit == 0).mean()
    assert abs(dropped - 0.25) < 4 * np.sqrt(0.25 * 0.75 / one_per_unit.size)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, "0.5"])
def test_rates_outside_zero_to_one_are_refused(rate):
    with refuses(ValueError):
        Op.find("dropout").model_validate({"rate": rate})
