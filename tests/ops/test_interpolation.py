"""Maps read between positions: what PyTorch and torchvision gave on the same numbers."""

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from tests.ops.rows.interpolation import VECTORS

pytestmark = pytest.mark.tensorflow


def array(values):
    return np.asarray(values, "float32")


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("grid_sample")])
def test_a_grid_reads_what_pytorch_reads(name):
    vector = VECTORS[name]
    x, grid = array(vector["x"]), array(vector["grid"])
    op = Op.find("grid_sample")(mode=name.split("_")[2], align_corners=name.endswith("aligned"))
    layer = op.lower(TensorSpec(x.shape[1:]), TensorSpec(grid.shape[1:]))
    np.testing.assert_allclose(layer(x, grid), vector["out"], atol=2e-5)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("deform_conv", {"filters": 3, "padding": 1}),
        ("deform_conv_modulated", {"filters": 2, "kernel": [2, 3], "stride": 2, "padding": 1, "bias": False}),
        ("deform_conv_dilated", {"filters": 2, "padding": "valid", "dilation": 2}),
    ],
)
def test_a_deformable_convolution_gives_what_torchvision_gives(name, args):
    vector = VECTORS[name]
    given = [array(vector[key]) for key in ("x", "offset", "weight") if vector[key] is not None]
    layer = Op.find("deformable_conv").model_validate(args).lower(*(TensorSpec(g.shape[1:]) for g in given))
    layer(*given)
    layer.set_weights([array(vector[key]) for key in ("kernel", "bias") if vector[key] is not None])
    np.testing.assert_allclose(layer(*given), vector["out"], atol=1e-4)
