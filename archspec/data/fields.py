"""Types of the arguments of transforms: sizes in pixels, intervals that are drawn from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.arguments import two_numbers
from archspec.ir.validation import refuse


def _pair(value: Any) -> tuple[int, int]:
    pair = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(pair) == 2 and all(isinstance(n, int) and not isinstance(n, bool) and 0 < n <= 2**14 for n in pair):
        return pair[0], pair[1]
    raise refuse("must be a size in pixels, or [height, width]")


_SIDE = {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2**14 + 1}
_SIDES = {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}
Extent = Annotated[tuple[int, int], BeforeValidator(_pair), WithJsonSchema({"anyOf": [_SIDE, _SIDES]})]
"""Height and width in pixels; one number is both."""


def _interval(value: object) -> tuple[float, float]:
    pair = value if isinstance(value, (list, tuple)) else ()
    numbers = [float(n) for n in pair if isinstance(n, (int, float)) and not isinstance(n, bool)]
    if len(numbers) == len(pair) == 2 and 0 < numbers[0] <= numbers[1] < 1e6:
        return numbers[0], numbers[1]
    raise refuse("must be [low, high] with 0 < low ≤ high", two_numbers(value))


Interval = Annotated[
    tuple[float, float],
    BeforeValidator(_interval),
    WithJsonSchema({"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2}),
]
"""Least and largest value of what is drawn."""
