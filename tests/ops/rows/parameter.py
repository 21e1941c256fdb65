"""Tensors that no input gives, by numpy: as many as there are examples."""

import numpy as np

from tests.ops.rows import Row


def learnt(weights, x):
    return np.stack([weights["value"]] * len(x))


def given(value):
    return lambda weights, x: np.stack([np.asarray(value)] * len(x))


GRID = [[1.0, -2.0, 0.5], [0.0, 3.0, 4.0]]

ROWS = [
    Row("parameter", {"shape": [8, 3]}, ((5, 4),), learnt),
    Row("parameter", {"shape": 6}, ((4, 3, 2),), learnt),
    Row("parameter", {"shape": [2, 2, 3], "trainable": False}, ((7,),), learnt, dtype="int32"),
    Row("constant", {"value": 2.5}, ((5, 4),), given([2.5])),
    Row("constant", {"value": GRID}, ((5,),), given(np.array(GRID, "float32"))),
    Row("constant", {"value": 1, "shape": [2, 3]}, ((4, 3, 2),), given(np.ones((2, 3), "float32"))),
    Row("constant", {"value": [2, 0], "dtype": "int32"}, ((4,),), given(np.array([2, 0], "int32")), dtype="int32"),
]
