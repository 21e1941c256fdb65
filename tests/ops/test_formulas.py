"""What ops of formulas cost and refuse, counted by hand and told in words; no framework is needed."""

from math import inf

import pytest

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.base import Op, OpError
from archspec.ops.reach import EVERYTHING, NOTHING, POINT, Reach
from tests.wording import refuses


@pytest.mark.parametrize(
    ("op", "args", "shapes", "counts"),
    [
        # macs, flops, transcendentals
        ("exp", {}, [(4, 3)], (0, 0, 12)),
        ("square", {}, [(4, 3)], (0, 12, 0)),
        ("clip", {"min": 0}, [(4, 3)], (0, 12, 0)),
        ("clip", {"min": 0, "max": 1}, [(4, 3)], (0, 24, 0)),
        ("cast", {"dtype": "int32"}, [(4, 3)], (0, 0, 0)),
        ("divide", {}, [(4, 3), (1, 3)], (0, 12, 0)),
        ("stack", {}, [(4, 3), (4, 3)], (0, 0, 0)),
        # Two sums less than there are numbers in a row of three; a mean also divides.
        ("reduce", {"reduction": "sum"}, [(4, 3)], (0, 8, 0)),
        ("reduce", {"reduction": "mean"}, [(4, 3)], (0, 12, 0)),
        ("reduce", {"reduction": "std", "axis": 0}, [(4, 3)], (0, 48, 3)),
        ("argmax", {}, [(4, 3)], (0, 8, 0)),
        ("cumsum", {"axis": 0}, [(4, 3)], (0, 9, 0)),
        ("l2_normalize", {}, [(4, 3)], (0, 36, 4)),
        ("glu", {}, [(4, 6)], (0, 12 + 3 * 12, 12)),
        ("glu", {"gate": "linear"}, [(4, 6)], (0, 12, 0)),
        # 2×2 windows of 4 positions, 6 channels: qkv 6·18, out 6·6, scores and means 4·6 each.
        ("window_attention", {"heads": 2, "window": 2}, [(4, 4, 6)], (16 * (108 + 36 + 48), None, 2 * 16 * 4)),
        # Filled up to 4×4.
        ("window_attention", {"heads": 2, "window": 2}, [(3, 3, 6)], (16 * (108 + 36 + 48), None, 2 * 16 * 4)),
        ("spectral_norm", {"layer": {"conv": {"filters": 2, "kernel": 3}}}, [(4, 4, 3)], (864, 2 * 864 + 32, 0)),
        ("blur_pool", {}, [(4, 4, 3)], (12 * 9, 2 * 108, 0)),
        # 2×2 places, each with 9·3·2 weights of its own.
        ("locally_connected", {"filters": 2}, [(4, 4, 3)], (4 * 54, 2 * 216 + 8, 0)),
        # 2 steps, 16 positions, 9·(3 + 2)·8 weights.
        ("conv_lstm", {"filters": 2}, [(2, 4, 4, 3)], (2 * 16 * 360, 2 * 11520 + 64 * (8 + 4 + 9), 64 * 5)),
        ("grid_sample", {}, [(4, 4, 3), (2, 2, 2)], (0, 7 * 12 + 4 * 8, 0)),
        ("deformable_conv", {"filters": 2}, [(4, 4, 3), (4, 4, 18)], (864, 2 * 864 + 7 * 16 * 27 + 32, 0)),
    ],
    ids=str,
)
def test_costs(op, args, shapes, counts):
    op, specs = Op.find(op).model_validate(args), [TensorSpec(shape) for shape in shapes]
    out = op.infer(*specs)
    found = (op.macs(out, *specs), op.flops(out, *specs), op.transcendentals(out, *specs))
    assert [f for f, c in zip(found, counts, strict=True) if c is not None] == [c for c in counts if c is not None]


@pytest.mark.parametrize(
    ("op", "args", "shapes"),
    [
        ("clip", {}, [(4,)]),
        ("clip", {"min": 1, "max": 0}, [(4,)]),
        ("divide", {}, [(4,)]),
        ("stack", {}, [(4,), (3,)]),
        ("reduce", {"reduction": "sum"}, [(4,)]),
        ("reduce", {"reduction": "sum", "axis": [0, -2]}, [(4, 3)]),
        ("argmax", {}, [(4,)]),
        ("gather", {}, [(4,)]),
        ("gather", {"indices": 4}, [(4,)]),
        ("gather", {"axis": 0}, [(4,), (2,)]),
        ("roll", {"shift": [1, 2]}, [(4,)]),
        ("tile", {"repeats": 2}, [(4, 3)]),
        ("squeeze", {}, [(4, 3)]),
        ("constant", {"value": [1, 2], "shape": 3}, [(4,)]),
        ("constant", {"value": 0.5, "dtype": "int32"}, [(4,)]),
        ("glu", {}, [(3,)]),
        ("window_partition", {"size": 3}, [(4, 6, 2)]),
        ("window_attention", {"heads": 4}, [(7, 7, 6)]),
        ("window_attention", {"heads": 2, "shift": 7}, [(7, 7, 6)]),
        ("window_attention", {"heads": 2, "grid": True, "shift": 3}, [(7, 7, 6)]),
        ("blur_pool", {"size": 5}, [(2, 4, 3)]),
        ("conv_lstm", {"filters": 2}, [(4, 3)]),
        ("grid_sample", {}, [(4, 4, 3), (2, 2, 3)]),
        ("deformable_conv", {"filters": 2}, [(4, 4, 3), (4, 4, 9)]),
    ],
    ids=str,
)
def test_refusals_say_why(op, args, shapes):
    with refuses(OpError):
        Op.find(op).model_validate(args).infer(*(TensorSpec(shape) for shape in shapes))


def test_weights_of_swin_are_those_of_the_paper():
    """A table for 13·13 distances, and four matrices of 96·96 in two (Liu et al. 2021, §3.2)."""
    op = Op.find("window_attention")(heads=3)
    assert op.weights(TensorSpec((56, 56, 96))) == (
        WeightSpec("table", (169, 3)),
        WeightSpec("qkv/kernel", (96, 288)),
        WeightSpec("qkv/bias", (288,)),
        WeightSpec("proj/kernel", (96, 96)),
        WeightSpec("proj/bias", (96,)),
    )


def test_windows_are_read_to_their_ends():
    def reach(**args):
        return Op.find("window_attention")(heads=1, **args).reach(TensorSpec((8, 4, 2)))[0]

    assert reach(window=4) == (Reach(3, 3), Reach(3, 3), EVERYTHING)
    # One window covers the width, which is not shifted; of the height's ends each is a stretch by itself.
    assert reach(window=4, shift=2) == (Reach(3, 3), Reach(3, 3), EVERYTHING)
    assert reach(window=[8, 4]) == (Reach(7, 7), Reach(3, 3), EVERYTHING)
    assert reach(window=4, grid=True) == (EVERYTHING,) * 3


def test_what_no_input_gives_reads_none():
    x = TensorSpec((5, 4))
    assert Op.find("parameter")(shape=[2, 3]).reach(x) == ((NOTHING, NOTHING),)
    assert Op.find("cumsum")(axis=0).reach(x) == ((Reach(inf, 0), POINT),)
