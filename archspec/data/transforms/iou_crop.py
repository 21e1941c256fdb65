"""A part of an image that is chosen by the objects in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.arguments import Items
from archspec.data.example import IMAGE, Example
from archspec.data.feature import Feature
from archspec.data.features.boxes import Boxes
from archspec.data.fields import Extent, Interval
from archspec.data.motion import Motion, affine
from archspec.data.pixels import placed, warped
from archspec.data.transform import Share, Transform, TransformError, image_of
from archspec.data.transforms.geometric import moved, sides
from archspec.data.transforms.geometry import Resize
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

TRIES = 40
"""Parts that are drawn for an image."""


class IouCrop(Transform, name="iou_crop", main="size"):
    """A random part of the image that overlaps an object by at least so much, scaled to a size (bilinear; Liu et al.
    2016, SSD). How much is drawn from ``least`` for each image. An object stays if its middle is in the part. Of the
    parts drawn the first that fits is taken; after 40, the whole image. In evaluation ``resize``.
    """

    is_random = True

    size: Extent
    """Height and width in pixels; one number is both."""
    least: Annotated[Items[Share], Field(min_length=1, max_length=32)] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    """IoU of the part with one of the objects that stay, at least; 1 is the whole image."""
    side: Interval = (0.3, 1.0)
    """Least and largest height and width of the part, as a share of the image's."""
    ratio: Interval = (0.5, 2.0)
    """Least and largest width over height of the part, in pixels."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "iou_crop")
        if not any(isinstance(feature, Boxes) for feature in features.features.values()):
            raise TransformError("iou_crop needs boxes, the data have none", help="random_resized_crop")
        if self.side[1] > 1:
            raise TransformError(f"iou_crop: side {self.side[1]:g} is more than the image")
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))

    def evaluation(self) -> Transform:
        return Resize(size=self.size)

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        import tensorflow as tf

        size = sides(batch[IMAGE])
        high, wide = (tf.cast(n, tf.float32) for n in size)
        boxes = tf.concat([batch[name] for name, kind in features.items() if isinstance(kind, Boxes)], 1)
        parts = self._drawn(draw, high, wide)
        option = tf.gather(tf.constant(self.least), draw.integers(len(self.least)))
        overlaps = _overlap(parts, boxes)
        whole = tf.stack([0.0, 0.0, wide, high]) + tf.zeros((draw.batch, 1, 1))
        ratio = (parts[..., 2] - parts[..., 0]) / (parts[..., 3] - parts[..., 1])
        fits = (overlaps >= option[:, None]) & (ratio >= self.ratio[0]) & (ratio <= self.ratio[1])
        # The whole image stands last: it is what is left where nothing fits.
        fits = tf.concat([fits & (option < 1)[:, None], tf.ones_like(fits[:, :1])], 1)
        chosen = tf.gather(tf.concat([parts, whole], 1), tf.argmax(fits, 1), axis=1, batch_dims=1)
        left, top, right, bottom = tf.unstack(chosen, axis=1)
        y, x = (bottom - top) / self.size[0], (right - left) / self.size[1]
        matrix = affine(x, tf.zeros_like(x), left + (x - 1) / 2, tf.zeros_like(x), y, top + (y - 1) / 2)
        scale = tf.stack([1 / y, 1 / x], 1)

        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            if nearest:
                return warped(image, matrix, self.size, "nearest", nearest=True)
            return placed(image, scale, -tf.stack([top, left], 1) * scale, self.size)

        return moved(batch, features, Motion(matrix, size, self.size, sampling=sampling, by_middle=True))

    def _drawn(self, draw: Draw, high: tf.Tensor, wide: tf.Tensor) -> tf.Tensor:
        """Corners of parts in whole pixels, (batch, TRIES, 4)."""
        import tensorflow as tf

        share, place = draw.uniform(*self.side, shape=(TRIES, 2)), draw.uniform(shape=(TRIES, 2))
        whole = tf.stack([wide, high])
        size = tf.maximum(tf.round(share * whole), 1.0)
        start = tf.minimum(tf.floor(place * (whole - size + 1)), whole - size)
        return tf.concat([start, start + size], -1)


def _overlap(parts: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """The largest IoU of each part, (batch, parts, 4), with a box whose middle lies in it: (batch, parts), and -1 where
    there is none."""
    import tensorflow as tf

    part, box = parts[:, :, None], boxes[:, None]
    common = tf.minimum(part[..., 2:], box[..., 2:]) - tf.maximum(part[..., :2], box[..., :2])
    common = tf.reduce_prod(tf.maximum(common, 0.0), -1)
    areas = [tf.reduce_prod(tf.maximum(one[..., 2:] - one[..., :2], 0.0), -1) for one in (part, box)]
    middle = (box[..., :2] + box[..., 2:]) / 2
    is_in = tf.reduce_all((middle >= part[..., :2]) & (middle < part[..., 2:]), -1) & (areas[1] > 0)
    iou = tf.where(is_in, common / tf.maximum(areas[0] + areas[1] - common, 1e-6), -1.0)
    return tf.reduce_max(iou, -1)
