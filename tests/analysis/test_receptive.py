"""Receptive fields, held to published ones and to what really changes an output."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.analysis.receptive import largest, receptive_fields
from archspec.ir.graph import Tensor

HEAD = "archspec: 1\nname: net\ninputs: {image: [65, 65, 1]}\nbody:\n"


def graph_of(tmp_path, body, head=HEAD):
    path = tmp_path / "net.yaml"
    path.write_text(head + "".join(f"  - {line}\n" for line in body), encoding="utf-8")
    return archspec.load(str(path))


@pytest.mark.parametrize(
    ("spec", "size", "stride", "padding"),
    [
        # https://distill.pub/2019/computing-receptive-fields (google-research/receptive_field). Its ResNets are
        # TF-Slim's, whose paddings are those of ``same``: 239 and 751 in place of 241 and 753.
        ("vgg16", 212, 32, 90),
        ("inception_v3", 1311, 32, 618),
        ("resnet50_v1", 483, 32, 241),
        ("resnet152_v1", 1507, 32, 753),
    ],
)
def test_published_fields(spec, size, stride, padding):
    graph = archspec.load(spec)
    _, field = largest(graph, receptive_fields(graph))
    assert (field.size, field.stride, field.padding) == ((size,) * 2, (stride,) * 2, (padding,) * 2)
    assert str(field) == f"{size}/{stride}"
    assert str(receptive_fields(graph)[graph.outputs[0].tensor]) == "global"


def test_branches_of_unequal_strides_are_named(tmp_path):
    body = [
        "{conv: {filters: 2, kernel: 3, stride: 2}, as: left}",
        "{resize: {size: [33, 33], mode: bilinear}, from: image, as: right}",
        "{add: [left, right], as: meet}",
        "{conv: {filters: 2, kernel: 3}, as: after}",
    ]
    fields = receptive_fields(graph_of(tmp_path, body))
    assert str(fields[Tensor("left")]) == "3/2"
    assert [str(fields[Tensor(name)]) for name in ("meet", "after")] == ["misaligned"] * 2
    assert fields[Tensor("after")].misaligned == ("meet",)


def test_axes_that_differ(tmp_path):
    field = receptive_fields(graph_of(tmp_path, ["{conv: {filters: 2, kernel: [7, 3], stride: [2, 1]}, as: c}"]))
    assert str(field[Tensor("c")]) == "7×3/2×1"
    assert field[Tensor("c")].offset == (0, 0)


def test_what_depends_on_no_input_has_none(tmp_path):
    head = "archspec: 1\nname: net\ninputs: {a: [9, 9, 1], b: [9, 9, 1]}\nbody:\n"
    body = [
        "{conv: 2, from: a, as: x}",
        "{conv: {filters: 2, kernel: 3}, from: b, as: y}",
        "{concat: [x, y], as: z}",
    ]
    graph = graph_of(tmp_path, body, head)
    of_a, of_b = receptive_fields(graph), receptive_fields(graph, "b")
    assert {str(t): str(field) for t, field in of_a.items()} == {"a": "1/1", "x": "1/1", "z": "1/1"}
    assert {str(t): str(field) for t, field in of_b.items()} == {"b": "1/1", "y": "3/1", "z": "3/1"}


CHAIN = "conv: {filters: 2, kernel: 3, bias: false}"
NETWORKS = {
    "chain": [CHAIN, CHAIN, CHAIN],
    "strides": ["conv: {filters: 2, kernel: 7, stride: 2, padding: 3}", "avg_pool: {size: 3, stride: 2}", CHAIN],
    "dilated": ["conv: {filters: 2, kernel: 3, dilation: 2}", "conv: {filters: 2, kernel: 5, dilation: 3}"],
    "valid": ["conv: {filters: 2, kernel: 4, padding: valid, stride: 3}", "conv: {filters: 2, kernel: [3, 1]}"],
    "residual": [CHAIN, f"residual: [{CHAIN}, {CHAIN}]", "avg_pool: 2"],
    "branches": [
        f"branches: [[{CHAIN}], [{{conv: {{filters: 2, kernel: 1}}}}], [{CHAIN}, {CHAIN}]]\n    merge: concat"
    ],
    "depthwise": ["depthwise_conv: {kernel: 5, stride: 2}", "separable_conv: {filters: 2, kernel: 3, stride: 2}"],
    "margins": ["pad: [[4, 0], [1, 2]]", "conv: {filters: 2, kernel: 5, padding: valid}", "crop: 1"],
    "transposed": ["conv: {filters: 2, kernel: 3, stride: 2}", "conv_transpose: {filters: 2, kernel: 3, stride: 2}"],
    "pixels": ["pixel_unshuffle: 2", CHAIN, "subsample: 2"],
}


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("body", NETWORKS.values(), ids=NETWORKS)
def test_fields_are_where_the_gradient_is_not_zero(tmp_path, body):
    """The gradient of a position in the middle by the input, all weights positive: nothing cancels."""
    import tensorflow as tf

    size = 64 if any("unshuffle" in line for line in body) else 65
    graph = graph_of(tmp_path, body, HEAD.replace("65", str(size)))
    field = receptive_fields(graph)[graph.outputs[0].tensor]
    model = archspec.compile(graph)
    model.set_weights([np.full(w.shape, 0.5, "float32") for w in model.get_weights()])
    x = tf.ones((1, size, size, 1))
    rows, columns = model.output_shape[1:3]
    widest = [0, 0]
    # Where an axis was enlarged, two neighbours read unlike.
    for row, column in ((rows // 2, columns // 2), (rows // 2 + 1, columns // 2 + 1)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(model(x)[0, row, column])
        read = np.abs(tape.gradient(y, x).numpy()[0, ..., 0]) > 0
        for axis, at in ((0, row), (1, column)):
            where = np.flatnonzero(read.any(axis=1 - axis))
            reach = field.axes[axis]
            assert where[0] >= at * reach.stride - reach.before
            assert where[-1] <= at * reach.stride + reach.after
            widest[axis] = max(widest[axis], where[-1] - where[0] + 1)
    assert tuple(widest) == field.size
