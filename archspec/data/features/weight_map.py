"""A weight for every pixel of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from archspec.data.feature import Feature
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.motion import Motion


@dataclass(frozen=True, slots=True)
class WeightMap(Feature):
    """What is added to the weights of pixels in a loss: float32 of shape (height, width, 1), as large as the image, and
    0 outside of it."""

    is_placed: ClassVar[bool] = True

    spec: TensorSpec

    def resized(self, size: Sequence[Size]) -> WeightMap:
        return replace(self, spec=TensorSpec((*size, 1), self.spec.dtype))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.pixels(value, nearest=False)

    def called(self, value: object) -> str:
        return "weights of pixels"
