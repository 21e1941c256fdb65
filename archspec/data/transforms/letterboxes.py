"""The whole image at its own aspect ratio, in a frame of a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.example import Example
from archspec.data.fields import Extent, Interval
from archspec.data.motion import Motion, Sides, affine
from archspec.data.pixels import framed, keep_type, placed, warped
from archspec.data.transform import Transform, image_of
from archspec.data.transforms.geometric import Geometric
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw

Value = Annotated[float, Field(ge=-1e6, le=1e6)]


class Framed(Geometric):
    """An image scaled as it is, in a frame."""

    size: Extent
    """Height and width of the frame in pixels; one number is both."""
    value: Value = 114.0
    """What fills the frame beside the image, in the image's own numbers: 114 is the grey of YOLO."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, self.name)
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))


class Letterbox(Framed, name="letterbox", main="size"):
    """Scale the image until it just fits a frame, at its own aspect ratio (bilinear), and fill what is left on either
    side. Boxes that are found in it come back to the file's pixels to the last bit of their floats."""

    enlarge: bool = True
    """False leaves images that are smaller than the frame as they are."""
    antialias: bool = True
    """Average over the pixels that fall together when an image shrinks."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        inner = self._inner(size)
        one = tf.ones((draw.batch,))
        (y, down), (x, right) = (
            _axis(tf.cast(have, tf.float32), within, (want - within) // 2)
            for have, within, want in zip(size, inner, self.size, strict=True)
        )

        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            method = "nearest" if nearest else "bilinear"
            out = tf.image.resize(image, tf.stack(inner), method, antialias=self.antialias and not nearest)
            top, left = ((want - within) // 2 for want, within in zip(self.size, inner, strict=True))
            around = [[0, 0], [top, self.size[0] - inner[0] - top], [left, self.size[1] - inner[1] - left], [0, 0]]
            value = tf.cast(fill if nearest else self.value, image.dtype)
            out = tf.pad(keep_type(out, image.dtype), around, constant_values=value)
            return tf.ensure_shape(out, (image.shape[0], *self.size, image.shape[-1]))

        matrix = affine(x * one, 0 * one, right * one, 0 * one, y * one, down * one)
        return Motion(matrix, size, self.size, sampling=sampling)

    def _inner(self, size: Sides) -> tuple[tf.Tensor, tf.Tensor]:
        """Height and width of the image in the frame."""
        import tensorflow as tf

        high, wide = (tf.cast(n, tf.float32) for n in size)
        scale = tf.minimum(self.size[0] / high, self.size[1] / wide)
        scale = scale if self.enlarge else tf.minimum(scale, 1.0)
        height, width = (tf.maximum(tf.cast(tf.round(n * scale), tf.int32), 1) for n in (high, wide))
        return tf.minimum(height, self.size[0]), tf.minimum(width, self.size[1])

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        shape = tf.shape(values)
        out = framed(values, self.size, self._inner((shape[1], shape[2])), self.value, antialias=self.antialias)
        return tf.cast(tf.maximum(tf.minimum(tf.round(out), 255.0), 0.0), tf.uint8) if values.dtype.is_integer else out


class LargeScaleJitter(Framed, name="large_scale_jitter", main="size"):
    """The image scaled to a random share of what just fits a frame, at its own aspect ratio (bilinear): a part of it,
    anywhere, where it is larger than the frame; else all of it, anywhere in the frame (Ghiasi et al. 2021). In
    evaluation ``letterbox``."""

    is_random = True

    scale: Interval = (0.1, 2.0)
    """Least and largest share; with [0.25, 1] objects only get smaller, as SSD's are."""

    def evaluation(self) -> Transform:
        return Letterbox(size=self.size, value=self.value)

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        have = tf.stack([tf.cast(n, tf.float32) for n in size])
        frame = tf.constant(self.size, tf.float32)
        whole = tf.reduce_min(frame / have) * draw.uniform(*self.scale)
        inner = tf.maximum(tf.round(whole[:, None] * have), 1.0)
        # What is left of the frame is negative where the image is larger: then its corner lies outside.
        start = tf.round(draw.uniform(shape=(2,)) * (frame - inner))
        (y, x), (down, right) = (tf.unstack(n, axis=1) for n in _axis(have, inner, start))
        matrix = affine(x, tf.zeros_like(x), right, tf.zeros_like(x), y, down)

        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            if nearest:
                return warped(image, matrix, self.size, "constant", nearest=True, value=fill)
            return placed(image, inner / have, start, self.size, value=self.value)

        return Motion(matrix, size, self.size, sampling=sampling)


def _axis(have: tf.Tensor, within: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Factor and summand that lead from the middles of a frame's pixels to those of an image of ``have`` pixels that
    takes ``within`` of them from ``first`` on."""
    import tensorflow as tf

    step = have / tf.cast(within, tf.float32)
    return step, (0.5 - tf.cast(first, tf.float32)) * step - 0.5
