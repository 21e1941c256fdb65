"""Owners of anchors against torchvision's Matcher, objects that are padding, and what a pass holds in memory."""

import json
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())


def anchors_of(known):
    """RetinaNet's, by NumPy, in torchvision's order."""
    height, width = known["image"]
    out = []
    for stride, sizes in zip(known["strides"], known["sizes"], strict=True):
        ratios = np.sqrt(known["ratios"])
        half = np.array([[s / r / 2, s * r / 2] for r in ratios for s in sizes])
        corners = np.round(np.concatenate([-half, half], 1))
        y, x = np.meshgrid(np.arange(height // stride) * stride, np.arange(width // stride) * stride, indexing="ij")
        middles = np.stack([x, y, x, y], -1).reshape(-1, 1, 4)
        out.append((middles + corners).reshape(-1, 4))
    return np.concatenate(out).astype("float32")


def matched(anchors, boxes, labels, most=8, **args):
    """The results of ``match`` with objects that are padded by rows that look like one."""
    count = len(boxes)
    anchors, boxes = np.asarray(anchors, "float32"), np.reshape(boxes, (-1, 4))
    boxes = np.concatenate([boxes, np.tile([[0, 0, 128, 96]], (most - count, 1))]).astype("float32")
    labels = np.concatenate([labels, np.full(most - count, 9)]).astype("int32")
    given = anchors, boxes, labels, np.arange(most) < count
    layer = Op.find("match").model_validate(args).lower(*(TensorSpec(x.shape, str(x.dtype)) for x in given))
    names = ("classes", "box", "positive", "counted", "owner")
    return dict(zip(names, (np.asarray(x)[0] for x in layer(*(x[None] for x in given))), strict=True))


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["retina", "rpn"])
def test_owners_are_those_of_torchvision(name):
    known = VECTORS["retina_assignment"]
    wanted = known[name]
    found = matched(
        anchors_of(known), known["gt"], known["labels"], low=wanted["low"], high=wanted["high"], force="ties"
    )
    positive = np.flatnonzero(found["positive"])
    np.testing.assert_array_equal(positive, wanted["positives"])
    np.testing.assert_array_equal(found["owner"][positive], wanted["owners"])
    np.testing.assert_array_equal(found["classes"][positive], np.array(known["labels"])[wanted["owners"]])
    np.testing.assert_array_equal(found["box"][positive], np.array(known["gt"], "float32")[wanted["owners"]])
    ignored = np.flatnonzero(~found["counted"])
    assert len(ignored) == wanted.get("ignored_count", len(wanted.get("ignored", ())))
    np.testing.assert_array_equal(ignored, wanted.get("ignored", ignored))
    np.testing.assert_array_equal(found["owner"][ignored], -2)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_owners_of_default_boxes_are_those_of_torchvision():
    known = VECTORS["retina_assignment"]
    wanted = known["ssd"]
    found = matched(
        anchors_of(known), known["gt"], known["labels"], high=wanted["iou"], force="best", background="first"
    )
    positive = np.flatnonzero(found["positive"])
    np.testing.assert_array_equal(positive, wanted["positives"])
    np.testing.assert_array_equal(found["owner"][positive], wanted["owners"])
    assert found["counted"].all()
    assert set(found["classes"][~found["positive"]]) == {0}
    np.testing.assert_array_equal(found["classes"][positive], np.array(known["labels"])[wanted["owners"]] + 1)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_object_that_no_anchor_overlaps_forces_none():
    """torchvision's Matcher then gives it every anchor that overlaps nothing."""
    for force in ("ties", "best", "one_to_one"):
        found = matched([[0, 0, 4, 4], [4, 0, 8, 4]], [[50, 50, 60, 60]], [3], force=force)
        assert not found["positive"].any()
        np.testing.assert_array_equal(found["owner"], [-1, -1])


@pytest.mark.tensorflow
def test_one_to_one_gives_each_object_an_anchor_where_best_gives_two_objects_one():
    anchors, boxes = [[0, 0, 10, 10], [0, 0, 10, 4]], [[0, 0, 10, 9], [0, 0, 10, 8]]
    np.testing.assert_array_equal(matched(anchors, boxes, [1, 2], high=0.95, force="best")["owner"], [1, -1])
    np.testing.assert_array_equal(matched(anchors, boxes, [1, 2], high=0.95, force="one_to_one")["owner"], [0, 1])


@pytest.mark.tensorflow
def test_an_image_without_objects_is_background():
    found = matched([[0, 0, 4, 4], [4, 0, 8, 4]], np.zeros((0, 4)), np.zeros(0), force="ties")
    np.testing.assert_array_equal(found["owner"], [-1, -1])
    np.testing.assert_array_equal(found["box"], [[0, 0, 4, 4], [4, 0, 8, 4]])


NET = """archspec: 1
name: net
inputs:
  image: [32, 48, 3]
  boxes: [6, 4]
  classes: {shape: [6], dtype: int32}
  valid: {shape: [6], dtype: bool}
body:
  - {conv: {filters: 24, kernel: 8, stride: 8}, from: image, as: map}
  - {anchors: {sizes: 40, ratios: [0.5, 1, 2], stride: 8}, from: map, as: at}
  - {match: {low: 0.3, high: 0.5, force: ties}, from: [at, boxes, classes, valid], as: owner}
  - {encode_boxes: , from: [owner.box, at], as: goals}
  - {sample: {count: 16, positive: 0.5}, from: owner, as: asked}
heads:
  goals: {from: goals}
  asked: {from: asked}
"""


def test_a_result_by_name_goes_to_the_input_of_its_name():
    graph = archspec.loads(NET)
    nodes = {node.name: node for node in graph.nodes}
    ports = [str(tensor) for tensor in nodes["asked"].inputs]
    assert ports == ["owner:2", "owner:3"]
    owner = nodes["owner"]
    assert owner.op.flops(owner.outputs, *owner.input_specs) == 15 * 72 * 6 + 3 * (72 + 6) + 3 * 72
    assert [o.name for o in graph.outputs] == ["goals", "asked.positive", "asked.counted"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("force", ["none", pytest.param("ties", marks=pytest.mark.fast(2)), "best", "one_to_one"])
def test_tiles_of_anchors_match_as_all_at_once(force, monkeypatch):
    """Whole corners, so that many overlaps are equal, within tiles and in several."""
    from archspec.layers import matching

    draw = np.random.default_rng(4)
    corner = draw.integers(0, 6, (2, 150, 2))
    boxes = np.concatenate([corner, corner + draw.integers(0, 6, corner.shape)], -1).astype("float32")
    anchors, objects = boxes[:, :143], boxes[:, 143:]
    valid, ignored = np.array([[True] * 6 + [False], [True, False] * 3 + [True]]), np.zeros((2, 7), bool)
    ignored[1, 1] = True
    given = anchors, objects, np.tile(np.arange(7, dtype="int32"), (2, 1)), valid, ignored
    found = []
    for tile in (1024, 16):
        monkeypatch.setattr(matching, "TILE", tile)
        layer = matching.MatchedAnchors(0.3, 0.6, force, "none")
        found.append([np.asarray(x) for x in layer(*given)])
    assert len(np.unique(found[0][-1])) > 3
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
