"""Boxes by Python's arithmetic, pair by pair and side by side, from the definitions in the papers."""

import math

import numpy as np

from tests.ops.rows import Row


def drawn(rng, shape):
    """Boxes of a few pixels' side, near one another; the first is empty where there are several."""
    low, size = rng.uniform(0, 12, (*shape[:-1], 2)), rng.uniform(1, 9, (*shape[:-1], 2))
    if len(shape) > 2:
        size[:, 0] = 0
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def full(rng, shape):
    """Boxes of which none is empty."""
    low, size = rng.uniform(0, 12, (*shape[:-1], 2)), rng.uniform(1, 9, (*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def overlap(variant):
    def pair(a, b):
        ax1, ay1, ax2, ay2 = map(float, a)
        bx1, by1, bx2, by2 = map(float, b)
        wide, high = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
        inner = wide * high if wide > 0 and high > 0 else 0.0
        union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inner
        iou = inner / union if union > 0 else 0.0
        width, height = max(ax2, bx2) - min(ax1, bx1), max(ay2, by2) - min(ay1, by1)
        if variant == "generalized":
            hull = width * height
            return iou - ((hull - union) / hull if hull > 0 else 0.0)
        if variant == "plain":
            return iou
        apart = ((ax1 + ax2 - bx1 - bx2) / 2) ** 2 + ((ay1 + ay2 - by1 - by2) / 2) ** 2
        out = iou - apart / (width**2 + height**2 + 1e-7)
        if variant == "complete":
            turn = math.atan((ax2 - ax1) / max(ay2 - ay1, 1e-7)) - math.atan((bx2 - bx1) / max(by2 - by1, 1e-7))
            unlike = 4 / math.pi**2 * turn**2
            out -= unlike**2 / (1 - iou + unlike + 1e-7)
        return out

    def oracle(weights, a, b):
        return np.array([[[pair(p, q) for q in b[n]] for p in a[n]] for n in range(len(a))], "float32")

    return oracle


def beside(variant):
    """Each box with the one in its row."""

    def oracle(weights, a, b):
        pairs = overlap(variant)(weights, a, b)
        return np.stack([np.diag(table) for table in pairs])

    return oracle


def drawn_shares(rng, shape):
    """What a network may say: also below 0."""
    return rng.uniform(-1, 1, shape).astype("float32")


def corners_told(weights, boxes, anchors):
    """How far each corner moves, twice, in sides of the anchor."""
    out = np.zeros(boxes.shape)
    for at in np.ndindex(boxes.shape[:-1]):
        a = anchors[at].astype("f8")
        out[at] = [2 * (boxes[at][i] - a[i]) / (a[2 + i % 2] - a[i % 2]) for i in range(4)]
    return out.astype("float32")


def corners_meant(weights, deltas, anchors):
    out = np.zeros(deltas.shape)
    for at in np.ndindex(deltas.shape[:-1]):
        a = anchors[at].astype("f8")
        out[at] = [a[i] + deltas[at][i] / 2 * (a[2 + i % 2] - a[i % 2]) for i in range(4)]
    return out.astype("float32")


def areas(weights, boxes):
    return np.array([[max(c - a, 0) * max(d - b, 0) for a, b, c, d in rows] for rows in boxes], "float32")


def cells_of(rng, shape):
    """Cells of a map of 4 columns, 8 pixels wide and 4 high."""
    at = np.arange(shape[1])
    low = np.stack([at % 4 * 8, at // 4 * 4], -1)
    return np.broadcast_to(np.concatenate([low, low + np.array([8, 4])], -1), shape).astype("float32")


def told(box, anchor, cell):
    """Darknet's region_layer.c: x · w - i, y · h - j, and the logarithms."""
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return [
        centre[0] / 8 - cell[0] / 8,
        centre[1] / 4 - cell[1] / 4,
        math.log((box[2] - box[0]) / (anchor[2] - anchor[0])),
        math.log((box[3] - box[1]) / (anchor[3] - anchor[1])),
    ]


def told_as_roots(box, anchor, cell):
    """Darknet's detection_layer.c, whose sides are roots of shares."""
    roots = [math.sqrt((box[2 + i] - box[i]) / (anchor[2 + i] - anchor[i])) for i in range(2)]
    return [*told(box, anchor, cell)[:2], *roots]


def meant(said, anchor, cell):
    """get_region_box of region_layer.c, in pixels."""
    wide = math.exp(min(said[2], math.log(62.5))) * (anchor[2] - anchor[0])
    high = math.exp(min(said[3], math.log(62.5))) * (anchor[3] - anchor[1])
    x, y = (cell[0] / 8 + said[0]) * 8, (cell[1] / 4 + said[1]) * 4
    return [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]


def meant_by_roots(said, anchor, cell):
    """get_detection_detections of detection_layer.c with sqrt=1: pow(·, 2) times the image's side."""
    wide, high = said[2] ** 2 * (anchor[2] - anchor[0]), said[3] ** 2 * (anchor[3] - anchor[1])
    x, y = (cell[0] / 8 + said[0]) * 8, (cell[1] / 4 + said[1]) * 4
    return [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]


def encoded(wx, wy, ww, wh):
    def one(box, anchor):
        width, height = max(anchor[2] - anchor[0], 1e-7), max(anchor[3] - anchor[1], 1e-7)
        return [
            wx * ((box[0] + box[2]) - (anchor[0] + anchor[2])) / 2 / width,
            wy * ((box[1] + box[3]) - (anchor[1] + anchor[3])) / 2 / height,
            ww * math.log((box[2] - box[0]) / width),
            wh * math.log((box[3] - box[1]) / height),
        ]

    return by_row(one)


def decoded(wx, wy, ww, wh, most=62.5):
    def one(said, anchor):
        width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
        x, y = anchor[0] + width / 2 + said[0] / wx * width, anchor[1] + height / 2 + said[1] / wy * height
        wide = width * min(math.exp(said[2] / ww), most) / 2
        high = height * min(math.exp(said[3] / wh), most) / 2
        return [x - wide, y - high, x + wide, y + high]

    return by_row(one)


def by_row(rule):
    def oracle(weights, *given):
        rows = zip(*(x.reshape(-1, 4).astype("float64") for x in np.broadcast_arrays(*given)), strict=True)
        said = given[0]
        return np.array([rule(*row) for row in rows]).reshape(said.shape).astype("float32")

    return oracle


ROWS = [
    *(
        Row("iou", {"variant": variant}, ((5, 4), (3, 4)), overlap(variant), draw=drawn, tolerance=1e-4)
        for variant in ("plain", "generalized", "distance", "complete")
    ),
    Row("encode_boxes", {}, ((6, 4), (6, 4)), encoded(1, 1, 1, 1), draw=full, tolerance=1e-4),
    Row("encode_boxes", {"delta": [10, 10, 5, 5]}, ((6, 4), (1, 4)), encoded(10, 10, 5, 5), draw=full, tolerance=1e-4),
    Row("encode_boxes", {"delta": 2}, ((2, 3, 4), (2, 3, 4)), encoded(2, 2, 2, 2), draw=full, tolerance=1e-4),
    Row("decode_boxes", {}, ((6, 4), (6, 4)), decoded(1, 1, 1, 1)),
    Row("decode_boxes", {"delta": [10, 10, 5, 5]}, ((2, 3, 4), (2, 3, 4)), decoded(10, 10, 5, 5)),
    Row("decode_boxes", {"max_scale": 1.5}, ((6, 4), (6, 4)), decoded(1, 1, 1, 1, 1.5)),
    *(
        Row(op, {"code": "corners", "delta": 2}, ((2, 6, 4), (2, 6, 4)), rule, draw=full, tolerance=1e-4)
        for op, rule in (("encode_boxes", corners_told), ("decode_boxes", corners_meant))
    ),
    Row("box_area", {}, ((6, 4),), areas, tolerance=1e-4),
    *(
        Row("iou", {"variant": variant, "pairs": "rows"}, ((5, 4), (5, 4)), beside(variant), draw=full, tolerance=1e-4)
        for variant in ("plain", "complete")
    ),
    *(
        Row(op, args, ((12, 4), (12, 4), (12, 4)), by_row(rule), draw=(first, full, cells_of), tolerance=1e-4)
        for op, args, rule, first in (
            ("encode_boxes", {}, told, full),
            ("encode_boxes", {"sides": "sqrt"}, told_as_roots, full),
            ("decode_boxes", {}, meant, full),
            ("decode_boxes", {"sides": "sqrt"}, meant_by_roots, drawn_shares),
        )
    ),
]
