"""Merges by numpy's own broadcasting."""

from functools import reduce

import numpy as np

from tests.ops.rows import Row


def fold(function):
    return lambda weights, *inputs: reduce(function, aligned(inputs))


def aligned(inputs):
    """The batch axis stays first where ranks differ."""
    rank = max(x.ndim for x in inputs)
    return [x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]) for x in inputs]


def mean(weights, *inputs):
    return sum(aligned(inputs)) / len(inputs)


def concat(axis):
    return lambda weights, *inputs: np.concatenate(inputs, axis)


def stack(axis):
    return lambda weights, *inputs: np.stack(inputs, axis)


def above_zero(rng, shape):
    return rng.uniform(0.5, 4.0, shape).astype("float32")


ELEMENTWISE = {
    "add": fold(np.add),
    "multiply": fold(np.multiply),
    "average": mean,
    "maximum": fold(np.maximum),
    "minimum": fold(np.minimum),
}
OPERANDS = (
    ((4, 3, 2),),
    ((5,), (5,)),
    ((4, 3), (4, 3)),
    ((4, 3, 2), (4, 3, 2), (4, 3, 2)),
    ((4, 3, 2), (1, 1, 2)),
    ((1, 1, 2), (4, 3, 2)),
    ((4, 3, 1), (1, 3, 2)),
    ((4, 3, 2), (2,)),
    ((2,), (3, 2), (4, 1, 2)),
    ((2, 2, 2, 3), (2, 2, 2, 3)),
)

ROWS = [
    *(Row(op, {}, shapes, oracle) for op, oracle in ELEMENTWISE.items() for shapes in OPERANDS),
    Row("subtract", {}, ((4, 3, 2), (4, 3, 2)), fold(np.subtract)),
    Row("subtract", {}, ((4, 3, 2), (1, 1, 2)), fold(np.subtract)),
    Row("subtract", {}, ((2,), (4, 3, 2)), fold(np.subtract)),
    *(
        Row("divide", {}, shapes, fold(np.divide), draw=above_zero)
        for shapes in (((4, 3, 2), (4, 3, 2)), ((4, 3, 2), (1, 1, 2)), ((2,), (4, 3, 2)))
    ),
    Row("stack", {}, ((3,), (3,)), stack(1)),
    Row("stack", {"axis": -1}, ((4, 3), (4, 3), (4, 3)), stack(3)),
    Row("stack", {"axis": 1}, ((2, 3, 4), (2, 3, 4)), stack(2)),
    Row("concat", {}, ((4, 3, 2),), concat(-1)),
    Row("concat", {}, ((4,), (2,), (1,)), concat(-1)),
    Row("concat", {}, ((4, 3, 2), (4, 3, 5)), concat(-1)),
    Row("concat", {}, ((1, 1, 2), (1, 1, 1)), concat(-1)),
    Row("concat", {"axis": 0}, ((4, 3), (2, 3), (1, 3)), concat(1)),
    Row("concat", {"axis": -2}, ((2, 4, 3), (2, 2, 3)), concat(2)),
]
