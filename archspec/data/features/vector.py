"""Numbers that have no place in an image."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.data.feature import Feature
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Vector(Feature):
    """Numbers of any shape, usually (size,): a row of a table, a point, an embedding."""

    spec: TensorSpec
    columns: tuple[str, ...] = ()
    """Headings of the columns of a table that the numbers are of; empty where they have none."""
