"""Pooling, against windows cut out one by one in numpy, by PyTorch's and TensorFlow's rules."""

import json
from itertools import product
from pathlib import Path

import numpy as np

from tests.ops.rows import Row

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_ops.json").read_text())


def _windows(n, size, stride, padding, ceil):
    """(start, end, counted positions) of every window along an axis; start and end are cut to the input."""
    if padding == "same":
        count = -(-n // stride)
        before = max((count - 1) * stride + size - n, 0) // 2
        after = n  # whatever is needed
    else:
        before, after = (0, 0) if padding == "valid" else padding
        room = n + before + after - size
        count = (-(-room // stride) if ceil else room // stride) + 1
        if ceil and (count - 1) * stride >= n + before:
            count -= 1
    for i in range(count):
        start = i * stride - before
        end = min(start + size, n + after)
        inside = max(start, 0), min(end, n)
        yield *inside, (inside[1] - inside[0] if padding == "same" else end - start)


def pool(mode, size=2, stride=None, padding="same", ceil=False):
    def oracle(weights, x):
        rank = x.ndim - 2
        axes = []
        for axis in range(rank):
            at = [v if v is None or isinstance(v, (int, str)) else v[axis] for v in (size, stride, padding)]
            pads = (at[2], at[2]) if isinstance(at[2], int) else at[2]
            axes.append(list(_windows(x.shape[axis + 1], at[0], at[1] or at[0], pads, ceil)))
        y = np.zeros((len(x), *map(len, axes), x.shape[-1]))
        for index in product(*(range(len(windows)) for windows in axes)):
            cuts = [windows[i] for windows, i in zip(axes, index, strict=True)]
            seen = x[(slice(None), *(slice(a, b) for a, b, _ in cuts))].reshape(len(x), -1, x.shape[-1])
            counted = np.prod([c for _, _, c in cuts])
            y[(slice(None), *index)] = seen.max(1) if mode == "max" else seen.sum(1) / counted
        return y

    return oracle


def adaptive(mode, size):
    def oracle(weights, x):
        y = x
        for axis in range(1, x.ndim - 1):
            n, bins = x.shape[axis], size if isinstance(size, int) else size[axis - 1]
            edges = [(int(np.floor(i * n / bins)), int(np.ceil((i + 1) * n / bins))) for i in range(bins)]
            reduce = np.max if mode == "max" else np.mean
            y = np.stack([reduce(np.take(y, range(a, b), axis), axis) for a, b in edges], axis)
        return y

    return oracle


def places(size=2, stride=None, padding="same", ceil=False, indices=True):
    """Maxima, and where in its plane each was, looked for window by window; of equal ones the first."""

    def oracle(weights, x):
        rank, axes = x.ndim - 2, []
        for axis in range(rank):
            at = [v if v is None or isinstance(v, (int, str)) else v[axis] for v in (size, stride, padding)]
            pads = (at[2], at[2]) if isinstance(at[2], int) else at[2]
            axes.append(list(_windows(x.shape[axis + 1], at[0], at[1] or at[0], pads, ceil)))
        out = np.zeros((len(x), *map(len, axes), x.shape[-1]))
        where = np.zeros(out.shape, int)
        for example, *window, channel in np.ndindex(out.shape):
            plane = x[example, ..., channel]
            bounds = [windows[i] for windows, i in zip(axes, window, strict=True)]
            inside = product(*(range(a, b) for a, b, _ in bounds))
            best = max(inside, key=lambda place: plane[place])  # the first of equal ones
            out[(example, *window, channel)] = plane[best]
            where[(example, *window, channel)] = np.ravel_multi_index(best, plane.shape)
        return out, where

    return oracle


def put_back(*size):
    def oracle(weights, x, indices):
        out = np.zeros((len(x), np.prod(size), x.shape[-1]))
        for at in np.ndindex(x.shape):
            out[at[0], indices[at], at[-1]] += x[at]
        return out.reshape(len(x), *size, x.shape[-1])

    return oracle


def _known(name):
    """An array of the vectors of PyTorch, channels last, once for each example of the batch."""
    found = np.moveaxis(np.array(VECTORS["max_unpool"][name]), 1, -1)
    return lambda *given: np.repeat(found, 2, 0).astype("int32" if name == "idx" else "float32")


def _pools(args, *inputs):
    return [
        Row(op, args, inputs, pool(mode, **args), draw=_far_below_zero)
        for op, mode in (("max_pool", "max"), ("avg_pool", "average"))
    ]


def _far_below_zero(rng, shape):
    """So that a padding of zeros that won a maximum would show."""
    return rng.normal(-5.0, 1.0, shape).astype("float32")


def _globals(keep, *inputs):
    def axes(x):
        return tuple(range(1, x.ndim - 1))

    args = {"keep": True} if keep else {}
    return [
        Row("global_avg_pool", args, inputs, lambda weights, x: x.mean(axes(x), keepdims=keep)),
        Row("global_max_pool", args, inputs, lambda weights, x: x.max(axes(x), keepdims=keep)),
    ]


def _pyramid(level, part):
    """One level of the spatial pyramid of 1..49 on 7×7."""
    bins = np.array(VECTORS["spp"]["out"]).reshape(-1)[part].reshape(1, level, level, 1)
    return Row(
        "adaptive_max_pool",
        {"size": level},
        ((7, 7, 1),),
        lambda weights, x: np.repeat(bins, len(x), 0),
        draw=lambda rng, shape: np.broadcast_to(np.arange(1.0, 50).reshape(7, 7, 1), shape).astype("float32"),
    )


ROWS = [
    *_pools({}, (7, 6, 3)),
    *_pools({"size": 3, "stride": 2}, (8, 7, 3)),
    *_pools({"size": 3, "stride": 1}, (5, 6, 3)),
    *_pools({"size": 3, "stride": 1, "padding": 1}, (5, 6, 3)),
    *_pools({"size": 2, "stride": 1, "padding": 1}, (5, 6, 3)),
    *_pools({"size": 3, "stride": 2, "padding": 1}, (8, 7, 3)),
    *_pools({"size": 3, "stride": 2, "padding": "valid"}, (8, 7, 3)),
    *_pools({"size": 3, "stride": 2, "padding": "valid", "ceil": True}, (8, 7, 3)),
    *_pools({"size": 3, "stride": 2, "padding": 1, "ceil": True}, (8, 7, 3)),
    *_pools({"size": 2, "stride": 3, "padding": "valid", "ceil": True}, (6, 7, 3)),
    *_pools({"size": 2, "padding": "valid", "ceil": True}, (1, 5, 3)),
    *_pools({"size": [3, 2], "stride": [2, 1], "padding": [[0, 2], [1, 0]]}, (6, 5, 3)),
    *_pools({"size": [3, 2], "stride": [2, 5], "padding": [[0, 2], [1, 1]], "ceil": True}, (6, 5, 3)),
    *_pools({"size": 9, "stride": 2}, (3, 4, 2)),
    *_pools({"size": 3, "stride": 2}, (9, 3)),
    *_pools({"size": 3, "stride": 2, "padding": 1, "ceil": True}, (8, 3)),
    *_pools({"size": 2}, (4, 5, 3, 2)),
    *_pools({"size": 3, "stride": 2, "padding": [1, 0, 1], "ceil": True}, (4, 6, 5, 2)),
    *_globals(False, (4, 5, 3)),
    *_globals(True, (4, 5, 3)),
    *_globals(False, (6, 3)),
    *_globals(True, (3, 4, 2, 3)),
    *(
        Row(op, {"size": size}, (shape,), adaptive(mode, size))
        for op, mode in (("adaptive_avg_pool", "average"), ("adaptive_max_pool", "max"))
        for size, shape in (
            (1, (5, 4, 3)),
            (3, (7, 8, 3)),
            ([2, 5], (7, 8, 3)),
            (4, (2, 3, 3)),
            (3, (10, 2)),
            ([2, 1, 3], (5, 3, 4, 2)),
        )
    ),
    *(
        Row("max_pool", {**args, "indices": True}, (shape,), places(**args), draw=draw)
        for draw in (None, lambda rng, shape: rng.integers(0, 3, shape).astype("float32"), _far_below_zero)
        for args, shape in (
            ({}, (7, 6, 3)),
            ({"size": 3, "stride": 2, "padding": 1}, (8, 7, 2)),
            ({"size": [3, 2], "stride": [2, 1], "padding": [[0, 2], [1, 0]], "ceil": True}, (6, 5, 3)),
            ({"size": 2, "stride": 3, "padding": "valid"}, (8, 9, 2)),
            ({"size": 3, "padding": "valid"}, (9, 3)),
            ({"size": 2, "padding": "valid", "ceil": True}, (4, 5, 3, 2)),
        )
    ),
    Row(
        "max_pool",
        {"indices": True},
        ((4, 4, 1),),
        lambda *_: (_known("pooled")(), _known("idx")()),
        draw=_known("x"),
    ),
    Row(
        "unpool",
        {},
        ((2, 2, 1), (2, 2, 1)),
        lambda *_: _known("unpooled")(),
        dtypes=("float32", "int32"),
        draw=(_known("pooled"), _known("idx")),
    ),
    *(
        Row("unpool", args, (shape, shape), put_back(*size), dtypes=("float32", "int32"), maximum=int(np.prod(size)))
        for args, shape, size in (
            ({}, (3, 4, 3), (6, 8)),
            ({"output_size": [5, 8]}, (3, 4, 2), (5, 8)),
            ({"size": 3, "stride": 2, "padding": 1}, (3, 4, 2), (5, 7)),
            ({"size": 3, "stride": 2, "padding": "valid"}, (4, 2), (9,)),
            ({"size": 2}, (2, 1, 2, 3), (4, 2, 4)),
        )
    ),
    _pyramid(1, slice(0, 1)),
    _pyramid(2, slice(1, 5)),
    _pyramid(3, slice(5, 14)),
]
