"""Normalisation, by its formulas in numpy and by reference vectors."""

import json
from pathlib import Path

import numpy as np

from tests.ops.rows import Row

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_ops.json").read_text())


def _affine(weights, y):
    return y * weights.get("gamma", 1.0) + weights.get("beta", 0.0)


def batch_norm(epsilon=1e-3):
    def oracle(weights, x):
        y = (x - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + epsilon)
        return _affine(weights, y)

    return oracle


def standardised(axes, epsilon=1e-3):
    def oracle(weights, x):
        over = axes(x)
        y = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + epsilon)
        return _affine(weights, y)

    return oracle


def group_norm(groups, epsilon=1e-3):
    def oracle(weights, x):
        parts = [
            standardised(lambda part: tuple(range(1, part.ndim)), epsilon)({}, part) for part in np.split(x, groups, -1)
        ]
        return _affine(weights, np.concatenate(parts, -1))

    return oracle


def rms_norm(epsilon=1e-6):
    def oracle(weights, x):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weights["scale"]

    return oracle


def lrn(size=5, alpha=1e-4, beta=0.75, k=2.0):
    def oracle(weights, x):
        y = np.empty_like(x, dtype="float64")
        for i in range(x.shape[-1]):
            near = x[..., max(0, i - size // 2) : i + size // 2 + 1].astype("float64")
            y[..., i] = x[..., i] / (k + alpha * (near**2).sum(-1)) ** beta
        return y

    return oracle


def _spatial(x):
    return tuple(range(1, x.ndim - 1))


def _channel_last(array):
    return np.moveaxis(np.array(array, "float32"), 1, -1)


def _given(value):
    return lambda rng, shape: np.broadcast_to(np.asarray(value, "float32"), shape)


def _lrn_vector(args, key):
    return Row(
        "lrn",
        args,
        ((1, 1, 10),),
        lambda weights, x: np.broadcast_to(VECTORS["lrn"][key], x.shape),
        draw=_given(VECTORS["lrn"]["x"]),
        tolerance=1e-6,
    )


ROWS = [
    Row("batch_norm", {}, ((4, 5, 3),), batch_norm()),
    Row("batch_norm", {"scale": False, "epsilon": 1.001e-5}, ((4, 5, 3),), batch_norm(1.001e-5)),
    Row("batch_norm", {"center": False, "momentum": 0.9}, ((6, 3),), batch_norm()),
    Row("batch_norm", {"scale": False, "center": False}, ((7,),), batch_norm()),
    Row("layer_norm", {}, ((4, 6),), standardised(lambda x: -1)),
    Row("layer_norm", {"epsilon": 1e-6, "scale": False}, ((4, 5, 6),), standardised(lambda x: -1, 1e-6)),
    Row("layer_norm", {"center": False}, ((6,),), standardised(lambda x: -1)),
    Row("group_norm", {"groups": 2}, ((4, 5, 6),), group_norm(2)),
    Row("group_norm", {"groups": 3, "epsilon": 1e-5, "scale": False}, ((7, 6),), group_norm(3, 1e-5)),
    Row("group_norm", {"groups": 1, "center": False}, ((2, 3, 4, 6),), group_norm(1)),
    Row("group_norm", {}, ((3, 3, 64),), group_norm(32)),
    Row("group_norm", {"groups": 2}, ((6,),), group_norm(2)),
    Row("instance_norm", {}, ((4, 5, 3),), standardised(_spatial, 1e-5)),
    Row("instance_norm", {"scale": True, "center": True, "epsilon": 1e-3}, ((8, 3),), standardised(_spatial)),
    Row(
        "instance_norm",
        {},
        ((2, 4, 2),),
        lambda weights, x: np.repeat(_channel_last(VECTORS["instance_norm"]["out"]), len(x), 0),
        draw=_given(_channel_last(VECTORS["instance_norm"]["x"])),
        tolerance=1e-6,
    ),
    Row("rms_norm", {}, ((4, 6),), rms_norm()),
    Row("rms_norm", {"epsilon": 1e-3}, ((3, 4, 6),), rms_norm(1e-3)),
    Row("lrn", {}, ((4, 5, 8),), lrn()),
    Row("lrn", {"size": 3, "alpha": 1.0, "beta": 0.5, "k": 1}, ((4, 6),), lrn(3, 1.0, 0.5, 1.0)),
    Row("lrn", {"alpha": 1.0, "k": 1, "divide": True}, ((3, 3, 6),), lrn(5, 0.2, 0.75, 1.0)),
    _lrn_vector({}, "alexnet"),
    _lrn_vector({"divide": True}, "caffe_torch"),
]
