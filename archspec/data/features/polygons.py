"""Outlines of objects."""

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
    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Polygons(Feature):
    """Outlines in pixels of the image, float32 of shape (count, points, 2), one polygon a row, in order around it; one
    of fewer points repeats its last. Pixel k runs from k to k + 1. Behind the last polygon stand zeros.

    A polygon moves by its points. Points outside of the image stay there: a polygon cut at a border has more points
    than it had, and filling it cuts it anyway. One of which less than ``visible`` of its area is left is dropped.
    """

    is_placed: ClassVar[bool] = True

    count: Size
    points: int
    visible: float = 0.1
    is_padded: bool = False
    rows: str | None = "object"

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.count, self.points, 2))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.points(value)

    def kept(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        import tensorflow as tf

        moved = self.move(value, motion)
        height, width = (tf.cast(n, tf.float32) for n in motion.size)
        left = area(_within(_within(moved, 0, width), 1, height))
        return (area(value) > 0) & (left > 0) & (left >= self.visible * area(moved))

    def blended(self, other: Polygons, *, is_mean: bool) -> Polygons:
        return replace(self, count=added(self.count, other.count))

    def shown(self, value: tf.Tensor, region: Region) -> tf.Tensor:
        import tensorflow as tf

        boxes = tf.concat([tf.reduce_min(value, 2), tf.reduce_max(value, 2)], -1)
        return (area(value) > 0) & (region.within(boxes) >= self.visible)

    def draw(self, canvas: Canvas, value: Any, classes: Sequence[int] | None = None) -> None:
        for i, points in enumerate(value):
            if (points != points[0]).any():
                canvas.outline(points, 0 if classes is None else classes[i])


def area(polygons: tf.Tensor) -> tf.Tensor:
    """Of each polygon, in pixels: (batch, count), by the shoelace formula."""
    import tensorflow as tf

    # About a point of its own: far from the origin float32 would lose what is small.
    own = polygons - polygons[..., :1, :]
    x, y = own[..., 0], own[..., 1]
    return tf.abs(tf.reduce_sum(x * tf.roll(y, -1, -1) - tf.roll(x, -1, -1) * y, -1)) / 2


def _within(polygons: tf.Tensor, axis: int, extent: tf.Tensor) -> tf.Tensor:
    """The part of each polygon with 0 ≤ coordinate ≤ ``extent`` along an axis, in three times as many points.

    Each edge gets the points in which it crosses the two limits; then coordinates are cut off at these. What lay
    outside becomes edges along a limit, which hold no area.
    """
    import tensorflow as tf

    start, end = polygons, tf.roll(polygons, -1, -2)
    a, b = start[..., axis], end[..., axis]
    step = b - a
    safe = tf.where(step == 0, tf.ones_like(step), step)
    first, second = (
        tf.where(step == 0, 0.0, tf.clip_by_value((limit - a) / safe, 0.0, 1.0)) for limit in (0.0, extent)
    )
    shares = tf.stack([tf.zeros_like(first), tf.minimum(first, second), tf.maximum(first, second)], -1)
    points = start[..., None, :] + shares[..., None] * (end - start)[..., None, :]
    shape = tf.shape(polygons)
    points = tf.reshape(points, (shape[0], shape[1], -1, 2))
    along = tf.clip_by_value(points[..., axis], 0.0, extent)
    return tf.stack([along, points[..., 1]] if axis == 0 else [points[..., 0], along], -1)
