"""Products of matrices and vectors by numpy."""

from tests.ops.rows import Row


def matmul(swap_a=False, swap_b=False):
    def oracle(weights, a, b):
        return (a.swapaxes(-1, -2) if swap_a else a) @ (b.swapaxes(-1, -2) if swap_b else b)

    return oracle


ROWS = [
    Row("matmul", {}, ((4, 3), (3, 5)), matmul()),
    Row("matmul", {"transpose_b": True}, ((4, 3), (5, 3)), matmul(swap_b=True)),
    Row("matmul", {"transpose_a": True}, ((2, 3, 4), (2, 3, 5)), matmul(swap_a=True)),
    Row("matmul", {}, ((1, 4, 3), (2, 3, 5)), matmul()),
    Row("dot", {}, ((5,), (5,)), lambda weights, a, b: (a * b).sum(-1, keepdims=True)),
]
