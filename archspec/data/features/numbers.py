"""Numbers to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.feature import Feature
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

    def blended(self, other: Numbers, *, is_mean: bool) -> Numbers:
        return self

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        return region.mean(first, second)

    def called(self, value: Any) -> str:
        return ", ".join(f"{name} {number:g}" for name, number in zip(self.names, value, strict=True))
