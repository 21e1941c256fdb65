"""Numbers that have no place in an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec.data.feature import Feature, Remark, constant
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Vector(Feature):
    """Numbers of any shape, usually (size,): a row of a table, a point, an embedding."""

    spec: TensorSpec
    columns: tuple[str, ...] = ()
    """Headings of the columns of a table that the numbers are of; empty where they have none."""

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        yield from Feature.check(self, values, is_training=is_training)
        yield from constant(values)
