"""Anchors one by one, by the definitions of the papers."""

import math

import numpy as np

from tests.ops.rows import Row


def placed(shapes, stride, offset=0.5):
    """Given shapes, width and height, around every position."""
    down, right = stride if isinstance(stride, tuple) else (stride, stride)

    def oracle(weights, x):
        made = []
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                cx, cy = (j + offset) * right, (i + offset) * down
                made += [[cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2] for w, h in shapes]
        return np.repeat(np.array([made], "float32"), len(x), 0)

    return oracle


def ratio(side, r):
    return side / math.sqrt(r), side * math.sqrt(r)


YOLO = [[10, 13], [16, 30], [33, 23]]
RETINA = [ratio(32 * 2 ** (k / 3), r) for r in (0.5, 1, 2) for k in range(3)]
BY_SIZE = [ratio(s, r) for s in (16, 32) for r in (0.5, 2)]
SSD = [(60, 60), (math.sqrt(60 * 111),) * 2, ratio(60, 0.5), ratio(60, 2)]
ROWS = [
    Row("anchors", {"sizes": YOLO, "stride": 8}, ((3, 5, 2),), placed(YOLO, 8)),
    Row("anchors", {"sizes": 11, "stride": 2, "offset": 3.25}, ((3, 5, 2),), placed([(11, 11)], 2, 3.25)),
    Row("anchors", {"sizes": 20, "stride": [8, 16]}, ((3, 5, 2),), placed([(20, 20)], (8, 16))),
    Row(
        "anchors",
        {"sizes": 32, "octaves": 3, "ratios": [0.5, 1, 2], "stride": 8, "offset": 0},
        ((2, 3, 1),),
        placed(RETINA, 8, 0),
    ),
    Row(
        "anchors",
        {"sizes": [16, 32], "ratios": [0.5, 2], "stride": 4, "group_by": "sizes"},
        ((2, 3, 1),),
        placed(BY_SIZE, 4),
    ),
    Row("anchors", {"sizes": 60, "next_size": 111, "ratios": [1, 0.5, 2], "stride": 16}, ((2, 2, 1),), placed(SSD, 16)),
    Row("cells", {"stride": 8, "count": 2}, ((3, 5, 2),), placed([(8, 8)] * 2, 8)),
    Row("cells", {"stride": [4, 8]}, ((3, 5, 2),), placed([(8, 4)], (4, 8))),
    Row("anchors", {"sizes": [[5, 5]], "stride": 2, "round": True}, ((1, 2, 3),), placed([(4, 4)], 2)),
]
