"""Numbers to predict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.feature import Feature, Remark
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Numbers(Feature):
    """One or several numbers, each with a name: float32 of shape (numbers,)."""

    names: tuple[str, ...]

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((len(self.names),))

    def check(self, values: Any, *, is_training: bool) -> Iterator[Remark]:
        yield from Feature.check(self, values, is_training=is_training)
        for name, column in zip(self.names, values.T, strict=True):
            if is_training and column.min() == column.max():
                yield Remark("note", "the same for all", name, f"is {column[0]:g} for every example of train")

    def blended(self, other: Numbers, *, is_mean: bool) -> Numbers:
        return self

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        return region.mean(first, second)

    def called(self, value: Any) -> str:
        return ", ".join(f"{name} {number:g}" for name, number in zip(self.names, value, strict=True))
