"""The class of an example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.feature import Feature, class_name
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Label(Feature):
    """The number of one class, int32; or, where examples were mixed, a share of each, float32 of shape (classes,)."""

    classes: int | None = None
    class_names: tuple[str, ...] = ()
    is_mixed: bool = False

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.classes,)) if self.is_mixed else TensorSpec((), "int32")

    def blended(self, other: Label, *, is_mean: bool) -> Label:
        if self.classes is None:
            raise DataError("is a number that is no class")
        return replace(self, is_mixed=True)

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        return region.mean(first, second)

    def called(self, value: Any) -> str:
        return class_name(self.class_names, int(value.argmax() if self.is_mixed else value))
