"""The sentence model's layers, against its reference vectors and numpy loops; masks by numpy."""

import json
from pathlib import Path

import numpy as np

from tests.ops.rows import Row

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_sequence.json").read_text())


def k_max(k):
    def oracle(weights, x, sentence=None):
        out = np.zeros((len(x), k, x.shape[-1]))
        for n, channel in np.ndindex(len(x), x.shape[-1]):
            column = list(x[n, :, channel])
            # Python's sort keeps the first of equal values first.
            places = sorted(range(len(column)), key=lambda t: -column[t])[:k]
            out[n, :, channel] = [column[t] for t in sorted(places)]
        return out

    return oracle


def fold(maps):
    def oracle(weights, x):
        rows = [x[..., i : i + maps] for i in range(0, x.shape[-1], maps)]
        return np.concatenate([a + b for a, b in zip(rows[::2], rows[1::2], strict=True)], -1)

    return oracle


def always(values):
    """A draw: the same array in every item of the batch."""
    return lambda rng, shape: np.broadcast_to(np.array(values, "float32"), shape).copy()


def padded(rng, shape):
    x = rng.normal(0.0, 1.0, shape).astype("float32")
    x[:, ::2] = 0.0
    return x


def expected(values):
    return lambda weights, x, sentence=None: np.broadcast_to(np.array(values, "float32"), (len(x), *np.shape(values)))


def _wide(filter, rows):
    """The full cross-correlation of each row, of length s + m - 1."""
    return np.stack([np.correlate(row, filter, "full") for row in rows])


_K, _FOLD, _DYNAMIC, _WIDE = (VECTORS[name] for name in ("kmax_pool", "folding", "dynamic_k", "wide_conv1d"))

ROWS = [
    Row(
        "k_max_pool",
        {"k": _K["k"]},
        ((8, 2),),
        expected(np.transpose([_K["out_row0"], _K["out_row1"]])),
        draw=always(np.transpose(_K["x"])),
    ),
    Row("folding", {}, ((2, 4),), expected(np.transpose(_FOLD["out"])), draw=always(np.transpose(_FOLD["x"]))),
    *(
        Row("k_max_pool", {"k": 4, "layer": layer, "layers": 2}, ((s + 6, 3), (s, 5)), k_max(k))
        for layer, ks in ((1, _DYNAMIC["k1"]), (2, _DYNAMIC["k2"]))
        for s, k in zip(_DYNAMIC["s"], ks, strict=True)
    ),
    Row("k_max_pool", {"k": 1}, ((1, 1),), k_max(1)),
    Row("k_max_pool", {"k": 5}, ((5, 2),), k_max(5)),
    Row("k_max_pool", {"k": 2, "layer": 1, "layers": 3}, ((7, 2), (7,)), k_max(5)),
    Row("folding", {"maps": 3}, ((4, 12),), fold(3)),
    Row("folding", {"maps": 5}, ((2, 3, 10),), fold(5)),
    Row(
        "conv",
        {"filters": 1, "kernel": 3, "padding": 2, "bias": False},
        ((3, 1),),
        lambda weights, x: _wide(weights["kernel"][:, 0, 0], x[..., 0])[..., None],
    ),
    Row(
        "conv",
        {"filters": 8, "kernel": 3, "padding": 2, "groups": 4},
        ((3, 4),),
        lambda weights, x: (
            np.concatenate([_wide(weights["kernel"][:, 0, f], x[..., f // 2])[..., None] for f in range(8)], -1)
            + weights["bias"]
        ),
    ),
    Row("mask", {}, ((6, 3),), lambda weights, x: x, draw=padded),
    Row("mask", {"value": 1.0}, ((6, 3),), lambda weights, x: np.where(x == 1, 0, x), draw=always(np.ones((6, 3)))),
]
