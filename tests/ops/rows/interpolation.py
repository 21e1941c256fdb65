"""Maps read between positions: PyTorch's and torchvision's vectors, and a reading number by number."""

import json
from itertools import product
from math import floor
from pathlib import Path

import numpy as np

from tests.ops.rows import Row

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_interpolation.json").read_text())


def blended(image, row, column):
    """(channels,) of (height, width, channels) between four positions; outside there is 0."""
    total = 0.0
    for r, c in product((floor(row), floor(row) + 1), (floor(column), floor(column) + 1)):
        if 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
            total = total + image[r, c] * (1 - abs(row - r)) * (1 - abs(column - c))
    return total


def grid_sample(aligned=False, nearest=False):
    def oracle(weights, x, grid):
        _, height, width, channels = x.shape
        out = np.zeros((*grid.shape[:3], channels))
        for b, i, j in np.ndindex(*grid.shape[:3]):
            places = []
            for at, size in zip(grid[b, i, j].astype("float64"), (width, height), strict=True):
                places.append((at + 1) / 2 * (size - 1) if aligned else ((at + 1) * size - 1) / 2)
            column, row = np.round(places) if nearest else places
            out[b, i, j] = blended(x[b].astype("float64"), row, column)
        return out

    return oracle


def deformable(kernel, stride=1, before=(1, 1), dilation=1):
    """Tap by tap (Dai et al. 2017, equation 2)."""

    def oracle(weights, x, offset, share=None):
        taps, groups = kernel[0] * kernel[1], offset.shape[-1] // (2 * kernel[0] * kernel[1])
        parts = np.split(x.astype("float64"), groups, -1)
        out = np.zeros((*offset.shape[:3], weights["kernel"].shape[-1]))
        for b, i, j in np.ndindex(*offset.shape[:3]):
            moved = offset[b, i, j].reshape(groups, taps, 2)
            for t, (down, right) in enumerate(product(*map(range, kernel))):
                read = []
                for g, part in enumerate(parts):
                    row = i * stride - before[0] + down * dilation + moved[g, t, 0]
                    column = j * stride - before[1] + right * dilation + moved[g, t, 1]
                    by = 1.0 if share is None else share[b, i, j].reshape(groups, taps)[g, t]
                    read.append(blended(part[b], row, column) * by * np.ones(part.shape[-1]))
                out[b, i, j] += np.concatenate(read) @ weights["kernel"][down, right]
        return out + weights.get("bias", 0.0)

    return oracle


def places(rng, shape):
    """Numbers for maps, and places that lie beyond the border, too."""
    return rng.uniform(-1.4, 1.4, shape).astype("float32")


ROWS = [
    Row("grid_sample", {}, ((4, 5, 3), (3, 6, 2)), grid_sample(), draw=places),
    Row("grid_sample", {"align_corners": True}, ((4, 3, 2), (2, 2, 2)), grid_sample(True), draw=places),
    Row("grid_sample", {"mode": "nearest"}, ((4, 5, 2), (3, 2, 2)), grid_sample(nearest=True), draw=places),
    Row("deformable_conv", {"filters": 3}, ((4, 5, 2), (4, 5, 18)), deformable((3, 3)), tolerance=1e-4),
    Row(
        "deformable_conv",
        {"filters": 2, "kernel": [2, 3], "stride": 2, "padding": 1, "bias": False},
        ((5, 4, 4), (3, 2, 24), (3, 2, 12)),
        deformable((2, 3), 2),
        tolerance=1e-4,
    ),
    Row(
        "deformable_conv",
        {"filters": 2, "padding": "valid", "dilation": 2},
        ((6, 6, 2), (2, 2, 18), (2, 2, 9)),
        deformable((3, 3), 1, (0, 0), 2),
        tolerance=1e-4,
    ),
]
