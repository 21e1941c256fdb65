"""Places in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.data.feature import Feature, added
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.canvas import Canvas
    from archspec.data.motion import Motion


@dataclass(frozen=True, slots=True)
class Points(Feature):
    """Points x, y in pixels of the image, float32 of shape (count, 2), or (objects, count, 2) where ``rows`` are
    objects; the middle of pixel k is k + ½.

    A point outside of the image stays what it is, for what it belongs to may still be seen. Where points are those of a
    body, ``mirrored`` has for each the number of the one on its other side: what was a left hand is, in a mirror image,
    a right one.
    """

    is_placed: ClassVar[bool] = True

    count: Size
    objects: Size = None
    mirrored: tuple[int, ...] = ()
    is_padded: bool = False
    rows: str | None = None

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.count, 2) if self.rows is None else (self.objects, self.count, 2))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        import tensorflow as tf

        moved = motion.points(value)
        if self.mirrored:
            is_mirrored = tf.linalg.det(motion.matrix[:, :2, :2]) < 0
            other = tf.gather(moved, tf.constant(self.mirrored), axis=-2)
            moved = tf.where(tf.reshape(is_mirrored, (-1,) + (1,) * (len(value.shape) - 1)), other, moved)
        return tf.ensure_shape(moved, value.shape)

    def blended(self, other: Points, *, is_mean: bool) -> Points:
        if self.rows is None:
            return Feature.blended(self, other, is_mean=is_mean)
        return replace(self, objects=added(self.objects, other.objects))

    def draw(self, canvas: Canvas, value: Any, classes: Sequence[int] | None = None) -> None:
        for i, points in enumerate([value] if self.rows is None else value):
            for point in points if classes is None or classes[i] >= 0 else ():
                canvas.dot(point, 0 if classes is None else classes[i])
