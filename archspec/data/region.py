"""What two examples give to the one that they become, as one value that everything of an example follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Region:
    """What the first of two examples gives; the second gives the rest.

    ``first`` is bool of shape (batch, height, width, 1) where each pixel is of one of the two (CutMix, mosaic, objects
    pasted in), or float32 of shape (batch, 1, 1, 1) where it is a mean of both (mixup): the weight of the first.
    ``share`` is that of the whole, float32 of shape (batch,), for what has no place in the image. ``is_ragged`` where
    the border follows outlines of objects, so that masks tell what of an object is seen, and not boxes.
    """

    first: tf.Tensor
    share: tf.Tensor
    is_ragged: bool = False

    @property
    def is_mean(self) -> bool:
        """True where pixels are means of both examples."""
        return bool(self.first.dtype.is_floating)

    def other(self) -> Region:
        """The same with the second example for the first."""
        return Region(1 - self.first if self.is_mean else ~self.first, 1 - self.share, self.is_ragged)

    def mean(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """The mean of two batches of numbers of the whole examples, by their shares."""
        import tensorflow as tf

        share = tf.reshape(self.share, (-1,) + (1,) * (len(first.shape) - 1))
        return share * first + (1 - share) * second

    def within(self, boxes: tf.Tensor) -> tf.Tensor:
        """The part of each box x1, y1, x2, y2, (batch, count, 4) in pixels of the image, whose pixels are of the first:
        (batch, count), from 0 to 1. A box has all pixels that it touches; where pixels are means, all are seen."""
        import tensorflow as tf

        if self.is_mean:
            return tf.ones(tf.shape(boxes)[:-1])
        ours = tf.cast(self.first[..., 0], tf.float32)
        sums = tf.pad(tf.cumsum(tf.cumsum(ours, 1), 2), [[0, 0], [1, 0], [1, 0]])
        height, width = tf.shape(ours)[1], tf.shape(ours)[2]
        low, high = tf.cast(tf.floor(boxes[..., :2]), tf.int32), tf.cast(tf.math.ceil(boxes[..., 2:]), tf.int32)
        limit = tf.stack([width, height])
        (left, top), (right, bottom) = (tf.unstack(tf.clip_by_value(at, 0, limit), axis=-1) for at in (low, high))

        def until(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
            """Pixels of the first above y and left of x."""
            return tf.gather_nd(sums, tf.stack([y, x], -1), batch_dims=1)

        count = until(bottom, right) - until(top, right) - until(bottom, left) + until(top, left)
        return count / tf.cast(tf.maximum((right - left) * (bottom - top), 1), tf.float32)
