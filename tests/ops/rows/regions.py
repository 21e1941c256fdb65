"""Regions of maps bin by bin, place by place, by the published rules in Python's arithmetic."""

import math

import numpy as np

from tests.ops.rows import Row


def maps(rng, shape):
    return rng.normal(size=shape).astype("float32")


def regions(rng, shape):
    """Boxes over a map of 12 by 20 pixels and its border; one is empty, and one is all of it."""
    low, size = rng.uniform(-4, 16, (*shape[:-1], 2)), rng.uniform(0.2, 14, (*shape[:-1], 2))
    made = np.concatenate([low, low + size], axis=-1)
    made[:, 0] = [5, 3, 5, 3]
    made[:, 1] = [0, 0, 20, 12]
    return made.astype("float32")


def at(x, py, px, edge=1.0):
    """A map between its positions; 0 where a place is more than ``edge`` over the border."""
    height, width = x.shape[:2]
    if py < -edge or px < -edge or py > height - 1 + edge or px > width - 1 + edge:
        return np.zeros(x.shape[2])
    py, px = min(max(py, 0), height - 1), min(max(px, 0), width - 1)
    y0, x0 = int(py), int(px)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = x[y0, x0] * (1 - (px - x0)) + x[y0, x1] * (px - x0)
    low = x[y1, x0] * (1 - (px - x0)) + x[y1, x1] * (px - x0)
    return top * (1 - (py - y0)) + low * (py - y0)


def aligned_region(x, box, size, stride, samples, aligned):
    x1, y1, x2, y2 = (float(v) / stride - (0.5 if aligned else 0) for v in box)
    wide, high = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
    out = np.zeros((*size, x.shape[2]))
    down, right = (samples, samples) if samples else (math.ceil(high / size[0]), math.ceil(wide / size[1]))
    for i in range(size[0]):
        for j in range(size[1]):
            found = [
                at(x, y1 + (i + (a + 0.5) / down) * high / size[0], x1 + (j + (b + 0.5) / right) * wide / size[1])
                for a in range(down)
                for b in range(right)
            ]
            out[i, j] = np.mean(found, axis=0) if found else 0
    return out


def aligned(size, stride, samples=2, is_aligned=True, canonical=(224, 16)):
    strides = stride if isinstance(stride, list) else [stride]

    def one(levels, box):
        side = math.sqrt((float(box[2]) - float(box[0])) * (float(box[3]) - float(box[1])))
        level = math.floor(math.log2(canonical[1] / strides[0]) + math.log2(max(side, 1e-6) / canonical[0]) + 1e-6)
        k = min(max(level, 0), len(strides) - 1)
        return aligned_region(levels[k], box, size, strides[k], samples, is_aligned)

    def oracle(weights, *inputs):
        *levels, boxes = inputs
        made = [[one([x[n] for x in levels], box) for box in boxes[n]] for n in range(len(boxes))]
        return np.array(made, "float32")

    return oracle


def cropped(size, stride, fill):
    def one(x, box):
        out = np.full((*size, x.shape[2]), fill, "float64")
        x1, y1, x2, y2 = (float(v) / stride for v in box)
        for i in range(size[0]):
            for j in range(size[1]):
                py, px = y1 + (i + 0.5) * (y2 - y1) / size[0], x1 + (j + 0.5) * (x2 - x1) / size[1]
                if 0 <= py <= x.shape[0] and 0 <= px <= x.shape[1]:
                    out[i, j] = at(x, py - 0.5, px - 0.5)
        return out

    return lambda weights, x, boxes: np.array([[one(m, b) for b in bs] for m, bs in zip(x, boxes, strict=True)], "f4")


def pooled(size, stride):
    def rounded(v):
        return int(math.copysign(math.floor(abs(v) + 0.5), v))

    def one(x, box):
        x1, y1, x2, y2 = (rounded(float(np.float32(v) / np.float32(stride))) for v in box)
        high, wide = max(y2 - y1 + 1, 1) / size[0], max(x2 - x1 + 1, 1) / size[1]
        out = np.zeros((*size, x.shape[2]))
        for i in range(size[0]):
            for j in range(size[1]):
                rows = slice(max(math.floor(i * high) + y1, 0), max(math.ceil((i + 1) * high) + y1, 0))
                columns = slice(max(math.floor(j * wide) + x1, 0), max(math.ceil((j + 1) * wide) + x1, 0))
                part = x[rows, columns]
                out[i, j] = part.max((0, 1)) if part.size else 0
        return out

    return lambda weights, x, boxes: np.array([[one(m, b) for b in bs] for m, bs in zip(x, boxes, strict=True)], "f4")


def averaged(size, stride, fill):
    """As PyTorch's adaptive pools, of the positions that are left of a box."""

    def one(x, box):
        out = np.full((*size, x.shape[2]), fill, "float64")
        x1, y1, x2, y2 = (math.floor(float(v) / stride) for v in box)
        left = x[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)].astype("f8")
        high, wide = left.shape[:2]
        for i, j in np.ndindex(*size if left.size else (0, 0)):
            rows = slice(i * high // size[0], math.ceil((i + 1) * high / size[0]))
            out[i, j] = left[rows, j * wide // size[1] : math.ceil((j + 1) * wide / size[1])].mean((0, 1))
        return out

    return lambda weights, x, boxes: np.array([[one(m, b) for b in bs] for m, bs in zip(x, boxes, strict=True)], "f4")


ON_ONE = {"draw": (maps, regions)}
ROWS = [
    Row("roi_align", {"size": 3, "stride": 2}, ((6, 10, 3), (7, 4)), aligned((3, 3), 2), **ON_ONE),
    Row(
        "roi_align",
        {"size": [2, 4], "stride": 2, "samples": 3, "aligned": False},
        ((6, 10, 3), (7, 4)),
        aligned((2, 4), 2, 3, False),
        **ON_ONE,
    ),
    Row("roi_align", {"size": 2, "stride": 1, "samples": 1}, ((12, 20, 2), (7, 4)), aligned((2, 2), 1, 1), **ON_ONE),
    Row(
        "roi_align", {"size": [3, 2], "stride": 1, "samples": 0}, ((12, 20, 2), (7, 4)), aligned((3, 2), 1, 0), **ON_ONE
    ),
    Row(
        "roi_align",
        {"size": 2, "stride": [1, 2, 4], "canonical_size": 6, "canonical_stride": 2},
        ((12, 20, 2), (6, 10, 2), (3, 5, 2), (9, 4)),
        aligned((2, 2), [1, 2, 4], canonical=(6, 2)),
        draw=(maps, maps, maps, regions),
    ),
    Row(
        "roi_align",
        {"size": 2, "stride": [2, 4], "canonical_size": 6, "canonical_stride": 4, "samples": 0},
        ((6, 10, 2), (3, 5, 2), (9, 4)),
        aligned((2, 2), [2, 4], 0, canonical=(6, 4)),
        draw=(maps, maps, regions),
    ),
    Row("roi_pool", {"size": 3, "stride": 2}, ((6, 10, 3), (7, 4)), pooled((3, 3), 2), **ON_ONE),
    Row("roi_pool", {"size": [2, 7], "stride": 1}, ((12, 20, 2), (7, 4)), pooled((2, 7), 1), **ON_ONE),
    Row(
        "crop_and_resize",
        {"size": 3, "mode": "torch_area", "fill": 2},
        ((12, 20, 3), (9, 4)),
        averaged((3, 3), 1, 2),
        **ON_ONE,
    ),
    Row(
        "crop_and_resize",
        {"size": [2, 5], "mode": "torch_area", "stride": 2},
        ((6, 10, 2), (9, 4)),
        averaged((2, 5), 2, 0),
        **ON_ONE,
    ),
    Row("crop_and_resize", {"size": 5}, ((12, 20, 3), (7, 4)), cropped((5, 5), 1, 0), **ON_ONE),
    Row(
        "crop_and_resize",
        {"size": [4, 3], "stride": 2, "fill": -1.5},
        ((6, 10, 3), (7, 4)),
        cropped((4, 3), 2, -1.5),
        **ON_ONE,
    ),
]
