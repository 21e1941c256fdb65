"""Which of the masks of a picture is that of an object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archspec.data.feature import Feature
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class MaskPlaces(Feature):
    """For each object the place of its mask among the ``masks`` places of ``ObjectMasks``: int32 of shape (count,), -1
    behind the last."""

    count: int
    masks: int
    is_padded: bool = False
    rows: str | None = "object"

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.count,), "int32")

    @property
    def fill(self) -> float:
        return -1

    def blended(self, other: MaskPlaces, *, is_mean: bool) -> MaskPlaces:
        return replace(self, count=self.count + other.count, masks=self.masks + other.masks)

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        import tensorflow as tf

        before = first.shape[1] // self.count * self.masks
        return tf.concat([first, tf.where(second >= 0, second + before, second)], 1)
