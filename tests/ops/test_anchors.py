"""Anchors against those of torchvision, Caffe's SSD and py-faster-rcnn, and what may not be written."""

import json
from pathlib import Path

import numpy as np
import pytest

from archspec.analysis.expect import unmet
from archspec.frontend import check
from archspec.frontend.open import from_text
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())


def made(height, width, **args):
    layer = Op.find("anchors").model_validate(args).lower(TensorSpec((height, width, 1)))
    return np.asarray(layer(np.zeros((1, height, width, 1), "float32")))[0]


@pytest.mark.tensorflow
def test_anchors_of_two_maps_are_those_of_torchvision():
    known = VECTORS["anchors_fpn"]
    ratios = [0.5, 1, 2]
    found = np.concatenate(
        [
            made(4, 6, sizes=32, ratios=ratios, stride=8, offset=0, round=True),
            made(2, 3, sizes=64, ratios=ratios, stride=16, offset=0, round=True),
        ]
    )
    assert len(found) == known["n"]
    np.testing.assert_array_equal(found[:9], known["first9"])
    np.testing.assert_array_equal(found[-3:], known["last3"])


@pytest.mark.tensorflow
def test_anchors_of_three_sizes_a_map_are_those_of_torchvision():
    known = VECTORS["retina_assignment"]
    height, width = known["image"]
    found = np.concatenate(
        [
            made(height // s, width // s, sizes=sizes, ratios=known["ratios"], stride=s, offset=0, round=True)
            for s, sizes in zip(known["strides"], known["sizes"], strict=True)
        ]
    )
    assert len(found) == known["anchors"]
    np.testing.assert_array_equal(found[0], known["first"])
    np.testing.assert_array_equal(found[-1], known["last"])
    assert np.abs(found).sum(dtype="float64") == known["anchor_sum"]


@pytest.mark.tensorflow
def test_default_boxes_are_those_of_ssd():
    """Caffe's, as shares of the image."""
    known = VECTORS["ssd300_priors"]
    three, two = [1, 0.5, 2, 1 / 3, 3], [1, 0.5, 2]
    sizes = [30, 60, 111, 162, 213, 264, 315]
    maps = [(38, 8, two), (19, 16, three), (10, 32, three), (5, 64, three), (3, 100, two), (1, 300, two)]
    found = [
        made(side, side, sizes=size, next_size=after, ratios=ratios, stride=stride) / 300
        for (side, stride, ratios), size, after in zip(maps, sizes, sizes[1:], strict=False)
    ]
    found = np.concatenate(found)
    assert len(found) == known["n"]
    np.testing.assert_allclose(found[:4], known["first4"], atol=1e-6)
    np.testing.assert_allclose(found[5776], known["row5776"], atol=1e-6)
    np.testing.assert_allclose(found[-4:], known["last"], atol=1e-6)
    assert found.sum(dtype="float64") == pytest.approx(known["sum"], abs=1e-2)


@pytest.mark.tensorflow
def test_shapes_of_faster_rcnn_stand_where_its_own_do():
    """py-faster-rcnn's boxes contain their last pixel."""
    known = np.array(VECTORS["anchors_faster_rcnn_vgg"]["anchors"])
    shapes = (known[:, 2:] - known[:, :2] + 1).tolist()
    np.testing.assert_array_equal(made(1, 1, sizes=shapes, stride=16)[0:] - [0, 0, 1, 1], known)


HEAD = """archspec: 1
name: net
inputs: {image: [64, 96, 3]}
body:
  - {conv: {filters: 4, kernel: 3, stride: 8}, as: fine}
  - {conv: {filters: 4, kernel: 3, stride: 2}, as: coarse}
  - {anchors: {sizes: 16, ratios: [0.5, 1, 2], stride: 8}, from: fine, as: "at[3]"}
  - {anchors: {sizes: 32, stride: 16}, from: coarse, as: "at[4]"}
  - {concat: {axis: 0}, from: at}
"""


def test_a_spec_expects_its_anchors(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "expect: {anchors: 312, source: by hand}\n")
    (graph,) = check(str(path))
    assert unmet(graph) == []
    path.write_text(HEAD + "expect: {anchors: {max: 300}, source: by hand}\n")
    (graph,) = check(str(path))
    (found,) = unmet(graph)
    assert found.code == "E01"
    assert found.message == "net has anchors 312, expected at most 300 (by hand)"


def test_anchors_of_an_open_image_are_as_many_as_its_size_says():
    text = HEAD.replace("[64, 96, 3]", "[H, 96, 3]")
    assert from_text(text, "net", None, {}).nodes[-1].output.shape == (None, 4)
    assert from_text(text, "net", None, {"H": 64}).nodes[-1].output.shape == (312, 4)
