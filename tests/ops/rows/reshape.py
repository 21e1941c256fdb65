"""Shapes, margins and shuffles by numpy indexing, and by PyTorch's vectors."""

import json
from pathlib import Path

import numpy as np

from tests.ops.rows import Row

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_ops.json").read_text())


def reshaped(*shape):
    return lambda weights, x: x.reshape(len(x), *shape)


def permuted(*axes):
    return lambda weights, x: x.transpose(0, *axes)


def indexed(*index):
    return lambda weights, x: x[(slice(None), *index)]


def padded(*pairs, mode="constant"):
    return lambda weights, x: np.pad(x, ((0, 0), *pairs, (0, 0)), mode=mode)


def split(sizes, axis):
    return lambda weights, x: tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


def channel_shuffle(groups):
    def oracle(weights, x):
        n = x.shape[-1] // groups
        return x[..., [i * n + j for j in range(n) for i in range(groups)]]

    return oracle


def pixel_shuffle(f):
    """out[f·y + dy, f·x + dx, c] = in[y, x, c·f·f + dy·f + dx]"""

    def oracle(weights, x):
        n, height, width, channels = x.shape
        out = np.empty((n, height * f, width * f, channels // f**2), x.dtype)
        for c in range(channels):
            out[:, c // f % f :: f, c % f :: f, c // f**2] = x[..., c]
        return out

    return oracle


def pixel_unshuffle(f):
    def oracle(weights, x):
        planes = [x[:, i::f, j::f, c] for c in range(x.shape[-1]) for i in range(f) for j in range(f)]
        return np.stack(planes, -1)

    return oracle


def vector(name):
    """What PyTorch returned, channels last; the inputs are drawn to be PyTorch's."""
    out = np.asarray(VECTORS[name]["out"], "float32")
    return lambda weights, x: np.stack([out.reshape(-1) if out.ndim == 1 else out[0].transpose(1, 2, 0)] * len(x))


def counting(rng, shape):
    """0, 1, 2 … in PyTorch's order (channels first), the same for every sample."""
    sample = np.arange(np.prod(shape[1:]), dtype="float32")
    if len(shape) == 4:
        sample = sample.reshape(shape[3], shape[1], shape[2]).transpose(1, 2, 0)
    return np.stack([sample.reshape(shape[1:])] * shape[0])


REFLECTED = np.asarray(VECTORS["reflect_pad"]["out"], "float32")
FULL = slice(None)

ROWS = [
    Row("flatten", {}, ((5,),), reshaped(5)),
    Row("flatten", {}, ((4, 3, 2),), reshaped(24)),
    Row("flatten", {}, ((2, 3, 2, 2),), reshaped(24)),
    Row("flatten", {}, ((4, 3),), reshaped(12), dtype="int32"),
    Row("reshape", {"shape": [6, 4]}, ((4, 3, 2),), reshaped(6, 4)),
    Row("reshape", {"shape": [-1, 2]}, ((4, 3, 2),), reshaped(12, 2)),
    Row("reshape", {"shape": [2, 2, -1]}, ((12,),), reshaped(2, 2, 3)),
    Row("reshape", {"shape": [-1]}, ((4, 3),), reshaped(12), dtype="int32"),
    Row("permute", {"axes": [2, 0, 1]}, ((4, 3, 2),), permuted(3, 1, 2)),
    Row("permute", {"axes": [1, 0]}, ((4, 3),), permuted(2, 1)),
    Row("slice", {"range": [0, 2]}, ((5,),), indexed(slice(0, 2))),
    Row("slice", {"range": [2, 5]}, ((4, 3, 6),), indexed(FULL, FULL, slice(2, 5))),
    Row("slice", {"range": [-2, None]}, ((4, 3, 6),), indexed(FULL, FULL, slice(-2, None))),
    Row("slice", {"range": [1, -1], "axis": 0}, ((4, 3),), indexed(slice(1, -1))),
    Row("slice", {"range": [0, 1], "axis": 0}, ((4,),), indexed(slice(0, 1)), dtype="int32"),
    Row("split", {"parts": 2}, ((4, 3, 6),), split([3, 3], -1)),
    Row("split", {"parts": [1, 2, 3]}, ((4, 6),), split([1, 2, 3], -1)),
    Row("split", {"parts": 2, "axis": 0}, ((4, 3),), split([2, 2], 1)),
    Row("pad", {"padding": 2}, ((4, 3),), padded((2, 2))),
    Row("pad", {"padding": 1}, ((4, 3, 2),), padded((1, 1), (1, 1))),
    Row("pad", {"padding": [1, [0, 3]]}, ((4, 3, 2),), padded((1, 1), (0, 3))),
    Row("pad", {"padding": [1, [0, 3], 2]}, ((2, 3, 2, 2),), padded((1, 1), (0, 3), (2, 2))),
    Row("pad", {"padding": 2, "mode": "reflect"}, ((4, 3, 2),), padded((2, 2), (2, 2), mode="reflect")),
    Row("pad", {"padding": [[0, 2], 1], "mode": "reflect"}, ((4, 3, 2),), padded((0, 2), (1, 1), mode="reflect")),
    Row("pad", {"padding": 3, "mode": "replicate"}, ((4, 3, 2),), padded((3, 3), (3, 3), mode="edge")),
    Row("pad", {"padding": [[0, 2]], "mode": "replicate"}, ((4, 3),), padded((0, 2), mode="edge")),
    Row(
        "pad",
        {"padding": [[1, 0], 2, 0], "mode": "replicate"},
        ((2, 3, 2, 2),),
        padded((1, 0), (2, 2), (0, 0), mode="edge"),
    ),
    Row(
        "pad",
        {"padding": 2, "mode": "reflect"},
        ((4, 1),),
        lambda weights, x: np.stack([REFLECTED[:, None]] * len(x)),
        draw=counting,
    ),
    Row("crop", {"margins": 1}, ((4, 3),), indexed(slice(1, -1))),
    Row("crop", {"margins": [[1, 2], 1]}, ((5, 4, 2),), indexed(slice(1, 3), slice(1, 3))),
    Row("crop", {"margins": [0, [0, 1], 1]}, ((2, 3, 4, 2),), indexed(FULL, slice(0, 2), slice(1, 3))),
    Row("center_crop", {"size": 2}, ((5, 4, 2),), indexed(slice(1, 3), slice(1, 3))),
    Row("center_crop", {"size": [3]}, ((6, 2),), indexed(slice(1, 4))),
    Row("center_crop", {"size": [2, 3, 2]}, ((2, 3, 4, 2),), indexed(FULL, FULL, slice(1, 3))),
    Row("pad_channels", {"after": 3}, ((2, 2, 2),), lambda weights, x: np.pad(x, [(0, 0)] * 3 + [(0, 3)])),
    Row("pad_channels", {"before": 1, "after": 2}, ((3,),), lambda weights, x: np.pad(x, [(0, 0), (1, 2)])),
    Row("subsample", {"stride": 2}, ((5, 4, 2),), indexed(slice(None, None, 2), slice(None, None, 2))),
    Row("subsample", {"stride": 3}, ((7, 2),), indexed(slice(None, None, 3))),
    Row("subsample", {"stride": [1, 2, 4]}, ((2, 3, 5, 2),), indexed(FULL, slice(None, None, 2), slice(None, None, 4))),
    Row("channel_shuffle", {"groups": 2}, ((8,),), vector("channel_shuffle"), draw=counting),
    Row("channel_shuffle", {"groups": 3}, ((4, 3, 6),), channel_shuffle(3)),
    Row("channel_shuffle", {"groups": 2}, ((2, 2, 2, 6),), channel_shuffle(2)),
    Row("pixel_shuffle", {"factor": 2}, ((2, 2, 4),), vector("pixel_shuffle"), draw=counting),
    Row("pixel_shuffle", {"factor": 2}, ((2, 3, 12),), pixel_shuffle(2)),
    Row("pixel_shuffle", {"factor": 3}, ((2, 3, 18),), pixel_shuffle(3)),
    Row("pixel_unshuffle", {"factor": 2}, ((4, 6, 3),), pixel_unshuffle(2)),
    Row("pixel_unshuffle", {"factor": 3}, ((3, 6, 2),), pixel_unshuffle(3)),
    Row("repeat_vector", {"count": 4}, ((3,),), lambda weights, x: np.stack([x] * 4, 1)),
]
