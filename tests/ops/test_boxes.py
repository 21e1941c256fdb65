"""Boxes against torchvision's numbers, and at edges of arithmetic: empty boxes and their gradients, half precision."""

import json
from pathlib import Path

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())


def compute(name, args, a, b):
    a, b = (np.asarray(x, "float32")[None] for x in (a, b))
    layer = Op.find(name).model_validate(args).lower(TensorSpec(a.shape[1:]), TensorSpec(b.shape[1:]))
    return np.asarray(layer(a, b))[0]


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("variant", "column"), [("plain", "iou"), ("generalized", "giou"), ("distance", "diou"), ("complete", "ciou")]
)
def test_overlaps_are_those_of_torchvision(variant, column):
    known = VECTORS["iou"]
    np.testing.assert_allclose(compute("iou", {"variant": variant}, known["a"], known["b"]), known[column], atol=1e-6)


@pytest.mark.tensorflow
def test_goals_are_those_of_torchvision_and_come_back():
    known = VECTORS["boxcoder_1"]
    deltas = compute("encode_boxes", {}, known["gt"], known["proposals"])
    np.testing.assert_allclose(deltas, known["deltas"], atol=1e-6)
    np.testing.assert_allclose(compute("decode_boxes", {}, deltas, known["proposals"]), known["gt"], atol=1e-4)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("delta", "column"), [(1, "boxes_w1"), ([10, 10, 5, 5], "boxes_w10")])
def test_decoded_boxes_are_those_of_torchvision(delta, column):
    known = VECTORS["decode"]
    found = compute("decode_boxes", {"delta": delta}, known["deltas"], known["priors"])
    np.testing.assert_allclose(found, known[column], rtol=1e-5, atol=1e-4)


@pytest.mark.tensorflow
def test_a_side_grows_at_most_as_in_torchvision():
    huge = VECTORS["decode"]["huge"]
    found = compute("decode_boxes", {}, [huge["delta"]], [VECTORS["decode"]["priors"][0]])
    np.testing.assert_allclose(found, np.reshape(huge["box"], (1, 4)), rtol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("variant", ["plain", "generalized", "distance", "complete"])
def test_empty_boxes_overlap_nothing_and_have_gradients(variant):
    import tensorflow as tf

    boxes = tf.constant([[[0.0, 0, 0, 0], [3, 3, 3, 3], [1, 1, 4, 5]]])
    layer = Op.find("iou").model_validate({"variant": variant}).lower(TensorSpec((3, 4)), TensorSpec((3, 4)))
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        found = layer(boxes, boxes)
    assert np.isfinite(found).all() and np.isfinite(tape.gradient(found, boxes)).all()
    if variant == "plain":
        np.testing.assert_allclose(found[0], np.diag([0.0, 0.0, 1.0]))


@pytest.mark.tensorflow
def test_padding_has_goals_that_are_numbers():
    assert np.isfinite(compute("encode_boxes", {}, np.zeros((2, 4)), [[0, 0, 8, 8], [0, 0, 0, 0]])).all()


@pytest.mark.tensorflow
def test_boxes_keep_their_pixels_in_half_precision():
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = compute("decode_boxes", {}, np.zeros((1, 4)), [[2049, 1025, 4099, 4097]])
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(found, [[2049, 1025, 4099, 4097]])


def refusal(name, *shapes):
    with pytest.raises(OpError) as caught:
        Op.find(name)().infer(*(TensorSpec(s) for s in shapes))
    return caught.value.message


def test_what_is_no_box_is_refused():
    assert refusal("iou", (5, 3), (2, 4)) == "iou needs four numbers for each box, along the last axis, got (5, 3)"
    assert refusal("iou", (2, 5, 4), (2, 4)) == "iou needs lists of boxes (boxes, 4), got (2, 5, 4)"
    assert refusal("decode_boxes", (6, 4), (5, 4)).startswith("cannot decode_boxes (6, 4) and (5, 4)")
    assert refusal("encode_boxes", (2, 3, 4), (3, 4)).startswith("encode_boxes needs one row for each anchor, got")


def test_pairs_are_counted_though_they_are_no_elements_of_an_input():
    a, b = TensorSpec((5, 4)), TensorSpec((3, 4))
    op = Op.find("iou")()
    out = op.infer(a, b)
    assert out == TensorSpec((5, 3))
    assert op.flops(out, a, b) == 12 * 15 + 3 * 8
