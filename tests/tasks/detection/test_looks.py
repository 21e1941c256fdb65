"""Objects by several looks: a network that finds bright rectangles exactly finds them at every scale, once each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

pytestmark = pytest.mark.tensorflow

KEEP = 12


def bright(images):
    """Rectangles of each image, sides where the values pass a half; red ones are of class 0, blue ones of 1."""
    out = {
        "boxes": np.zeros((len(images), KEEP, 4), np.float32),
        "scores": np.zeros((len(images), KEEP), np.float32),
        "classes": np.full((len(images), KEEP), -1),
        "count": np.zeros(len(images), int),
    }
    for i, image in enumerate(np.asarray(images)):
        rows = []
        for kind in range(2):
            places, _ = ndimage.label(image[..., kind] > 0.5)
            for y, x in ndimage.find_objects(places):
                rows.append((kind, 0.5 + 0.4 * kind, (x.start, y.start, x.stop, y.stop)))
        for k, (kind, score, box) in enumerate(rows[:KEEP]):
            out["boxes"][i, k], out["scores"][i, k], out["classes"][i, k] = box, score, kind
        out["count"][i] = len(rows)
    return out


def scene(size, boxes):
    image = np.zeros((*size, 3), np.float32)
    for kind, (x1, y1, x2, y2) in boxes:
        image[y1:y2, x1:x2, kind] = 1
    return image


BOXES = [(0, (8, 12, 28, 30)), (1, (60, 4, 84, 28)), (1, (40, 44, 60, 60)), (0, (84, 50, 96, 62))]


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("scales", [(64,), (32, 64), (48, 80, 128), (20,)])
def test_each_object_is_found_once_at_any_scale(scales, is_mirrored):
    from archspec.tasks.detection.looks import MergedLooks

    image = scene((64, 96), BOXES)
    said = MergedLooks(bright, (48, 48), scales, is_mirrored)(image[None])
    count = int(said["count"][0])
    assert count == len(BOXES) and said["boxes"].shape == (1, KEEP, 4)
    found = sorted(zip(said["classes"][0, :count].tolist(), said["boxes"][0, :count].tolist(), strict=True))
    for (kind, box), (wanted, true) in zip(found, sorted(BOXES), strict=True):
        assert kind == wanted
        # A pixel of the coarsest scale.
        np.testing.assert_allclose(box, true, atol=1.01 * max(1, 64 / min(scales)))
    assert said["scores"][0, :count].tolist() == sorted(said["scores"][0, :count].tolist(), reverse=True)
    assert (said["classes"][0, count:] == -1).all() and not said["boxes"][0, count:].any()


def test_a_mirror_image_says_the_same_of_what_a_network_sees_alike():
    from archspec.tasks.detection.looks import MergedLooks

    image = scene((64, 96), BOXES)
    plain, flipped = (MergedLooks(bright, (64, 96), (), mirrored)(image[None]) for mirrored in (False, True))
    order = [np.argsort(said["boxes"][0, :, 0], kind="stable") for said in (plain, flipped)]
    for name in ("boxes", "scores", "classes"):
        np.testing.assert_allclose(plain[name][0][order[0]], flipped[name][0][order[1]], atol=1e-5)
    assert plain["count"] == flipped["count"] == len(BOXES)


def test_boxes_of_one_object_vote_by_their_scores():
    """Gidaris and Komodakis 2015, equation 4, with scores for weights; another class has no vote."""
    from archspec.evaluators.coco import Found
    from archspec.tasks.detection.looks import merged

    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [30, 0, 40, 10]], np.float32)
    one = merged(Found(boxes, np.array([0, 0, 1, 0]), np.array([0.9, 0.3, 0.5, 0.6])))
    assert one.marks.tolist() == [0.9, 0.6, 0.5] and one.classes.tolist() == [0, 0, 1]
    np.testing.assert_allclose(one.boxes, [[0.25, 0, 10.25, 10], [30, 0, 40, 10], [0, 0, 10, 10]], atol=1e-6)


def test_nothing_found_is_nothing_merged():
    from archspec.tasks.detection.looks import MergedLooks

    said = MergedLooks(bright, (48, 48), (32, 64), True)(np.zeros((2, 64, 96, 3), np.float32))
    assert said["count"].tolist() == [0, 0] and said["boxes"].shape == (2, KEEP, 4)
