"""Windows with weights of their own, place by place, and filters by numpy's own convolution."""

from itertools import product

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.conv import _sides


def local(kernel, stride, padding="valid", activation=None):
    """The kernel's rows are the taps, row by row, and the channels of each."""

    def oracle(weights, x):
        sides = _sides(padding, x.shape[1:-1], kernel, stride, (1,) * len(kernel))
        x = np.pad(x.astype("float64"), [(0, 0), *sides, (0, 0)])
        sizes = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], kernel, stride, strict=True)]
        y = np.empty((len(x), *sizes, weights["kernel"].shape[-1]))
        for number, place in enumerate(product(*map(range, sizes))):
            window = [slice(p * s, p * s + k) for p, s, k in zip(place, stride, kernel, strict=True)]
            seen = x[(slice(None), *window)].reshape(len(x), -1)
            y[(slice(None), *place)] = seen @ weights["kernel"][number]
        y += weights.get("bias", 0.0)
        return np.maximum(y, 0) if activation == "relu" else y

    return oracle


def blurred(taps, strides, mode="reflect"):
    def oracle(weights, x):
        taps_ = np.asarray(taps, "float64") / np.sum(taps)
        for axis, stride in enumerate(strides, start=1):
            sides = [(0, 0)] * x.ndim
            sides[axis] = ((len(taps) - 1) // 2, len(taps) // 2)
            wide = np.pad(x.astype("float64"), sides, mode=mode)
            x = np.apply_along_axis(lambda line: np.convolve(line, taps_, "valid"), axis, wide)
            x = x.take(range(0, x.shape[axis], stride), axis)
        return x

    return oracle


ROWS = [
    Row("locally_connected", {"filters": 3}, ((5, 4, 2),), local((3, 3), (1, 1)), tolerance=1e-4),
    Row(
        "locally_connected",
        {"filters": 2, "kernel": 2, "stride": 2, "padding": "same", "activation": "relu"},
        ((5, 3),),
        local((2,), (2,), "same", "relu"),
        tolerance=1e-4,
    ),
    Row(
        "locally_connected",
        {"filters": 2, "kernel": [1, 2, 2], "padding": [0, 1, [0, 1]], "bias": False},
        ((2, 3, 3, 2),),
        local((1, 2, 2), (1, 1, 1), [0, 1, (0, 1)]),
        tolerance=1e-4,
    ),
    Row("blur_pool", {}, ((5, 7, 3),), blurred([1, 2, 1], (2, 2))),
    Row("blur_pool", {"size": 4}, ((5, 7, 2),), blurred([1, 3, 3, 1], (2, 2))),
    Row("blur_pool", {"size": 5, "stride": 1}, ((6, 2),), blurred([1, 4, 6, 4, 1], (1,))),
    Row("blur_pool", {"stride": [1, 2, 3], "mode": "zero"}, ((3, 5, 4, 2),), blurred([1, 2, 1], (1, 2, 3), "constant")),
]
