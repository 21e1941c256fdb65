"""Ops of training steps, by numpy."""

import numpy as np

from tests.ops.rows import Row


def same(weights, x):
    return x


def between(weights, a, b, at):
    shaped = at.reshape(len(at), *(1,) * (a.ndim - 1))
    return shaped * a + (1 - shaped) * b


def fraction(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(size=shape).astype("float32")


ROWS = [
    *(Row(op, {}, (shape,), same) for op in ("detach", "hold", "image_pool") for shape in ((3,), (4, 4, 2))),
    Row("interpolate", {}, ((5,), (5,), (1,)), between, draw=fraction),
    Row("interpolate", {}, ((4, 3, 2), (4, 3, 2), (1,)), between, draw=fraction),
]
