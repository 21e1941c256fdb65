"""One row: an op with arguments on inputs, and what an independent implementation says its output is.

Every module here exports ``ROWS``; ``tests/ops/test_conformance.py`` holds each row to static == Keras (shape, weight
names, weight shapes, trainability) and to its oracle. An op without a row fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Row:
    """``oracle(weights, *inputs)`` gets the weights by WeightSpec name and the inputs with a batch axis, and returns
    the expected output (or a tuple). It must not use archspec: a plain Keras layer, numpy, or the reference vectors."""

    op: str
    args: dict[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    oracle: Callable[..., Any]
    dtype: str = "float32"
    dtypes: tuple[str, ...] = ()
    """Where the inputs' differ: one for each."""
    maximum: int = 8
    """Integer inputs are drawn from [0, maximum)."""
    draw: Draw | tuple[Draw, ...] | None = field(default=None, compare=False)
    """Draws an input of the given shape, its batch axis included, where standard normal values do not suit; or one for
    each input."""
    tolerance: float = 1e-5

    def __str__(self) -> str:
        return f"{self.op}-{self.args}-{self.inputs}".replace(" ", "")
