"""Functions of each element by numpy, in float64."""

import numpy as np

from tests.ops.rows import Row

SHAPES = ((7,), (5, 4), (4, 3, 6))


def of(function):
    return lambda weights, x: function(x.astype("float64"))


def positive(rng, shape):
    return rng.uniform(0.1, 4.0, shape).astype("float32")


ROWS = [
    *(Row("exp", {}, (shape,), of(np.exp)) for shape in SHAPES),
    *(Row(op, {}, (shape,), of(getattr(np, op)), draw=positive) for op in ("log", "sqrt") for shape in SHAPES),
    *(Row(op, {}, (shape,), of(getattr(np, op))) for op in ("square", "abs", "sign") for shape in SHAPES),
    Row("power", {"exponent": 3}, ((5, 4),), of(lambda x: x**3)),
    Row("power", {"exponent": -1}, ((4, 3, 6),), of(lambda x: 1 / x), draw=positive),
    Row("power", {"exponent": 0.5}, ((7,),), of(np.sqrt), draw=positive),
    Row("clip", {"min": -0.5, "max": 1}, ((5, 4),), of(lambda x: np.clip(x, -0.5, 1))),
    Row("clip", {"min": 0}, ((4, 3, 6),), of(lambda x: np.maximum(x, 0))),
    Row("clip", {"max": 0.25}, ((7,),), of(lambda x: np.minimum(x, 0.25))),
    Row("cast", {"dtype": "int32"}, ((5, 4),), lambda weights, x: np.trunc(x).astype("int32")),
    Row("cast", {"dtype": "float32"}, ((5, 4),), lambda weights, x: x.astype("float32"), dtype="int32"),
    Row("cast", {"dtype": "float16"}, ((5, 4),), lambda weights, x: x.astype("float16")),
    Row("cast", {"dtype": "bool"}, ((4, 3, 6),), lambda weights, x: x != 0, dtype="int32", maximum=2),
]
