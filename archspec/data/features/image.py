"""Images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archspec.data.feature import Feature, Remark, constant
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.motion import Motion
    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Image(Feature):
    """Pixels of shape (height, width, channels), 8-bit or floats; between two of them lies their mean."""

    spec: TensorSpec
    columns: tuple[str, ...] = ()
    """Heading of the column of a table that names their files; empty where there is none."""

    def resized(self, size: Sequence[Size]) -> Image:
        return replace(self, spec=TensorSpec((*size, self.spec.channels), self.spec.dtype))

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        yield from Feature.check(self, values, is_training=is_training)
        yield from constant(values)

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.pixels(value, nearest=False)

    def blended(self, other: Image, *, is_mean: bool) -> Image:
        return self

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        import tensorflow as tf

        from archspec.data.pixels import keep_type

        if not region.is_mean:
            return tf.where(region.first, first, second)
        one, other = tf.cast(first, tf.float32), tf.cast(second, tf.float32)
        return keep_type(region.first * one + (1 - region.first) * other, first.dtype)
