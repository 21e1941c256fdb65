"""Resampling by the definitions, one axis at a time, in float64."""

import math

import numpy as np

from tests.ops.rows import Row


def nearest(before, after):
    return [{math.floor((o + 0.5) * before / after): 1.0} for o in range(after)]


def linear(before, after):
    rows = []
    for o in range(after):
        place = (o + 0.5) * before / after - 0.5
        row = {}
        for tap, weight in ((math.floor(place), 1 - place % 1), (math.floor(place) + 1, place % 1)):
            tap = min(max(tap, 0), before - 1)
            row[tap] = row.get(tap, 0.0) + weight
        rows.append(row)
    return rows


def torch_nearest(before, after):
    return [{o * before // after: 1.0} for o in range(after)]


def torch_area(before, after):
    rows = []
    for o in range(after):
        touched = range(math.floor(o * before / after), math.ceil((o + 1) * before / after))
        rows.append({i: 1 / len(touched) for i in touched})
    return rows


def torch_cubic(before, after):
    rows = []
    for o in range(after):
        place = (o + 0.5) * before / after - 0.5
        row = {}
        for tap in range(math.floor(place) - 1, math.floor(place) + 3):
            inside = min(max(tap, 0), before - 1)
            row[inside] = row.get(inside, 0.0) + keys(place - tap, -0.75)
        rows.append(row)
    return rows


def corners(before, after):
    rows = []
    for o in range(after):
        place = o * (before - 1) / (after - 1)
        left = min(math.floor(place), before - 2)
        rows.append({left: 1 - (place - left), left + 1: place - left})
    return rows


def keys(t, a):
    """Keys's cubic."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def cubic(before, after, a=-0.5):
    """Keys (1981); taps outside the input are left out and the others share their weight, as TensorFlow has it."""

    rows = []
    for o in range(after):
        place = (o + 0.5) * before / after - 0.5
        taps = {t: keys(place - t, a) for t in range(math.floor(place) - 1, math.floor(place) + 3) if 0 <= t < before}
        rows.append({t: weight / sum(taps.values()) for t, weight in taps.items()})
    return rows


def area(before, after):
    rows = []
    for o in range(after):
        start, stop = o * before / after, (o + 1) * before / after
        overlaps = {i: min(stop, i + 1) - max(start, i) for i in range(before)}
        rows.append({i: n * after / before for i, n in overlaps.items() if n > 0})
    return rows


def by(rule, *size):
    def oracle(weights, x):
        for axis, after in enumerate(size, start=1):
            matrix = np.zeros((after, x.shape[axis]))
            for o, row in enumerate(rule(x.shape[axis], after)):
                for tap, weight in row.items():
                    matrix[o, tap] = weight
            x = np.moveaxis(np.tensordot(x.astype("float64"), matrix, ([axis], [1])), -1, axis)
        return x

    return oracle


ROWS = [
    Row("upsample", {}, ((4, 2),), by(nearest, 8)),
    Row("upsample", {}, ((4, 3, 2),), by(nearest, 8, 6)),
    Row("upsample", {"factor": 3}, ((2, 3, 2, 2),), by(nearest, 6, 9, 6)),
    Row("upsample", {"factor": [1, 2]}, ((4, 3, 2),), by(nearest, 4, 6)),
    Row("upsample", {"mode": "bilinear"}, ((4, 3, 2),), by(linear, 8, 6)),
    Row("upsample", {"mode": "bilinear", "factor": 4}, ((1, 3, 2),), by(linear, 4, 12)),
    Row("upsample", {"mode": "bilinear", "factor": 3}, ((4, 2),), by(linear, 12)),
    Row("upsample", {"mode": "bilinear"}, ((2, 1, 3, 2),), by(linear, 4, 2, 6)),
    Row("upsample", {"mode": "bilinear", "factor": [2, 5]}, ((3, 2, 1),), by(linear, 6, 10)),
    Row("upsample", {"mode": "bicubic"}, ((5, 6, 2),), by(cubic, 10, 12), tolerance=1e-3),
    Row("upsample", {"mode": "area"}, ((4, 3, 2),), by(area, 8, 6)),
    Row("upsample", {"mode": "area"}, ((4, 2),), by(area, 8)),
    Row("upsample", {"mode": "torch_area"}, ((4, 3, 2),), by(torch_area, 8, 6)),
    Row("upsample", {"mode": "torch_nearest"}, ((4, 3, 2),), by(torch_nearest, 8, 6)),
    Row("upsample", {"mode": "torch_bicubic"}, ((5, 6, 2),), by(torch_cubic, 10, 12)),
    Row("resize", {"size": [9, 7]}, ((4, 3, 2),), by(linear, 9, 7)),
    Row("resize", {"size": 3}, ((7, 8, 2),), by(linear, 3, 3)),
    Row("resize", {"size": [4, 5]}, ((1, 1, 3),), by(linear, 4, 5)),
    Row("resize", {"size": 7}, ((4, 2),), by(linear, 7)),
    Row("resize", {"size": [3, 5, 2]}, ((4, 3, 2, 2),), by(linear, 3, 5, 2)),
    Row("resize", {"size": [7, 5], "mode": "nearest"}, ((4, 8, 2),), by(nearest, 7, 5)),
    Row("resize", {"size": 3, "mode": "nearest"}, ((7, 2),), by(nearest, 3)),
    Row("resize", {"size": [3, 5, 2], "mode": "nearest"}, ((4, 3, 2, 2),), by(nearest, 3, 5, 2)),
    Row("resize", {"size": [9, 4], "mode": "bicubic"}, ((6, 7, 2),), by(cubic, 9, 4), tolerance=1e-3),
    Row("resize", {"size": [7, 5], "mode": "torch_nearest"}, ((4, 8, 2),), by(torch_nearest, 7, 5)),
    Row("resize", {"size": 3, "mode": "torch_nearest"}, ((7, 2),), by(torch_nearest, 3)),
    Row("resize", {"size": [9, 4], "mode": "torch_bicubic"}, ((6, 7, 2),), by(torch_cubic, 9, 4)),
    Row("resize", {"size": [3, 5], "mode": "torch_area"}, ((7, 3, 2),), by(torch_area, 3, 5)),
    Row("resize", {"size": [3, 5, 4], "mode": "torch_area"}, ((4, 3, 2, 2),), by(torch_area, 3, 5, 4)),
    Row("resize", {"size": [9, 5], "align_corners": True}, ((6, 7, 2),), by(corners, 9, 5)),
    Row("resize", {"size": [2, 4], "mode": "area"}, ((4, 8, 2),), by(area, 2, 4)),
    Row("resize", {"size": [3, 5], "mode": "area"}, ((7, 3, 2),), by(area, 3, 5)),
    Row("resize", {"size": 3, "mode": "area"}, ((7, 2),), by(area, 3)),
]
