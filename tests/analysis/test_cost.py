"""Totals in bounds, backward and in bytes, held to what XLA and PyTorch count of the same networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.analysis.backward import backward_macs
from archspec.analysis.cost import node_costs, totals, uncounted
from archspec.analysis.traffic import traffic
from archspec.ir.tensors import TensorSpec
from archspec.ops.activation import Relu
from archspec.ops.base import Op
from archspec.ops.shapes import taps_in_bounds

HEAD = "archspec: 1\nname: net\ninputs: {image: [32, 32, 16]}\nbody:\n"


def graph_of(tmp_path, *steps, head=HEAD):
    path = tmp_path / "net.yaml"
    path.write_text(head + "".join(f"  - {step}\n" for step in steps), encoding="utf-8")
    return archspec.load(str(path))


@pytest.mark.parametrize(
    ("spec", "flops", "padded"),
    [
        # ``jit(…).lower().cost_analysis()`` of keras.applications through jax, less what XLA folds batch normalisation
        # to (24, 24, 120,856 and 511,436 FLOPs; softmax is not among either). Keras pads before the first convolution
        # in a layer of its own, so XLA multiplies that margin: twice (784² − 778²) · 3 · 64 more.
        ("vgg16", 29_971_351_528, 0),
        ("inception_v3_keras", 10_986_587_720, 0),
        ("resnet50_keras", 7_449_279_464, 2 * (784**2 - 778**2) * 3 * 64),
        ("densenet201", 8_508_397_032, 2 * (784**2 - 778**2) * 3 * 64),
    ],
)
def test_in_bounds_is_what_xla_counts(spec, flops, padded):
    graph = archspec.load(spec).inference()
    softmax = 4 * 1000 - 2
    assert totals(graph, in_bounds=True).flops + padded - softmax == flops
    assert totals(graph, in_bounds=True).macs < totals(graph).macs


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 6)
)
def test_taps_are_those_that_fall_on_the_input(size, made, kernel, stride, dilation, before):
    places = [o * stride + j * dilation - before for o in range(made) for j in range(kernel)]
    assert taps_in_bounds(size, made, kernel, stride, dilation, before) == sum(0 <= at < size for at in places)


@pytest.mark.parametrize("op", ["conv", "depthwise_conv", "separable_conv", "conv_transpose"])
@pytest.mark.parametrize("args", [{"padding": "valid"}, {}, {"padding": 1, "stride": 2}])
def test_without_padding_all_is_in_bounds(op, args):
    given = {"filters": 6, **args} if op != "depthwise_conv" else args
    made, x = Op.find(op).model_validate({"kernel": 3, **given}), TensorSpec((9, 9, 4))
    out = made.infer(x)
    inside, all_of_it = made.macs_in_bounds(out, x), made.macs(out, x)
    assert inside == all_of_it if args.get("padding") == "valid" else 0 < inside < all_of_it


@pytest.mark.parametrize("args", [{"padding": "same"}, {"padding": "valid"}, {"padding": "same", "stride": 2}])
def test_windows_of_other_ops_are_in_bounds_as_those_of_convolutions(args):
    """Whose counts are XLA's: a layer of kernels by place, and a recurrence of two convolutions."""

    def inside(name, x, **given):
        made = Op.find(name).model_validate({"kernel": 3, **given})
        return made.macs_in_bounds(made.infer(x), x)

    x = TensorSpec((9, 7, 4))
    assert inside("locally_connected", x, filters=6, **args) == inside("conv", x, filters=6, **args)
    state = Op.find("conv").model_validate({"kernel": 3, "filters": 6, **args}).infer(x)
    read, kept = inside("conv", x, filters=24, **args), inside("conv", state, filters=24, padding="same")
    assert inside("conv_lstm", TensorSpec((5, *x.shape)), filters=6, **args) == 5 * (read + kept)


@pytest.mark.parametrize(("spec", "first"), [("resnet50", 118_013_952), ("vgg16", 86_704_128)])
def test_forward_and_backward_are_three_times_forward_but_for_the_first_layer(spec, first):
    """As FlopCounterMode counts a training step of torchvision's networks: no gradient by the image is needed."""
    graph = archspec.load(spec).inference()
    forward = totals(graph).macs
    assert forward + sum(backward_macs(graph)) == 3 * forward - first


@pytest.mark.parametrize(
    ("steps", "macs"),
    [
        # (channels, units, steps) 16, 4, 32: the kernel on the input costs 4·4·16 a step, that on the state 4·4·4.
        (["reshape: [-1, 16]", "slice: {range: [0, 32], axis: 0}", "lstm: 4"], 2 * 32 * 16 * 20 - 32 * 16 * 16),
        (["dense: 8", "dense: 8"], 32 * 32 * 16 * 8 + 2 * 32 * 32 * 8 * 8),
        (["detach: ", "dense: 8", "detach: ", "dense: 4"], 32 * 32 * (16 * 8 + 8 * 4)),
        (["{dense: 8, as: a}", "{reshape: [1024, 8], as: b}", "{matmul: {transpose_b: true}, from: [b, b]}"],
         32 * 32 * 16 * 8 + 2 * 1024 * 8 * 1024),
        # 1×1 of 16 to 6 · 9 taps of 16 channels; the taps hand nothing back.
        (["separable_conv: {filters: 6, kernel: 3}"], 32 * 32 * (16 * 9 + 2 * 16 * 6)),
        (["reshape: [1024, 16]", "attention: {heads: 2, key_dim: 4, dim_out: 6}"],
         1024 * 3 * 16 * 8 + 2 * (1024 * 8 * 6 + 2 * 1024 * 1024 * 8)),
    ],
    ids=["lstm", "dense", "detached", "matmul", "separable", "attention"],
)  # fmt: skip
def test_gradients_cost_as_counted_by_hand(tmp_path, steps, macs):
    assert sum(backward_macs(graph_of(tmp_path, *steps))) == macs


def test_bytes_are_those_that_xla_accesses(tmp_path):
    """XLA's ``bytes accessed`` of a convolution of 16 to 32 channels at 32²: alone 215,168, with ReLU apart 477,312."""
    graph = graph_of(tmp_path, "conv: {filters: 32, kernel: 3}", "relu", "linear")
    conv, relu, view = traffic(graph)
    assert conv.total == 215_168
    assert conv.total + relu.total == 477_312
    assert view.total == 0
    of_four = traffic(graph, batch=4)[0]
    assert (of_four.read, of_four.written, of_four.weights) == (4 * conv.read, 4 * conv.written, conv.weights)
    assert traffic(graph, dtype="float16")[0].total == conv.total / 2


def test_a_table_of_embeddings_is_read_where_it_is_looked_up(tmp_path):
    head = "archspec: 1\nname: net\ninputs: {words: {shape: [7], dtype: int32}}\nbody:\n"
    (table,) = traffic(graph_of(tmp_path, "embedding: {vocab: 1000, dim: 8}", head=head))
    assert table == (7 * 4, 7 * 8 * 4, 7 * 8 * 4)


def test_every_op_says_what_it_costs():
    """But for that which is any layer of Keras's."""
    assert [op.name for op in Op.all() if not op.is_counted()] == ["keras"]


def test_an_op_that_does_not_makes_the_total_a_lower_bound(tmp_path, monkeypatch):
    graph = graph_of(tmp_path, "conv: {filters: 32, kernel: 3}", "relu")
    known = totals(graph)
    monkeypatch.setattr(Relu, "is_counted", classmethod(lambda cls: False))
    monkeypatch.setattr("archspec.ir.graph._COSTS", {})
    assert uncounted(graph) == ("relu",)
    assert node_costs(graph)[1].counts.flops is None
    assert totals(graph) == known._replace(flops=known.flops - 32 * 32 * 32)
