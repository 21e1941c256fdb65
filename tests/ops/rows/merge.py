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


def matmul(swap_a=False, swap_b=False):
    def oracle(weights, a, b):
        return (a.swapaxes(-1, -2) if swap_a else a) @ (b.swapaxes(-1, -2) if swap_b else b)

    return oracle


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
    Row("concat", {}, ((4, 3, 2),), concat(-1)),
    Row("concat", {}, ((4,), (2,), (1,)), concat(-1)),
    Row("concat", {}, ((4, 3, 2), (4, 3, 5)), concat(-1)),
    Row("concat", {}, ((1, 1, 2), (1, 1, 1)), concat(-1)),
    Row("concat", {"axis": 0}, ((4, 3), (2, 3), (1, 3)), concat(1)),
    Row("concat", {"axis": -2}, ((2, 4, 3), (2, 2, 3)), concat(2)),
    Row("matmul", {}, ((4, 3), (3, 5)), matmul()),
    Row("matmul", {"transpose_b": True}, ((4, 3), (5, 3)), matmul(swap_b=True)),
    Row("matmul", {"transpose_a": True}, ((2, 3, 4), (2, 3, 5)), matmul(swap_a=True)),
    Row("matmul", {}, ((1, 4, 3), (2, 3, 5)), matmul()),
    Row("dot", {}, ((5,), (5,)), lambda weights, a, b: (a * b).sum(-1, keepdims=True)),
]
