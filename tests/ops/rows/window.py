"""Windows of a map by numpy: position by position, without shifting or masking anything."""

from math import prod

import numpy as np

from tests.ops.rows import Row


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lies(at, filled, window, shift, grid):
    """Along an axis: which window a place lies in, and where within."""
    if grid:
        windows = filled // window
        return at % windows, at // windows
    start = shift if filled > window else 0
    return (at - start) // window, at


def attention(heads, window, shift=(0, 0), grid=False):
    """Every position reads those of its window, as Liu et al. (2021) define it in section 3.2."""

    def oracle(weights, x):
        n, height, width, channels = x.shape
        filled = [-(-size // w) * w for size, w in zip((height, width), window, strict=True)]
        full = np.zeros((n, *filled, channels))
        full[:, :height, :width] = x
        qkv = full @ weights["qkv/kernel"] + weights.get("qkv/bias", 0.0)
        q, k, v = qkv.reshape(n, *filled, 3, heads, channels // heads).transpose(3, 0, 1, 2, 4, 5)
        q = q / np.sqrt(channels // heads)
        groups = {}
        for i in range(filled[0]):
            for j in range(filled[1]):
                (a, b), (c, d) = (
                    lies(at, f, w, s, grid) for at, f, w, s in zip((i, j), filled, window, shift, strict=True)
                )
                groups.setdefault((a, c), []).append((i, j, b, d))
        out = np.zeros_like(full)
        for members in groups.values():
            rows, columns, down, across = np.array(members).T
            apart = (down[:, None] - down + window[0] - 1) * (2 * window[1] - 1) + across[:, None] - across
            bias = weights["table"][apart + window[1] - 1].transpose(2, 0, 1)
            asked, keys, values = (t[:, rows, columns] for t in (q, k, v))
            shares = softmax(np.einsum("nqhd,nkhd->nhqk", asked, keys) + bias)
            out[:, rows, columns] = np.einsum("nhqk,nkhd->nqhd", shares, values).reshape(n, len(members), channels)
        return (out @ weights["proj/kernel"] + weights.get("proj/bias", 0.0))[:, :height, :width]

    return oracle


def cut(height, width):
    """Windows of neighbours, row by row."""

    def oracle(weights, x):
        _, h, w, _ = x.shape
        windows = [
            x[:, i : i + height, j : j + width].reshape(len(x), height * width, -1)
            for i in range(0, h, height)
            for j in range(0, w, width)
        ]
        return np.stack(windows, 1)

    return oracle


def spread(height, width):
    """Windows of positions as far apart as there are windows."""

    def oracle(weights, x):
        down, across = x.shape[1] // height, x.shape[2] // width
        windows = [
            x[:, i::down, j::across].reshape(len(x), height * width, -1) for i in range(down) for j in range(across)
        ]
        return np.stack(windows, 1)

    return oracle


def put(size, shape, grid=False):
    """The map whose windows are the input's: found by cutting the numbers of its positions."""

    def oracle(weights, x):
        numbers = np.arange(prod(shape), dtype="float32").reshape(1, *shape, 1)
        where = (spread if grid else cut)(*size)(weights, numbers).reshape(-1).astype(int)
        out = np.empty((len(x), prod(shape), x.shape[-1]), x.dtype)
        out[:, where] = x.reshape(len(x), -1, x.shape[-1])
        return out.reshape(len(x), *shape, -1)

    return oracle


def biased(*window):
    def oracle(weights, x):
        places = np.argwhere(np.ones(window))
        out = x.astype("float64")
        for q, one in enumerate(places):
            for k, other in enumerate(places):
                number = 0
                for a, b, n in zip(one, other, window, strict=True):
                    number = number * (2 * n - 1) + a - b + n - 1
                out[..., q, k] += weights["table"][number]
        return out

    return oracle


ROWS = [
    Row("window_partition", {"size": 2}, ((4, 6, 3),), cut(2, 2)),
    Row("window_partition", {"size": [2, 3], "grid": True}, ((4, 6, 2),), spread(2, 3)),
    Row("window_partition", {"size": [1, 3]}, ((2, 6, 2),), cut(1, 3), dtype="int32"),
    Row("window_reverse", {"size": 2, "shape": [4, 6]}, ((6, 4, 3),), put((2, 2), (4, 6))),
    Row("window_reverse", {"size": [2, 3], "shape": [4, 6], "grid": True}, ((4, 6, 2),), put((2, 3), (4, 6), True)),
    Row("relative_position_bias", {"window": [2, 3]}, ((2, 6, 6),), biased(2, 3)),
    Row("relative_position_bias", {"window": 4}, ((5, 3, 4, 4),), biased(4)),
    Row("window_attention", {"heads": 2, "window": 4}, ((8, 8, 6),), attention(2, (4, 4)), tolerance=1e-4),
    Row(
        "window_attention",
        {"heads": 3, "window": [2, 4], "shift": [1, 2]},
        ((6, 8, 6),),
        attention(3, (2, 4), (1, 2)),
        tolerance=1e-4,
    ),
    Row(
        "window_attention",
        {"heads": 1, "window": 3, "shift": 1, "bias": False},
        ((7, 3, 4),),
        attention(1, (3, 3), (1, 1)),
        tolerance=1e-4,
    ),
    Row(
        "window_attention",
        {"heads": 2, "window": 4, "shift": 2},
        ((3, 5, 4),),
        attention(2, (4, 4), (2, 2)),
        tolerance=1e-4,
    ),
    Row(
        "window_attention",
        {"heads": 2, "window": [2, 3], "grid": True, "dropout": 0.5},
        ((4, 6, 4),),
        attention(2, (2, 3), grid=True),
        tolerance=1e-4,
    ),
]
