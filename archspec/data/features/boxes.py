"""Rectangles about objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.data.feature import Feature, Remark, added
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.canvas import Canvas
    from archspec.data.motion import Motion
    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Boxes(Feature):
    """Boxes x1, y1, x2, y2 in pixels of the image, float32 of shape (count, 4): x to the right, y down, pixel k from k
    to k + 1. Behind the last box stand zeros.

    A box moves by its four corners, and becomes the least upright box about them, cut at the border of the image. One
    of which less than ``visible`` of its area is left is dropped; where a motion goes by middles, one whose middle is
    outside.
    """

    is_placed: ClassVar[bool] = True

    count: Size
    visible: float = 0.1
    is_padded: bool = False
    rows: str | None = "object"

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.count, 4))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.inside(hull(value, motion))

    def kept(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        import tensorflow as tf

        whole = hull(value, motion)
        if motion.by_middle:
            height, width = (tf.cast(n, tf.float32) for n in motion.size)
            middle = (whole[..., :2] + whole[..., 2:]) / 2
            is_inside = tf.reduce_all((middle >= 0) & (middle < tf.stack([width, height])), -1)
            return (area(value) > 0) & is_inside
        left, before = area(motion.inside(whole)), area(whole)
        return (area(value) > 0) & (left > 0) & (left >= self.visible * before)

    def check(self, values: Any, *, is_training: bool) -> Iterator[Remark]:
        yield from Feature.check(self, values, is_training=is_training)
        for i, row in zip(*(values[..., 2:] < values[..., :2]).any(-1).nonzero(), strict=True):
            yield Remark(
                "error", "inverted", int(i), f"has a box that ends before it begins: {_numbers(values[i, row])}"
            )

    def blended(self, other: Boxes, *, is_mean: bool) -> Boxes:
        return replace(self, count=added(self.count, other.count))

    def shown(self, value: tf.Tensor, region: Region) -> tf.Tensor:
        return (area(value) > 0) & (region.within(value) >= self.visible)

    def draw(self, canvas: Canvas, value: Any, classes: Sequence[int] | None = None) -> None:
        for i, box in enumerate(value):
            if box[2] > box[0]:
                canvas.box(box, 0 if classes is None else classes[i])

    def called(self, value: Any) -> str:
        return "; ".join(_numbers(box) for box in value if box[2] > box[0])


def _numbers(box: Any) -> str:
    return " ".join(f"{n:g}" for n in box)


def hull(boxes: tf.Tensor, motion: Motion) -> tf.Tensor:
    """The least upright boxes about moved ones, (batch, count, 4), also where they lie outside of the image."""
    import tensorflow as tf

    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    corners = tf.stack([left, top, right, top, right, bottom, left, bottom], -1)
    shape = tf.shape(boxes)
    moved = motion.points(tf.reshape(corners, (shape[0], shape[1], 4, 2)))
    return tf.ensure_shape(tf.concat([tf.reduce_min(moved, 2), tf.reduce_max(moved, 2)], -1), boxes.shape)


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Of each box, in pixels: (batch, count)."""
    import tensorflow as tf

    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]
