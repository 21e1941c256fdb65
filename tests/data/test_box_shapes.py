"""Shapes found among the objects of a set that the test makes, and what anchors reach of it, against plain loops."""

import json

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.cli import main
from archspec.data.box_shapes import clustered, reached
from archspec.data.errors import DataError
from archspec.runs.anchor_report import _anchors_of
from tests.wording import refuses

SHAPES = np.array([[8.0, 8.0], [40.0, 10.0], [30.0, 60.0]])


def sizes(count=60):
    return SHAPES[np.arange(count) % 3] * np.random.default_rng(2).uniform(0.95, 1.05, (count, 2))


def test_shapes_are_those_that_the_objects_have():
    some = sizes()
    found = clustered(some, 3)
    want = np.stack([some[k::3].mean(0) for k in range(3)])
    np.testing.assert_allclose(found.sizes, want[np.argsort(want.prod(1))], rtol=1e-9)
    assert found.overlaps.shape == (60,) and found.overlaps.min() > 0.85
    assert clustered(some, 9).overlaps.mean() > found.overlaps.mean() > clustered(some, 1).overlaps.mean()
    with refuses(DataError):
        clustered(np.repeat(SHAPES, 4, 0), 4)


def test_what_anchors_reach_is_the_best_overlap_with_any():
    draw = np.random.default_rng(0)
    corners = draw.uniform(0, 50, (12, 2))
    boxes = np.concatenate([corners, corners + draw.uniform(1, 30, (12, 2))], 1)
    anchors = np.concatenate([draw.uniform(0, 50, (40, 2)), np.full((40, 2), 60.0)], 1)

    def iou(a, b):
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        both = max(w, 0) * max(h, 0)
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    want = [max(iou(box, anchor) for anchor in anchors) for box in boxes]
    got = reached([boxes[:5], np.zeros((0, 4)), boxes[5:]], anchors)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert reached([], anchors).shape == (0,) and reached([boxes], np.zeros((0, 4))).tolist() == [0.0] * 12


SPEC = """
archspec: 1
name: squares
inputs: {image: [64, 96, 3]}
body:
  - {conv: {filters: 2, kernel: 8, stride: 8}, as: map}
  - {anchors: {sizes: 16, stride: 8}, from: map, as: anchors}
  - {conv: {filters: 4, kernel: 1}, from: map}
  - {reshape: [-1, 4], as: deltas}
  - {decode_boxes, from: [deltas, anchors], as: found}
heads: {boxes: {from: found}}
train: {minimize: [{mse: [deltas, anchors]}]}
"""


@pytest.mark.tensorflow
def test_a_run_file_tells_what_its_anchors_reach(tmp_path, capsys):
    """Photos of 128 × 192, seen at half: a square of 32 at the place of an anchor, and a long one no anchor reaches."""
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "annotations").mkdir()
    boxes = [[24, 40, 32, 32], [0, 100, 190, 8]]
    objects = [{"id": k, "image_id": 1, "category_id": 1, "bbox": box, "iscrowd": 0} for k, box in enumerate(boxes, 1)]
    # A crowd is nothing that anchors are to reach.
    objects.append({"id": 3, "image_id": 1, "category_id": 1, "bbox": [0, 0, 192, 128], "iscrowd": 1})
    Image.new("RGB", (192, 128), "gray").save(tmp_path / "set" / "train" / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128}],
        "annotations": objects,
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "set" / "annotations" / "instances_train.json").write_text(json.dumps(document))
    (tmp_path / "squares.yaml").write_text(SPEC)
    run = tmp_path / "run.yaml"
    run.write_text("archspec_run: 1\nspec: squares.yaml\ndata: {coco: set}\naugment: [letterbox: [64, 96], rescale]\n")
    assert main(["data", "anchors", str(run), "--count", "2", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sizes"] == [[16, 16], [95, 4]] and said["mean_iou"] == 1
    # The square's middle is (20, 28), that of an anchor; of the other an anchor covers 16 × 4 of 95 × 4 and 16 × 16.
    assert said["spec"]["anchors"] == 96
    assert said["spec"]["recall"]["all"] == {"objects": 2, "recall": {"0.4": 0.5, "0.5": 0.5, "0.6": 0.5, "0.7": 0.5}}
    assert set(said["spec"]["recall"]) == {"all", "small"}
    assert main(["data", "anchors", str(tmp_path / "set"), "--count", "1", "--size", "32"]) == 0
    assert "sizes: [[" in (text := capsys.readouterr().out) and "just fits 32×32" in text


@pytest.mark.tensorflow
def test_anchors_are_compared_as_the_network_makes_them(tmp_path):
    """15 pixels about a middle at 0, rounded: 7.5 becomes 8, the even one."""
    (tmp_path / "net.yaml").write_text(SPEC.replace("sizes: 16,", "sizes: 15, round: true, offset: 0,"))
    made = _anchors_of(archspec.load(tmp_path / "net.yaml"))
    assert made.shape == (96, 4) and made[[0, 1, 12]].tolist() == [[-8, -8, 8, 8], [0, -8, 16, 8], [-8, 0, 8, 16]]
