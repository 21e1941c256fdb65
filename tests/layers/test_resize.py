"""Resampling against what torch.nn.functional.interpolate made of the same numbers (tools/torch_cases.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.resize import Resize

pytestmark = pytest.mark.tensorflow
MADE = json.loads((Path(__file__).parents[1] / "backend" / "cases" / "torch" / "resizes.json").read_text())
OURS = {
    "nearest": "torch_nearest",
    "nearest-exact": "nearest",
    "linear": "bilinear",
    "trilinear": "bilinear",
    "bicubic": "torch_bicubic",
    "area": "torch_area",
}


@pytest.mark.parametrize("case", MADE, ids=lambda c: f"{c['mode']}-{c['size']}-{c['align_corners']}")
def test_the_modes_that_are_pytorchs(case):
    x = np.array(case["x"], "float32")
    op = Resize(size=case["size"], mode=OURS.get(case["mode"], case["mode"]), align_corners=case["align_corners"])
    spec = TensorSpec(x.shape)
    y = np.asarray(op.lower(spec)(x[None]))[0]
    assert y.shape == op.infer(spec).shape
    np.testing.assert_allclose(y, np.array(case["y"]), rtol=1e-5, atol=1e-6)


def test_where_the_modes_differ_they_are_told_apart():
    """The vectors would not notice a mode that is another's: of each pair of modes at least one differs."""
    x, size = np.array(MADE[0]["x"], "float32"), MADE[0]["size"]
    made = {
        mode: np.asarray(Resize(size=size, mode=mode).lower(TensorSpec(x.shape))(x[None]))
        for mode in ("nearest", "torch_nearest", "bicubic", "torch_bicubic", "area", "torch_area")
    }
    for theirs in ("nearest", "bicubic", "area"):
        assert np.abs(made[theirs] - made[f"torch_{theirs}"]).max() > 1e-3
