"""What an op says it reads, held to what it reads: each position of each input of every row is changed in turn."""

from math import inf

import numpy as np
import pytest

import archspec
from archspec.analysis.reach import non_causal_nodes, reaches
from archspec.ir.graph import Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from archspec.ops.reach import EVERYTHING, NOTHING, POINT, Reach
from tests.ops.test_conformance import (
    BATCH,
    ROWS,
    arrays,
    as_tuple,
    call,
    declared,
    draw,
    fewest_fast,
    fill,
    its_arguments,
    its_name,
)


def its_reach(row):
    """The arguments of what reads no more than some positions: of others its name will do."""
    op, specs = declared(row)
    is_finite = any(reach not in (NOTHING, EVERYTHING) for axes in op.reach(*specs) for reach in axes or ())
    return its_arguments(row) if is_finite else its_name(row)


READS = [row for row in ROWS if any(shape for shape in row.inputs)]


@pytest.mark.tensorflow
@pytest.mark.parametrize("row", fewest_fast(READS, its_reach))
def test_reach_is_what_changes(row):
    """No output changes that is out of reach, and those at the ends of a finite reach do."""
    op, specs = declared(row)
    layer, inputs = op.lower(*specs), draw(row)
    call(layer, op, inputs)
    fill(layer, row)
    rules = [
        (k, axis, reach)
        for k, axes in enumerate(op.reach(*specs))
        for axis, reach in enumerate(axes or ())
        if reach != EVERYTHING
    ]
    assert all(axes is None or len(axes) == s.rank for s, axes in zip(specs, op.reach(*specs), strict=True))
    changes = [(k, axis, at) for k, axis, _ in rules for at in range(specs[k].shape[axis])]
    # All in one batch: what is as it was, then each position changed.
    batch = [
        np.concatenate([x, *(disturbed(x, axis, at, row) if k == i else x for k, axis, at in changes)])
        for i, x in enumerate(inputs)
    ]
    outputs = [y.reshape(len(changes) + 1, BATCH, *y.shape[1:]) for y in arrays(call(layer, op, batch))]
    outputs = [y.astype("int8") if y.dtype == bool else y for y in outputs if y.ndim == outputs[0].ndim]
    for k, axis, reach in rules:
        if reach == NOTHING:
            assert all((y[n + 1] == y[0]).all() for y in outputs for n, (i, *_) in enumerate(changes) if i == k)
            continue
        offsets = set()
        for n, change in enumerate(changes):
            if change[:2] != (k, axis):
                continue
            for y in outputs:
                others = tuple(a for a in range(y.ndim - 1) if a != axis + 1)
                # Rows of a batch differ by rounding.
                least = 1e-6 * max(1.0, float(np.abs(y).max()))
                for t in np.flatnonzero((np.abs(y[n + 1] - y[0]) > least).any(axis=others)):
                    offsets.add(change[2] - t * reach.stride)
        assert all(-reach.before <= o <= reach.after for o in offsets), (axis, reach, offsets)
        size, made = specs[k].shape[axis], outputs[0].shape[axis + 2]
        for end in {-reach.before, reach.after} - {inf, -inf}:
            ends = [t * reach.stride + end for t in range(made)]
            # What an op draws in training only, it may read in training only.
            is_read = offsets or not op.is_random()
            if any(0 <= at < size and at == at // 1 for at in ends) and size > 1 and exact(op, reach) and is_read:
                assert end in offsets, (axis, reach, offsets)


def exact(op, reach):
    """Of windows by strides the ends are bounds where a size is open, and exact where it is known; here it is."""
    return reach.before + reach.after < inf


def disturbed(value, axis, at, row):
    place = (slice(None), *(slice(None),) * axis, at)
    out = value.copy()
    if "int" in value.dtype.name:
        out[place] = (out[place].astype(int) + 1) % row.maximum
    else:
        # Not the same for all channels, which a mean over them would take off; large, so that a maximum notices.
        shape = out[place].shape
        out[place] += 3.0 + np.random.default_rng(1).normal(size=shape).astype(value.dtype)
        extreme = value.copy()
        extreme[place] = 50.0 + np.arange(np.prod(shape)).reshape(shape)
        if Op.find(row.op).__name__ in ("MaxPool", "AdaptiveMaxPool"):
            return extreme
    return out


def test_an_unknown_op_reads_everything():
    assert Op.reach(Op(), TensorSpec((4, 3)), TensorSpec((2,))) == (None, None)


def test_reaches_compose():
    two_behind, next_one = Reach(2, 0), Reach(0, 1)
    assert next_one.of(two_behind) == Reach(2, 1)
    assert Reach(1, 1, 2).of(Reach(1, 1, 2)) == Reach(3, 3, 4)
    assert two_behind.joined(next_one) == Reach(2, 1)
    assert POINT.joined(Reach(0, 0, 2)) == EVERYTHING


@pytest.mark.parametrize(
    ("spec", "field", "stride"),
    [
        # Araujo, Norris and Sim (2019), "Computing Receptive Fields of Convolutional Neural Networks", give these for
        # VGG-16 and for ResNet-50, whose stride lies in the first 1×1; with it in the 3×3 they are 56 less.
        ("vgg16", 212, 32),
        ("resnet50_v1", 483, 32),
        ("resnet50", 427, 32),
    ],
)
def test_receptive_fields_of_published_networks(spec, field, stride):
    graph = archspec.load(spec)
    name = next(iter(graph.inputs))
    maps = [n for n in graph.nodes if n.output.rank == 3 and n.output.shape[0] == 7]
    found = reaches(graph, name)[Tensor(maps[-1].name)]
    assert (found.before + found.after + 1, found.stride) == (field, stride)


HEAD = (
    "archspec: 1\nname: net\ninputs: {tokens: {shape: [T], dtype: int32}}\nbody:\n  - embedding: {vocab: 9, dim: 4}\n"
)
LEAKS = {
    "softmax": "softmax: 0",
    "log_softmax": "log_softmax: 0",
    "an activation's": "dense: {units: 4, activation: {softmax: 0}}",
    "conv": "conv: {filters: 4, kernel: 3}",
    "separable_conv": "separable_conv: {filters: 4, kernel: 3}",
    "depthwise_conv": "depthwise_conv: 3",
    "conv with padding": "conv: {filters: 4, kernel: 3, padding: 1}",
    "conv_transpose": "conv_transpose: {filters: 4, kernel: 3, stride: 1}",
    "max_pool": "max_pool: {size: 3, stride: 1}",
    "group_norm": "group_norm: 2",
    "instance_norm": "instance_norm",
    "slice": "slice: {range: [1, null], axis: 0}",
    "crop": "crop: [[1, 0]]",
    "stride": "do: [{pad: [[2, 0]]}, {conv: {filters: 4, kernel: 3, stride: 2, padding: valid}}]",
    "reverse": "rnn: {units: 4, sequences: true, reverse: true}",
    "bidirectional": "bidirectional: {gru: {units: 4, sequences: true}}",
    "attention": "attention: 2",
    "a state of all": "do: [{lstm: {units: 4, sequences: true, states: true}, as: l}, {add: ['l[0]', 'l[1]']}]",
    "a pooled gate": "do: [{as: x, linear: }, {global_avg_pool: , as: g}, {multiply: [x, g]}]",
    "products": "do: [{as: x, linear: }, {matmul: {transpose_b: true}, from: [x, x], as: w}, {matmul: , from: [w, x]}]",
    "permute": "do: [{permute: [1, 0]}, {permute: [1, 0]}]",
    "resize": "do: [{upsample: 2}, {max_pool: 2}]",
    "roll": "roll: {shift: 1, axis: 0}",
    "the largest of all steps": "do: [{as: x, linear: }, {reduce: {reduction: max, axis: 0, keep: true}, as: m}, "
    "{divide: [x, m]}]",
}
SOUND = {
    "conv 1": "conv: 4",
    "causal conv": "conv: {filters: 4, kernel: 3, padding: [[2, 0]]}",
    "a margin, then windows": "do: [{pad: [[4, 0]]}, {conv: {filters: 4, kernel: 3, padding: valid, dilation: 2}}]",
    "separable": "separable_conv: {filters: 4, kernel: 3, padding: [[2, 0]]}",
    "causal attention": "attention: {heads: 2, causal: true}",
    "lstm": "lstm: {units: 4, sequences: true}",
    "residual": "residual: [layer_norm, {gru: {units: 4, sequences: true}}]",
    "running sums": "cumsum: 0",
    "a learnt offset": "do: [{as: x, linear: }, {parameter: [1, 4], as: p}, {add: [x, p]}]",
    "pool": "do: [{pad: [[1, 0]]}, {max_pool: {size: 2, stride: 1, padding: valid}}]",
}


def loaded(tmp_path, step):
    path = tmp_path / "net.yaml"
    path.write_text(f"{HEAD}  - {{{step}}}\nheads: {{main: [dense: 9]}}\n" if ":" in step else f"{HEAD}  - {step}\n")
    return archspec.load(str(path))


@pytest.mark.parametrize("step", LEAKS.values(), ids=LEAKS)
def test_what_sees_later_steps_is_found(tmp_path, step):
    assert next(non_causal_nodes(loaded(tmp_path, step), "tokens"), None) is not None


@pytest.mark.tensorflow
@pytest.mark.parametrize("step", SOUND.values(), ids=SOUND)
def test_what_sees_none_is_not(tmp_path, step):
    """And its outputs bear it out: another last token changes no output before."""
    graph = loaded(tmp_path, step)
    assert list(non_causal_nodes(graph, "tokens")) == []
    model = archspec.compile(graph)
    a, b = (np.asarray(as_tuple(model(np.array([[3, 1, 4, 1, 5, last]], "int32")))[0]) for last in (2, 6))
    np.testing.assert_array_equal(a[:, :-1], b[:, :-1])
    assert np.abs(a[:, -1] - b[:, -1]).max() > 0
