"""Sums, means, extremes and running sums by numpy. Its axes count the batch axis."""

import numpy as np

from tests.ops.rows import Row

KINDS = ("sum", "mean", "max", "min", "var", "std")


def over(kind, axis, keep=False):
    return lambda weights, x: getattr(np, kind)(x.astype("float64"), axis=axis, keepdims=keep)


ROWS = [
    *(Row("reduce", {"reduction": kind}, ((5, 4),), over(kind, -1)) for kind in KINDS),
    *(
        Row("reduce", {"reduction": kind, "axis": [0, 1], "keep": True}, ((4, 3, 6),), over(kind, (1, 2), True))
        for kind in KINDS
    ),
    Row("reduce", {"reduction": "mean", "axis": 0}, ((5, 4),), over("mean", 1)),
    Row("reduce", {"reduction": "sum", "axis": [-1, 0]}, ((4, 3, 6),), over("sum", (1, 3))),
    Row("reduce", {"reduction": "max", "axis": 0, "keep": True}, ((7,),), over("max", 1, True)),
    Row("argmax", {}, ((5, 4),), lambda weights, x: x.argmax(-1)),
    Row("argmax", {"axis": 0}, ((4, 3, 6),), lambda weights, x: x.argmax(1)),
    Row("argmax", {"axis": 1}, ((3, 5),), lambda weights, x: x.argmax(2), dtype="int32"),
    Row("cumsum", {}, ((7,),), lambda weights, x: np.cumsum(x, -1)),
    Row("cumsum", {"axis": 0}, ((5, 4),), lambda weights, x: np.cumsum(x, 1)),
    Row("cumsum", {"axis": 1}, ((4, 3, 6),), lambda weights, x: np.cumsum(x, 2)),
]
