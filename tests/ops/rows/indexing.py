"""Elements at other places, by numpy indexing."""

import numpy as np

from tests.ops.rows import Row


def taken(axis, *places):
    return lambda weights, x: np.take(x, places, axis)


def taken_by(axis):
    """Each example by its own places. The axis counts the batch axis."""
    return lambda weights, x, places: np.stack([np.take(a, p, axis - 1) for a, p in zip(x, places, strict=True)])


def rolled(shift, axis):
    return lambda weights, x: np.roll(x, shift, axis)


FLOAT_INT = ("float32", "int32")

ROWS = [
    Row("gather", {"indices": [2, 0, 2]}, ((5,),), taken(1, 2, 0, 2)),
    Row("gather", {"indices": [3, 1], "axis": 0}, ((4, 3),), taken(1, 3, 1)),
    Row("gather", {"indices": 1, "axis": 1}, ((4, 3, 2),), taken(2, 1), dtype="int32"),
    Row("gather", {"axis": 0}, ((6, 3), (4,)), taken_by(1), dtypes=FLOAT_INT, maximum=6),
    Row("gather", {"axis": 0}, ((6, 3), (2, 5)), taken_by(1), dtypes=FLOAT_INT, maximum=6),
    Row("gather", {"axis": 1}, ((4, 6, 3), (2,)), taken_by(2), dtypes=FLOAT_INT, maximum=6),
    Row("gather", {}, ((4, 6), (3,)), taken_by(2), dtype="int32", maximum=6),
    Row("roll", {"shift": 2}, ((5,),), rolled(2, 1)),
    Row("roll", {"shift": -1, "axis": 0}, ((4, 3),), rolled(-1, 1)),
    Row("roll", {"shift": [1, -2], "axis": [0, 1]}, ((4, 5, 2),), rolled((1, -2), (1, 2))),
    Row("roll", {"shift": 1, "axis": [0, 1]}, ((3, 3, 2),), rolled((1, 1), (1, 2)), dtype="int32"),
    Row("tile", {"repeats": 3}, ((4,),), lambda weights, x: np.tile(x, (1, 3))),
    Row("tile", {"repeats": [2, 1, 3]}, ((3, 2, 2),), lambda weights, x: np.tile(x, (1, 2, 1, 3))),
    Row("tile", {"repeats": [1, 2]}, ((3, 2),), lambda weights, x: np.tile(x, (1, 1, 2)), dtype="int32"),
    Row("expand_dims", {}, ((5, 4),), lambda weights, x: x[..., None]),
    Row("expand_dims", {"axis": 0}, ((5, 4),), lambda weights, x: x[:, None]),
    Row("expand_dims", {"axis": 1}, ((5,),), lambda weights, x: x[..., None], dtype="int32"),
    Row("squeeze", {}, ((5, 1),), lambda weights, x: x[..., 0]),
    Row("squeeze", {"axis": 0}, ((1, 4, 3),), lambda weights, x: x[:, 0]),
    Row("squeeze", {"axis": 1}, ((4, 1, 3),), lambda weights, x: x[:, :, 0], dtype="int32"),
]
