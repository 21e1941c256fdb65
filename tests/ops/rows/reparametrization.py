"""Layers with a kernel that is computed: the plain layers' oracles, given the kernel by numpy."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.conv import conv, depthwise, transposed


def dense(weights, x):
    return x @ weights["kernel"] + weights.get("bias", 0.0)


def around(op, layer, kernel):
    """``layer`` is an oracle on weights that go by the names of the op itself."""

    def oracle(weights, x):
        inner = {name.partition("/")[2]: value.astype("float64") for name, value in weights.items() if "/" in name}
        return layer({**inner, "kernel": kernel(weights, inner["kernel"])}, x)

    return oracle


def spectral(*writes):
    """One step from u to the singular vector of the other side, and back (Miyato et al. 2018, algorithm 1)."""

    def kernel(weights, w):
        axes = [axis % w.ndim for axis in writes]
        matrix = np.moveaxis(w, axes, range(-len(axes), 0)).reshape(-1, weights["u"].size)
        v = matrix @ weights["u"]
        v /= np.linalg.norm(v)
        u = matrix.T @ v
        return w / (v @ matrix @ (u / np.linalg.norm(u)))

    return kernel


def lengths(*writes):
    def kernel(weights, w):
        read = tuple(axis for axis in range(w.ndim) if axis - w.ndim not in writes)
        length = np.sqrt((w**2).sum(read, keepdims=True))
        return w / length * weights["g"].reshape(length.shape)

    return kernel


def standard(*writes, epsilon=1e-6):
    def kernel(weights, w):
        read = tuple(axis for axis in range(w.ndim) if axis - w.ndim not in writes)
        return (w - w.mean(read, keepdims=True)) / np.sqrt(w.var(read, keepdims=True) + epsilon)

    return kernel


CONV, DEPTHWISE = {"conv": {"filters": 4, "kernel": 3}}, {"depthwise_conv": {"kernel": 3, "multiplier": 2}}
TRANSPOSED = {"conv_transpose": {"filters": 3, "kernel": 4, "stride": 2}}
RULES = {"spectral_norm": spectral, "weight_norm": lengths, "weight_standardization": standard}

ROWS = [
    *(
        row
        for op, rule in RULES.items()
        for row in (
            Row(op, {"layer": {"dense": 4}}, ((6,),), around(op, dense, rule(-1))),
            Row(op, {"layer": CONV}, ((5, 4, 3),), around(op, conv(), rule(-1)), tolerance=1e-4),
            Row(op, {"layer": DEPTHWISE}, ((5, 4, 3),), around(op, depthwise(), rule(-2, -1)), tolerance=1e-4),
            Row(op, {"layer": TRANSPOSED}, ((3, 4, 2),), around(op, transposed(), rule(-2)), tolerance=1e-4),
        )
    ),
    Row(
        "weight_standardization",
        {"layer": {"conv": {"filters": 4, "kernel": 3, "bias": False, "activation": "relu"}}, "epsilon": 0.01},
        ((7, 3),),
        around("", conv(activation="relu"), standard(-1, epsilon=0.01)),
        tolerance=1e-4,
    ),
]
