"""Activations by their formulas in float64."""

import math

import numpy as np

from tests.ops.rows import Row

SHAPES = ((7,), (5, 4), (4, 3, 6), (2, 3, 2, 4))
erf = np.vectorize(math.erf)


def of(formula):
    return lambda weights, x: formula(x.astype("float64"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log(1 + np.exp(x))


def elu(alpha=1.0):
    return lambda x: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def leaky(slope):
    return lambda x: np.where(x > 0, x, slope * x)


def softmax(axis):
    # Axes count the batch axis.
    return lambda x: np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def log_softmax(axis):
    return lambda x: x - np.log(np.exp(x).sum(axis, keepdims=True))


def prelu(weights, x):
    return np.where(x > 0, x, weights["alpha"] * x)


def maxout(pieces):
    def oracle(weights, x):
        return np.stack([x[..., i::pieces] for i in range(pieces)]).max(0)

    return oracle


def gated(gate):
    """The first half of the channels by the second (Dauphin et al. 2016, equation 1)."""

    def oracle(weights, x):
        half = x.shape[-1] // 2
        return x[..., :half] * gate(x[..., half:].astype("float64"))

    return oracle


def wide(rng, shape):
    """Values past every knee: 6 of relu6, ±3 of the hard ones."""
    return rng.uniform(-8, 8, shape).astype("float32")


FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": leaky(0.2),
    "elu": elu(),
    "selu": lambda x: 1.0507009873554805 * elu(1.6732632423543772)(x),
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * sigmoid(x),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 * x / 3),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "celu": elu(),
    "threshold": lambda x: np.where(x > 1, x, 0),
    "exp": np.exp,
    "mish": lambda x: x * np.tanh(softplus(x)),
    "softmax": softmax(-1),
    "log_softmax": log_softmax(-1),
}

ROWS = [
    *(Row(op, {}, (shape,), of(formula), draw=wide) for op, formula in FORMULAS.items() for shape in SHAPES),
    *(Row("activation", {"function": op}, ((4, 3, 6),), of(formula), draw=wide) for op, formula in FORMULAS.items()),
    Row("leaky_relu", {"slope": 0.1}, ((4, 4, 3),), of(leaky(0.1))),
    Row("activation", {"function": {"leaky_relu": 0.01}}, ((4, 4, 3),), of(leaky(0.01))),
    Row("elu", {"alpha": 0.5}, ((4, 4, 3),), of(elu(0.5))),
    Row(
        "gelu",
        {"approximate": True},
        ((5, 4),),
        of(lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ),
    Row("celu", {"alpha": 2.0}, ((5, 4),), of(lambda x: np.maximum(x, 0) + np.minimum(0, 2 * (np.exp(x / 2) - 1)))),
    Row("threshold", {"threshold": -0.5, "value": 3.0}, ((5, 4),), of(lambda x: np.where(x > -0.5, x, 3))),
    Row("glu", {}, ((6,),), gated(sigmoid)),
    Row("glu", {}, ((4, 3, 6),), gated(sigmoid)),
    Row("glu", {"gate": "silu"}, ((5, 4),), gated(lambda x: x * sigmoid(x))),
    Row("glu", {"gate": {"gelu": False}}, ((5, 4),), gated(FORMULAS["gelu"])),
    Row("glu", {"gate": "linear"}, ((5, 4),), gated(lambda x: x)),
    Row("softmax", {"axis": 0}, ((5, 4),), of(softmax(1))),
    Row("softmax", {"axis": -2}, ((3, 5, 4),), of(softmax(2))),
    Row("log_softmax", {"axis": 1}, ((3, 5, 4),), of(log_softmax(2))),
    Row("activation", {"function": {"softmax": 0}}, ((3, 5, 4),), of(softmax(1))),
    *(Row("prelu", {}, (shape,), prelu) for shape in SHAPES),
    Row("prelu", {"shared": "all"}, ((4, 3, 6),), prelu),
    Row("prelu", {"shared": "none", "slope": 0.1}, ((4, 3, 6),), prelu),
    Row("activation", {"function": "prelu"}, ((4, 3, 6),), prelu),
    Row("maxout", {"pieces": 2}, ((6,),), maxout(2)),
    Row("maxout", {"pieces": 3}, ((4, 3, 6),), maxout(3)),
    Row("activation", {"function": {"maxout": 2}}, ((5, 4),), maxout(2)),
]
