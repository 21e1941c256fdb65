"""Parts of the image hidden."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Literal

from archspec.data.example import IMAGE, Example
from archspec.data.fields import Interval
from archspec.data.pixels import keep_type
from archspec.data.transform import Share, Transform, TransformError, compiled, image_of, with_probability
from archspec.data.transforms.mixing import rectangle
from archspec.ops.arguments import Number, PositiveInt

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


class Cutout(Transform, name="cutout", main="size"):
    """A square about a random pixel, cut off at the border, given one value (DeVries and Taylor 2017)."""

    is_random = True

    size: PositiveInt
    """Side of the square, in pixels."""
    value: Number = 0.0
    """What it is filled with, in the units of the image."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        image_of(features, "cutout")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(image)[1:3]))
        y, x = tf.floor(draw.uniform() * height), tf.floor(draw.uniform() * width)
        side = tf.fill(tf.shape(y), float(self.size))
        # A square of even side has its middle before the pixel, as of 4: two before it, itself and one behind.
        inside, _ = rectangle(image, y + self.size % 2 / 2, x + self.size % 2 / 2, side, side)
        inside = with_probability(draw, self.probability, inside, tf.zeros_like(inside))
        return {**batch, IMAGE: compiled(_filled, inside, image, value=self.value)}


class RandomErasing(Transform, name="random_erasing", main="probability"):
    """A rectangle of random area and aspect ratio, wholly inside, given one value or noise (Zhong et al. 2017)."""

    is_random = True

    probability: Share = 0.5
    """Share of the images that are changed."""
    area: Interval = (0.02, 1 / 3)
    """Least and largest share of the image's area."""
    ratio: Interval = (0.3, 1 / 0.3)
    """Least and largest height over width; the logarithm is drawn evenly."""
    fill: Literal["noise", "value"] = "noise"
    """``noise`` draws each pixel evenly from black to white."""
    value: Number = 0.0
    """What it is filled with otherwise, in the units of the image."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "random_erasing")
        if features.has_open_sizes:
            raise TransformError(f"random_erasing needs images of one size, the data are {image}", help="resize first")
        if self.area[1] > 1:
            raise TransformError(f"random_erasing: area {self.area[1]:g} is more than the image")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        height, width = image.shape[1:3]
        area = draw.uniform(*self.area) * height * width
        ratio = tf.exp(draw.uniform(log(self.ratio[0]), log(self.ratio[1])))
        high = tf.minimum(tf.round(tf.sqrt(area * ratio)), height)
        wide = tf.minimum(tf.round(tf.sqrt(area / ratio)), width)
        y = tf.floor(draw.uniform() * (height - high + 1)) + high / 2
        x = tf.floor(draw.uniform() * (width - wide + 1)) + wide / 2
        inside, _ = rectangle(image, y, x, high, wide)
        inside = with_probability(draw, self.probability, inside, tf.zeros_like(inside))
        if self.fill == "value":
            return {**batch, IMAGE: compiled(_filled, inside, image, value=self.value)}
        white = 255.0 if image.dtype == tf.uint8 else 1.0
        noise = keep_type(draw.pixels(image.shape[1:]) * white, image.dtype)
        return {**batch, IMAGE: tf.where(inside, noise, image)}


def _filled(inside: tf.Tensor, image: tf.Tensor, *, value: float) -> tf.Tensor:
    import tensorflow as tf

    return tf.where(inside, tf.cast(value, image.dtype), image)
