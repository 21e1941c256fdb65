"""Cells: what is given in another order is told, centres on edges, objects that meet no cell, and their cost."""

import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from tests.wording import refuses

NET = """archspec: 1
name: net
inputs: {image: [16, 16, 3]}
body:
  - {conv: {filters: 8, kernel: 8, stride: 8}, from: image, as: map}
  - {anchors: {sizes: [[6, 9], [12, 4]], stride: 8}, from: map, as: anchors}
  - {cells: {stride: 8, count: 2}, from: map, as: cells}
  - {reshape: [-1, 4], from: map}
  - {decode_boxes, from: [prev, anchors, cells], as: decoded}
heads: {boxes: {from: decoded}}
train:
  inputs: {truth: {objects: 3, most: 5}}
  body:
    - {match_cells: shape, from: [anchors, cells, truth], as: owner}
    - {encode_boxes, from: [owner.box, anchors, cells], as: goals}
  minimize:
    - {iou: [decoded, owner.box], variant: complete, where: owner.positive, per: examples}
"""


def test_cells_are_no_anchors():
    graph = archspec.loads(NET)
    assert graph.by_name["cells"].output == graph.by_name["anchors"].output == TensorSpec((8, 4))
    assert [node.name for node in graph.nodes if node.op.rows_are == "anchors"] == ["anchors"]


@pytest.mark.parametrize(
    "written",
    [
        ("from: [prev, anchors, cells]", "from: [prev, cells, anchors]"),
        ("from: [prev, anchors, cells]", "from: [prev, anchors, anchors]"),
        ("from: [prev, anchors, cells]", "from: [prev, cells]"),
        ("from: [anchors, cells, truth]", "from: [cells, anchors, truth]"),
        ("from: [anchors, cells, truth]", "from: [anchors, truth]"),
        ("from: [owner.box, anchors, cells]", "from: [owner.box, cells, anchors]"),
        ("cells: {stride: 8, count: 2}", "cells: 8"),
        ("cells: {stride: 8, count: 2}", "cells: {stride: 32, count: 2}"),
        ("iou: [decoded, owner.box], variant: complete", "iou: [map, owner.box]"),
    ],
    ids=lambda pair: pair[1],
)
def test_what_is_in_another_order_is_told(written):
    assert written[0] in NET
    with refuses(archspec.SpecError):
        archspec.loads(NET.replace(*written))


@pytest.mark.tensorflow
def test_an_object_belongs_to_the_cell_behind_an_edge_and_to_none_beyond_the_last():
    cells = np.array([[0, 0, 8, 8], [8, 0, 16, 8]], "float32")
    anchors = np.array([[2, 2, 6, 6], [10, 2, 14, 6]], "float32")
    boxes = np.array([[6, 2, 10, 6], [14, 2, 18, 6], [0, 0, 16, 16]], "float32")
    given = anchors, cells, boxes, np.array([1, 2, 0], "int32"), np.array([True, True, False])
    layer = Op.find("match_cells")().lower(*(TensorSpec(x.shape, str(x.dtype)) for x in given))
    classes, box, positive, counted, owner = (np.asarray(x)[0] for x in layer(*(x[None] for x in given)))
    np.testing.assert_array_equal(owner, [-1, 0])
    np.testing.assert_array_equal(classes, [-1, 1])
    np.testing.assert_array_equal(box, [anchors[0], boxes[0]])
    np.testing.assert_array_equal(positive, [False, True])
    assert counted.all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("sides", ["log", "sqrt"])
def test_what_is_told_within_cells_comes_back(sides):
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 40, (30, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 20, (30, 2))], -1).astype("float32")[None]
    corner = np.floor((boxes[..., :2] + boxes[..., 2:]) / 2 / 8) * 8
    cells = np.concatenate([corner, corner + 8], -1).astype("float32")
    frame = np.tile(np.array([0, 0, 64, 48], "float32"), (1, 30, 1))
    specs = [TensorSpec((30, 4))] * 3
    goals = Op.find("encode_boxes").model_validate({"sides": sides}).lower(*specs)(boxes, frame, cells)
    assert (np.asarray(goals)[..., :2] >= 0).all() and (np.asarray(goals)[..., :2] < 1).all()
    back = Op.find("decode_boxes").model_validate({"sides": sides}).lower(*specs)(goals, frame, cells)
    np.testing.assert_allclose(back, boxes, atol=1e-4)


def test_every_pair_counts():
    specs = (
        TensorSpec((8, 4)),
        TensorSpec((8, 4)),
        TensorSpec((5, 4)),
        TensorSpec((5,), "int32"),
        TensorSpec((5,), "bool"),
    )
    op = Op.find("match_cells")()
    assert op.flops(op.infer(*specs), *specs) == 13 * 40 + 7 * 13 + 3 * 8
