"""Pixels from their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.data.example import IMAGE, Example
from archspec.data.fields import Interval
from archspec.data.pixels import keep_type
from archspec.data.transform import Share, Transform, image_of, with_probability

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


class Blur(Transform, name="blur", main="sigma"):
    """A Gaussian of random width, over three widths either way; the border is repeated."""

    is_random = True

    sigma: Interval = (0.1, 2.0)
    """Least and largest standard deviation, in pixels."""
    probability: Share = 0.5
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        image_of(features, "blur")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        image = batch[IMAGE]
        out = blurred(image, draw.uniform(*self.sigma), self.sigma[1])
        return {**batch, IMAGE: with_probability(draw, self.probability, out, image)}


def blurred(image: tf.Tensor, sigma: tf.Tensor, largest: float) -> tf.Tensor:
    """Images under Gaussians of given widths, none above ``largest``."""
    import tensorflow as tf

    reach = max(1, round(3 * largest))
    at = tf.range(-reach, reach + 1, dtype=tf.float32)[None]
    weights = tf.exp(-(at**2) / (2 * sigma[:, None] ** 2))
    weights /= tf.reduce_sum(weights, 1, keepdims=True)
    out = tf.cast(image, tf.float32)
    for axis in (1, 2):
        extent = tf.shape(image)[axis]
        total = tf.zeros_like(out)
        for k in range(2 * reach + 1):
            # An index kept inside repeats the border, whatever the image's size.
            rows = tf.clip_by_value(tf.range(extent) + (k - reach), 0, extent - 1)
            total += weights[:, k, None, None, None] * tf.gather(out, rows, axis=axis)
        out = total
    return keep_type(tf.ensure_shape(out, image.shape), image.dtype)
