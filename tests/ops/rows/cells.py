"""Owners by cells after Darknet's region_layer.c, yolo_layer.c and detection_layer.c, object by object."""

import math

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.matching import candidates, classes, some
from tests.ops.rows.suppression import overlap

SHAPES = ((40, 4), (40, 4), (6, 4), (6,), (6,))
"""Two anchors at each of 4 · 5 cells of 3 pixels, of which objects reach over the border."""


def cells(rng, shape):
    at = np.arange(shape[1]) // 2
    low = np.stack([at % 4, at // 4], -1) * 3
    return np.broadcast_to(np.concatenate([low, low + 3], -1), shape).astype("float32")


def anchors(rng, shape):
    """Two shapes at all cells, of which some objects have one, and some are as like one as the other."""
    middle = cells(rng, shape)[..., :2] + 1.5
    half = np.where(np.arange(shape[1])[:, None] % 2, [2.5, 1.5], [1.5, 2.5])
    return np.concatenate([middle - half, middle + half], -1).astype("float32")


def far(rng, shape):
    """Predictions that mostly overlap nothing."""
    found = candidates(rng, shape)
    return found + np.float32(40) * (rng.uniform(size=(*shape[:-1], 1)) < 0.7).astype("float32")


def shape_overlap(a, b):
    """best_iou in delta_yolo_box: both boxes are moved to 0."""
    inner = min(a[2] - a[0], b[2] - b[0]) * min(a[3] - a[1], b[3] - b[1])
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def rmse(a, b):
    """box_rmse of box.c: of centres and sides."""
    sides = [((a[i] + a[2 + i]) / 2 - (b[i] + b[2 + i]) / 2, (a[2 + i] - a[i]) - (b[2 + i] - b[i])) for i in range(2)]
    return math.sqrt(sum(d * d for pair in sides for d in pair))


def predictor(places, rows, box):
    """detection_layer.c: the one of the best overlap; where none overlaps, of the least distance."""
    best, best_iou, best_rmse = -1, 0.0, math.inf
    for i in places:
        iou, distance = overlap(rows[i], box, "plain"), rmse(rows[i], box)
        if best_iou > 0 or iou > 0:
            if iou > best_iou:
                best, best_iou = i, iou
        elif distance < best_rmse:
            best, best_rmse = i, distance
    return [best]


def by_cell(by="shape", above=None, ties="first"):
    def oracle(weights, rows, at, boxes, kinds, valid):
        made = []
        for a, c, b, k, v in zip(rows, at, boxes, kinds, valid, strict=True):
            a, b = a.astype("float64"), b.astype("float64")
            owner, likest = [-1] * len(a), [-1.0] * len(a)
            chosen = {}
            for n, box in enumerate(b):
                x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
                places = [i for i, (x1, y1, x2, y2) in enumerate(c) if x1 <= x < x2 and y1 <= y < y2]
                if not v[n] or not places:
                    continue
                alike = {i: shape_overlap(a[i], box) for i in places}
                if by == "overlap":
                    best = predictor(places, a, box)
                else:
                    best = [i for i in places if alike[i] == max(alike.values())]
                chosen |= dict.fromkeys(best if ties == "all" else best[:1], n)
                for i in places:
                    if above is not None and alike[i] >= above and alike[i] > likest[i]:
                        owner[i], likest[i] = n, alike[i]
            for i, n in chosen.items():
                owner[i] = n
            made.append(
                (
                    np.array([k[o] if o >= 0 else -1 for o in owner], "int32"),
                    np.array([b[o] if o >= 0 else a[i] for i, o in enumerate(owner)], "float32"),
                    np.array([o >= 0 for o in owner]),
                    np.ones(len(owner), bool),
                    np.array(owner, "int32"),
                )
            )
        return tuple(map(np.stack, zip(*made, strict=True)))

    return oracle


ROWS = [
    Row(
        "match_cells",
        args,
        SHAPES,
        by_cell(**args),
        dtypes=("float32", "float32", "float32", "int32", "bool"),
        draw=(first, cells, candidates, classes, some),
    )
    for args, first in (
        ({}, anchors),
        ({"ties": "all"}, anchors),
        ({"above": 0.3}, anchors),
        ({"by": "overlap"}, candidates),
        ({"by": "overlap"}, far),
    )
]
