"""A number of each object."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.data.feature import Feature
from archspec.ir.tensors import Size, TensorSpec


@dataclass(frozen=True, slots=True)
class RowNumbers(Feature):
    """A number for each row of another feature, float32 of shape (count,), 0 behind the last; it stays what it is when
    the image moves."""

    count: Size
    is_padded: bool = False
    rows: str | None = "object"

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.count,))
