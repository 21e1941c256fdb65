"""Costs, each counted by hand from the formulas of the convention (no number here was printed by archspec)."""

import pytest

from archspec.ir.tensors import TensorSpec, UnknownSize
from archspec.ops.base import Op


def counted(op, args, *shapes):
    op, specs = Op.find(op).model_validate(args), [TensorSpec(shape) for shape in shapes]
    out = op.infer(*specs)
    params = sum(w.size for w in op.weights(*specs))
    return params, op.macs(out, *specs), op.flops(out, *specs), op.transcendentals(out, *specs)


CASES = [
    # The 7×7 stem of many image networks: 112² positions × 7·7·3·64, and one addition per output for the bias.
    (
        "conv",
        {"filters": 64, "kernel": 7, "stride": 2},
        (224, 224, 3),
        (9_472, 118_013_952, 2 * 118_013_952 + 112 * 112 * 64, 0),
    ),
    # 5×5 on 28×28×192 to 32 filters: 120,422,400 (a classic exercise).
    (
        "conv",
        {"filters": 32, "kernel": 5, "bias": False},
        (28, 28, 192),
        (153_600, 120_422_400, 240_844_800, 0),
    ),
    # Two groups of 256 filters over 48 of 96 channels: 27² × 5·5·48·256, plus bias and ReLU.
    (
        "conv",
        {"filters": 256, "kernel": 5, "groups": 2, "activation": "relu"},
        (27, 27, 96),
        (307_456, 223_948_800, 447_897_600 + 2 * 27 * 27 * 256, 0),
    ),
    ("conv", {"filters": 4, "kernel": 3, "padding": "valid"}, (10, 2), (28, 8 * 24, 8 * 48 + 32, 0)),
    ("conv", {"filters": 4, "kernel": 3, "bias": False}, (2, 3, 4, 5), (540, 24 * 540, 48 * 540, 0)),
    # A transposed convolution lays its kernel down once per input position: 7² × 4·4·8·6, not 14².
    (
        "conv_transpose",
        {"filters": 6, "kernel": 4},
        (7, 7, 8),
        (774, 49 * 768, 98 * 768 + 14 * 14 * 6, 0),
    ),
    ("depthwise_conv", {"multiplier": 2}, (8, 8, 5), (100, 64 * 90, 128 * 90 + 640, 0)),
    # Depthwise 7×7 with multiplier 8 and 1×1 to 64: 112² × (7·7·3·8 + 24·64) = 34,016,256 (2,712 weights, no bias).
    (
        "separable_conv",
        {"filters": 64, "kernel": 7, "stride": 2, "multiplier": 8, "bias": False},
        (224, 224, 3),
        (2_712, 34_019_328, 68_038_656, 0),
    ),
    ("bias", {"per": "position"}, (19, 19, 1), (361, 0, 361, 0)),
    ("bias", {}, (19, 19, 4), (4, 0, 1444, 0)),
    ("bias", {"per": "element"}, (19, 19, 4), (1444, 0, 1444, 0)),
    ("max_pool", {"size": 3, "stride": 2}, (112, 112, 64), (0, 0, 56 * 56 * 64 * 8, 0)),
    ("avg_pool", {}, (8, 6, 3), (0, 0, 36 * 4, 0)),
    ("global_avg_pool", {}, (7, 7, 512), (0, 0, 25_088, 0)),
    ("global_max_pool", {}, (7, 7, 512), (0, 0, 24_576, 0)),
    # What a stride larger than the kernel leaves free is there at the end, too: 9 × 12 places have the bias added.
    (
        "conv_transpose",
        {"filters": 2, "kernel": 2, "stride": 3, "padding": "valid"},
        (3, 4, 5),
        (42, 480, 2 * 480 + 216, 0),
    ),
    # 7 in 3 bins: 0–3, 2–5, 4–7, so 9 of 7 positions are read per axis.
    ("adaptive_avg_pool", {"size": 3}, (7, 7, 2), (0, 0, 9 * 9 * 2, 0)),
    ("adaptive_max_pool", {"size": 3}, (7, 7, 2), (0, 0, 9 * 9 * 2 - 18, 0)),
    ("batch_norm", {}, (5, 5, 8), (32, 0, 400, 0)),
    ("batch_norm", {"scale": False}, (5, 5, 8), (24, 0, 400, 0)),
    ("layer_norm", {}, (10, 8), (16, 0, 7 * 80, 10)),
    ("layer_norm", {"scale": False, "center": False}, (8,), (0, 0, 40, 1)),
    ("group_norm", {"groups": 4}, (5, 5, 8), (16, 0, 7 * 200, 4)),
    ("instance_norm", {}, (5, 5, 8), (0, 0, 5 * 200, 8)),
    ("rms_norm", {}, (10, 8), (8, 0, 320, 10)),
    ("lrn", {}, (3, 3, 96), (0, 0, 8 * 864, 864)),
    ("dropout", {"rate": 0.5}, (5, 5, 8), (0, 0, 0, 0)),
    ("drop_path", {"rate": 0.5}, (5, 5, 8), (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("op", "args", "shape", "expected"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES])
def test_params_macs_flops_and_transcendentals(op, args, shape, expected):
    assert counted(op, args, shape) == expected


@pytest.mark.parametrize("op", ["conv", "conv_transpose", "max_pool", "batch_norm", "global_avg_pool"])
def test_open_sizes_have_no_count(op):
    args = {"filters": 4} if op.startswith("conv") else {}
    op, x = Op.find(op).model_validate(args), TensorSpec((None, 8, 3))
    with pytest.raises(UnknownSize):
        op.flops(op.infer(x), x)
