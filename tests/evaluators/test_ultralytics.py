"""The figures that Ultralytics prints, by hand, beside COCO's of the same boxes; and who is taken for what."""

import numpy as np
import pytest

from archspec.evaluators.coco import Found
from archspec.evaluators.detection import confusion
from archspec.evaluators.ultralytics import figures


def found(boxes, marks, classes=None):
    array = np.array(boxes, float).reshape(-1, 4)
    return Found(array, np.array(classes or [0] * len(array), int), np.array(marks))


SQUARE, RIGHT = [0, 0, 10, 10], [20, 0, 30, 10]


@pytest.mark.parametrize(
    ("what", "said", "map50"),
    [
        ("one of two is found", found([SQUARE], [0.9]), 0.75),  # COCO: 51 of 101 recalls
        ("both are found", found([SQUARE, RIGHT], [0.9, 0.8]), 0.995),  # at recall 1 the curve falls to 0
        ("one wrong before one right", found([[50, 50, 60, 60], SQUARE], [0.9, 0.8]), None),
        ("nothing is found", found([], []), 0.0),
    ],
)
def test_precision_is_interpolated_between_points(what, said, map50):
    truth = found([SQUARE, RIGHT], [False, False])
    got = figures([truth], [said], 1)
    if map50 is None:
        # Best precision from 0 on is ½ up to recall ½, then falls to 0: of 101 recalls 51 are ½, 50 on the way down.
        at = np.linspace(0, 1, 101)
        curve = np.interp(at, [0, 0, 0.5, 1], [1, 0.5, 0.5, 0])
        map50 = float(((curve[1:] + curve[:-1]) / 2).mean())
    assert got["mAP50"] == pytest.approx(map50, abs=1e-9)
    assert got["mAP50-95"] == pytest.approx(map50, abs=1e-9)


def test_an_object_takes_its_surest_box_and_a_box_its_nearest_object():
    """A sure box at IoU .6 and a less sure one at IoU 1: up to .6 the first is the hit, from .65 on the second."""
    said = found([SQUARE, [0, 0, 10, 6]], [0.8, 0.9])
    got = figures([found([SQUARE], [False])], [said], 1)
    # From .65 on precision is ½ at recall 1, where the curve falls to 0.
    assert got["mAP50"] == pytest.approx(0.995, abs=1e-9)
    assert got["mAP50-95"] == pytest.approx((3 * 0.995 + 7 * 0.4975) / 10, abs=1e-9)
    # A box whose nearest object is taken takes no other, as COCO's would.
    twins = found([[0, 0, 10, 10], [1, 0, 11, 10]], [False, False])
    near = found([[0, 0, 10, 10], [0.2, 0, 10.2, 10]], [0.9, 0.8])
    # 1 below recall ½, ½ at it, and down to 0 at 1: 49 whole steps, one of ¾, and a triangle.
    assert figures([twins], [near], 1)["mAP50"] == pytest.approx(0.49 + 0.0075 + 0.125, abs=1e-9)


def test_crowds_are_no_objects_and_without_objects_there_is_no_figure():
    crowd = found([SQUARE], [True])
    assert figures([crowd], [found([SQUARE], [0.9])], 1) == {}
    assert figures([], [], 1) == {}


def test_who_is_taken_for_what():
    truth = found([SQUARE, RIGHT, [40, 0, 50, 10], [60, 0, 70, 10]], [False, False, False, True], [0, 1, 1, 0])
    said = found([SQUARE, RIGHT, [80, 0, 90, 10], [60, 0, 70, 10], SQUARE], [0.9, 0.8, 0.7, 0.6, 0.1], [0, 0, 1, 0, 1])
    # The first is right, the second called 0, the third missed; one of class 1 invented; what is ignored counts
    # nowhere, and neither does what is not sure.
    assert confusion([truth], [said], 2).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
