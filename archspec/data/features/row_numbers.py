"""A number of each object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archspec.data.feature import Feature, added
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    pass


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

    def blended(self, other: RowNumbers, *, is_mean: bool) -> RowNumbers:
        return replace(self, count=added(self.count, other.count))
