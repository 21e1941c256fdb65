"""The class of an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.feature import Feature, Remark, class_name, empty_classes
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

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        yield from Feature.check(self, values, is_training=is_training)
        if is_training:
            yield from empty_classes(self.tally(values), "error")

    def tally(self, values: Any) -> Mapping[str, int]:
        import numpy as np

        counts = np.bincount(values, minlength=self.classes) if self.classes and not self.is_mixed else ()
        return {class_name(self.class_names, i): int(count) for i, count in enumerate(counts)}

    def blended(self, other: Label, *, is_mean: bool) -> Label:
        if self.classes is None:
            raise DataError("is a number that is no class")
        return replace(self, is_mixed=True)

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        return region.mean(first, second)

    def called(self, value: Any) -> str:
        return class_name(self.class_names, int(value.argmax() if self.is_mixed else value))
