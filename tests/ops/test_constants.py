"""What an op says it makes of zeros, or of whatever comes in, is what Keras's layer makes of it."""

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError

pytestmark = pytest.mark.tensorflow
NORMS = ("layer_norm", "rms_norm", "instance_norm", "group_norm", "batch_norm")
SHAPES = ((1, 1, 1), (1, 1, 4), (3, 2, 1), (3, 2, 4), (1, 4), (3, 1), (4,), (1,))
GIVEN = [
    *((name, {}) for name in (*NORMS[:3], "batch_norm", "softmax", "log_softmax")),
    *(("group_norm", {"groups": n}) for n in (1, 2, 4)),
    *(("softmax", {"axis": axis}) for axis in (0, 1)),
    *(("scale", {"factor": factor, "offset": 1.5}) for factor in (0, 2)),
    ("layer_scale", {"init": 0.5}),
]


@pytest.mark.parametrize(("name", "args"), GIVEN, ids=str)
def test_what_is_constant(name, args):
    op = Op.find(name).model_validate(args)
    tried, rng = 0, np.random.default_rng(7)
    for shape in SHAPES:
        spec = TensorSpec(shape)
        try:
            op.infer(spec)
        except OpError:
            continue
        layer = op.lower(spec)
        one, other = (np.asarray(layer(rng.normal(size=(1, *shape)).astype("float32"))) for _ in range(2))
        assert np.allclose(one, other, atol=1e-6) == op.is_constant(spec), shape
        tried += 1
    assert tried >= 2


def test_zeros_that_stay_zeros():
    """All ops of one tensor that say so, with what they need set."""
    needed = {"scaled_tanh": {}, "adaptive_max_pool": {"size": 2}, "group_norm": {"groups": 2}}
    tried = set()
    for op in Op.all():
        if op.keeps_zero:
            made = op.model_validate(needed.get(op.name, {}))
            spec = TensorSpec((4, 4, 4))
            found = np.asarray(made.lower(spec)(np.zeros((1, 4, 4, 4), "float32")))
            np.testing.assert_allclose(found, 0, atol=1e-7, err_msg=op.name)
            tried.add(op.name)
    assert {"relu", "tanh", "silu", "gelu", "max_pool", "batch_norm"} <= tried and len(tried) > 15


def test_other_activations_make_something_of_zeros():
    for op in Op.all():
        if (
            op.is_activation
            and not op.is_view
            and not op.keeps_zero
            and op.name not in ("maxout", "threshold", "activation")
        ):
            spec = TensorSpec((4,))
            found = np.asarray(op().lower(spec)(np.zeros((1, 4), "float32")))
            assert np.abs(found).max() > 1e-3, op.name
