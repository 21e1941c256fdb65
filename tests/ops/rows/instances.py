"""Parts of classes by indexing, and masks pixel by pixel."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.regions import at


def numbers(rng, shape):
    return rng.normal(size=shape).astype("float32")


def masks(rng, shape):
    return (rng.uniform(size=shape) < 0.5).astype("float32")


def boxes(rng, shape):
    low, size = rng.uniform(-3, 9, (*shape[:-1], 2)), rng.uniform(1, 9, (*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def classes(rng, shape):
    drawn = rng.integers(0, 3, shape).astype("int32")
    drawn[:, 0] = -1
    return drawn


def of_class(axis, first=0):
    def oracle(weights, x, kinds):
        return np.stack(
            [
                np.stack([np.take(row, max(k, 0) + first, axis=axis) for row, k in zip(xs, ks, strict=True)])
                for xs, ks in zip(x, kinds, strict=True)
            ]
        )

    return oracle


def in_box(mask, box, px, py):
    """A mask in its box at a place of the image."""
    height, width = mask.shape
    x = (px - box[0]) / (box[2] - box[0]) * width
    y = (py - box[1]) / (box[3] - box[1]) * height
    return at(mask[..., None], y - 0.5, x - 0.5)[0] if 0 <= x <= width and 0 <= y <= height else 0.0


def cropped(size):
    def one(mask, region, box):
        wide, high = region[2] - region[0], region[3] - region[1]
        return [
            [
                float(
                    in_box(mask, box, region[0] + (j + 0.5) / size[1] * wide, region[1] + (i + 0.5) / size[0] * high)
                    >= 0.5
                )
                for j in range(size[1])
            ]
            for i in range(size[0])
        ]

    def oracle(weights, drawn, regions, box, owner):
        made = []
        for n in range(len(drawn)):
            rows = zip(regions[n].astype("f8"), box[n].astype("f8"), owner[n], strict=True)
            made.append([one(drawn[n][max(o, 0)], r, b) for r, b, o in rows])
        return np.array(made, "float32")

    return oracle


def pasted(size):
    def oracle(weights, drawn, where):
        rows = [
            [
                [[in_box(m, b, j + 0.5, i + 0.5) for j in range(size[1])] for i in range(size[0])]
                for m, b in zip(ms, bs.astype("f8"), strict=True)
            ]
            for ms, bs in zip(drawn, where, strict=True)
        ]
        return np.array(rows, "float32")

    return oracle


OWNED = {"dtypes": ("float32", "float32", "float32", "int32"), "draw": (masks, boxes, boxes, classes)}
OF = {"dtypes": ("float32", "int32"), "draw": (numbers, classes)}
ROWS = [
    Row("of_class", {}, ((5, 4, 4, 3), (5,)), of_class(-1), **OF),
    Row("of_class", {"axis": 1, "background": "first"}, ((5, 4, 4), (5,)), of_class(0, 1), **OF),
    Row("of_class", {"axis": 1}, ((5, 3), (5,)), of_class(0), **OF),
    Row("crop_masks", {"size": 6}, ((3, 8, 8), (7, 4), (7, 4), (7,)), cropped((6, 6)), **OWNED),
    Row("crop_masks", {"size": [3, 5]}, ((3, 4, 6), (7, 4), (7, 4), (7,)), cropped((3, 5)), **OWNED),
    Row("paste_masks", {"size": [10, 14]}, ((4, 7, 7), (4, 4)), pasted((10, 14)), draw=(masks, boxes)),
]
