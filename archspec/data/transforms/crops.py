"""Parts of the image."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.example import Example
from archspec.data.fields import Extent, Interval
from archspec.data.motion import Motion, Sampling, Sides, affine
from archspec.data.pixels import scaled
from archspec.data.transform import Transform, TransformError, image_of
from archspec.data.transforms.geometric import Geometric, Window, Windowed
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw


TRIES = 10
"""Areas and ratios that are drawn for a part of random area."""


class CenterCrop(Geometric, name="center_crop", main="size"):
    """The middle of the image."""

    size: Extent
    """Height and width in pixels; one number is both."""

    def infer(self, features: Example) -> Example:
        return _cropped(features, self.size, 0, "center_crop")

    def motion(self, size: Sides, draw: Draw) -> Motion:
        top, left = (size[0] - self.size[0]) // 2, (size[1] - self.size[1]) // 2

        def sampling(image: tf.Tensor, **_: Any) -> tf.Tensor:
            import tensorflow as tf

            return tf.image.crop_to_bounding_box(image, top, left, *self.size)

        return _shifted(draw, top, left, size, self.size, sampling)

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        shape = tf.shape(values)
        top, left = (shape[1] - self.size[0]) // 2, (shape[2] - self.size[1]) // 2
        return values[:, top : top + self.size[0], left : left + self.size[1]]


class RandomCrop(Geometric, name="random_crop", main="size"):
    """A part of the image, anywhere, after padding it (zeros; He et al. 2015 on CIFAR: size 32, padding 4). In
    evaluation the middle of the image."""

    is_random = True

    size: Extent
    """Height and width in pixels; one number is both."""
    padding: Annotated[int, Field(ge=0, le=2**12)] = 0
    """Pixels put around the image first."""

    def infer(self, features: Example) -> Example:
        return _cropped(features, self.size, self.padding, "random_crop")

    def evaluation(self) -> Transform:
        return CenterCrop(size=self.size)

    def motion(self, size: Sides, draw: Draw) -> Motion:
        p = self.padding
        top, left = (draw.integers(n + 2 * p - wanted + 1) for n, wanted in zip(size, self.size, strict=True))

        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            import tensorflow as tf

            if p:
                around = [[0, 0], [p, p], [p, p], [0, 0]]
                image = tf.pad(image, around, constant_values=tf.cast(fill, image.dtype))
            rows = top[:, None] + tf.range(self.size[0])[None]
            columns = left[:, None] + tf.range(self.size[1])[None]
            out = tf.gather(tf.gather(image, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
            return tf.ensure_shape(out, (None, *self.size, image.shape[-1]))

        return _shifted(draw, top - p, left - p, size, self.size, sampling)


class ResizedCenterCrop(Windowed, name="resized_center_crop", main="size"):
    """The largest middle part of the size's aspect ratio, less a margin, scaled to the size (bilinear): as resizing the
    short side to 256 and taking the middle 224 does."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.875
    """Part of the height or width, whichever is short, that is kept; 224 of 256 is 0.875."""
    short: Annotated[float, Field(gt=0, lt=1e6)] | None = None
    """In place of ``share``: the image is scaled to this length of its short side, in pixels, and its middle taken."""

    def infer(self, features: Example) -> Example:
        if self.short is not None and "share" in self.model_fields_set:
            raise TransformError("resized_center_crop takes share or short, not both")
        if self.short is not None and self.short < max(self.size):
            raise TransformError(
                f"resized_center_crop: {self.size[0]}×{self.size[1]} does not fit into a short side of {self.short:g}",
                help=f"short: {max(self.size)}",
            )
        return super().infer(features)

    def window(self, sizes: tuple[tf.Tensor, tf.Tensor], drawn: tf.Tensor) -> Window:
        import tensorflow as tf

        if self.short is None:
            height, width = _whole(sizes, self.size, tf.fill(tf.shape(sizes[0]), self.share))
        else:
            scale = tf.cast(tf.minimum(*sizes), tf.float32) / self.short
            high, wide = (tf.cast(tf.round(n * scale), tf.int32) for n in self.size)
            height, width = (_within(n, size) for n, size in zip((high, wide), sizes, strict=True))
        return Window((sizes[0] - height) // 2, (sizes[1] - width) // 2, height, width)

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        shape = tf.shape(values)
        window = self.window((shape[1:2], shape[2:3]), tf.zeros((1, 1)))
        top, left, height, width = (n[0] for n in window)
        part = values[:, top : top + height, left : left + width]
        out = scaled(part, self.size, "bilinear", antialias=False)
        # As where files are read: adding a half rounds.
        return tf.cast(tf.floor(out + 0.5), values.dtype) if values.dtype.is_integer else out


class RandomResizedCrop(Windowed, name="random_resized_crop", main="size"):
    """A part of random area and aspect ratio, anywhere, scaled to a size (bilinear; Szegedy et al. 2014). Of the areas
    and ratios drawn, the first that fits is taken; after ten, the middle of the image. In evaluation
    ``resized_center_crop``."""

    is_random = True

    area: Interval = (0.08, 1.0)
    """Least and largest share of the image's area."""
    ratio: Interval = (3 / 4, 4 / 3)
    """Least and largest width over height; the logarithm is drawn evenly."""

    def infer(self, features: Example) -> Example:
        if self.area[1] > 1:
            raise TransformError(f"random_resized_crop: area {self.area[1]:g} is more than the image")
        return super().infer(features)

    def evaluation(self) -> Transform:
        return ResizedCenterCrop(size=self.size)

    def window_draws(self, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        area = draw.uniform(*self.area, shape=(TRIES,))
        ratio = tf.exp(draw.uniform(log(self.ratio[0]), log(self.ratio[1]), shape=(TRIES,)))
        return tf.concat([tf.sqrt(area / ratio), tf.sqrt(area * ratio), draw.uniform(shape=(2,))], 1)

    def window(self, sizes: tuple[tf.Tensor, tf.Tensor], drawn: tf.Tensor) -> Window:
        import tensorflow as tf

        whole = tf.cast(tf.stack(sizes, 1), tf.float32)
        side = tf.sqrt(whole[:, :1] * whole[:, 1:])[..., None]
        parts = tf.round(tf.reshape(drawn[:, : 2 * TRIES], (-1, 2, TRIES)) * side)
        fits = tf.reduce_all((parts <= whole[..., None]) & (parts >= 1), 1)
        # The middle of the image stands last: it is what is left where nothing fits.
        middle = tf.cast(tf.stack(_whole(sizes, self.size, tf.ones_like(whole[:, 0])), 1), tf.float32)
        first = tf.argmax(tf.pad(fits, [[0, 0], [0, 1]], constant_values=True), 1)
        part = tf.gather(tf.concat([parts, middle[..., None]], 2), first, axis=2, batch_dims=1)
        place = tf.where((first < TRIES)[:, None], drawn[:, 2 * TRIES :], 0.5)
        start = tf.minimum(tf.floor(place * (whole - part + 1)), whole - part)
        return Window(*tf.unstack(tf.cast(tf.concat([start, part], 1), tf.int32), axis=1))


class ScaleJitter(Windowed, name="scale_jitter", main="size"):
    """Scale the short side to a random length, then take a part of a given size, anywhere (bilinear; Simonyan and
    Zisserman 2014). In evaluation ``resized_center_crop``, the short side as long as the mean of those lengths."""

    is_random = True

    short: Interval = (256.0, 512.0)
    """Least and largest length of the short side, in pixels."""

    def infer(self, features: Example) -> Example:
        if self.short[0] < max(self.size):
            raise TransformError(
                f"scale_jitter: {self.size[0]}×{self.size[1]} does not fit into a short side of {self.short[0]:g}",
                help=f"short: [{max(self.size)}, {max(self.size) * 2}]",
            )
        return super().infer(features)

    def evaluation(self) -> Transform:
        return ResizedCenterCrop(size=self.size, short=sum(self.short) / 2)

    def window_draws(self, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        return tf.concat([draw.uniform(*self.short)[:, None], draw.uniform(shape=(2,))], 1)

    def window(self, sizes: tuple[tf.Tensor, tf.Tensor], drawn: tf.Tensor) -> Window:
        import tensorflow as tf

        whole = tf.cast(tf.stack(sizes, 1), tf.float32)
        scale = drawn[:, :1] / tf.reduce_min(whole, 1, keepdims=True)
        part = tf.clip_by_value(tf.round(tf.constant(self.size, tf.float32) / scale), 1.0, whole)
        start = tf.minimum(tf.floor(drawn[:, 1:] * (whole - part + 1)), whole - part)
        return Window(*tf.unstack(tf.cast(tf.concat([start, part], 1), tf.int32), axis=1))


def _shifted(
    draw: Draw, top: tf.Tensor, left: tf.Tensor, before: Sides, size: tuple[int, int], sampling: Sampling
) -> Motion:
    """The motion of images of which the part is taken that begins at a pixel."""
    import tensorflow as tf

    one, zero = tf.ones((draw.batch,)), tf.zeros((draw.batch,))
    x, y = (tf.cast(start, tf.float32) + zero for start in (left, top))
    return Motion(affine(one, zero, x, zero, one, y), before, size, sampling=sampling)


def _whole(sizes: tuple[tf.Tensor, tf.Tensor], size: tuple[int, int], share: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width of the largest part of the size's aspect ratio, times ``share``."""
    import tensorflow as tf

    high, wide = (tf.cast(n, tf.float32) for n in sizes)
    scale = tf.minimum(high / size[0], wide / size[1]) * share
    height, width = (tf.cast(tf.round(n * scale), tf.int32) for n in size)
    return _within(height, sizes[0]), _within(width, sizes[1])


def _within(length: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """At least one pixel, at most the image. (LiteRT lacks ``tf.clip_by_value``.)"""
    import tensorflow as tf

    return tf.maximum(tf.minimum(length, size), 1)


def _cropped(features: Example, size: tuple[int, int], padding: int, name: str) -> Example:
    image = image_of(features, name)
    for extent, wanted in zip(image.spatial, size, strict=True):
        if extent is not None and extent + 2 * padding < wanted:
            raise TransformError(
                f"{name}: {size[0]}×{size[1]} does not fit into the image {image}", help="resize first"
            )
        if extent is None:
            raise TransformError(f"{name} needs images of one size, the data are {image}", help="resize first")
    return features.with_image(TensorSpec((*size, image.channels), image.dtype))
