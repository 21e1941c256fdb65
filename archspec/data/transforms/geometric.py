"""What transforms share that move pixels: they say where, and the features of an example follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.blending import packed
from archspec.data.example import IMAGE, Example, feature_of
from archspec.data.feature import Feature
from archspec.data.fields import Extent
from archspec.data.mask_rows import mask_names, seen_after
from archspec.data.transform import Transform, TransformError, image_of
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.motion import Motion, Sides
    from archspec.data.transform import Batch


class Geometric(Transform):
    """A transform that only moves pixels. Order of rules: fields, ``infer``, ``evaluation``, ``motion``."""

    def infer(self, features: Example) -> Example:
        image_of(features, self.name)
        return features

    def motion(self, size: Sides, draw: Draw) -> Motion:
        """Where pixels of images of this height and width go."""
        raise NotImplementedError

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        return moved(batch, features, self.motion(sides(batch[IMAGE]), draw))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        image = batch[IMAGE]
        return self.transform(batch, draw, {IMAGE: feature_of(IMAGE, TensorSpec(image.shape[1:], image.dtype.name))})


class Window(NamedTuple):
    """A part of each image: top, left, height and width in pixels, int32 of shape (batch,)."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


class Windowed(Geometric):
    """A part of the image, scaled to a size (bilinear): the rest of a file need not be decoded. Sizes are known only
    when a file is read, so what is drawn for a whole batch comes from ``window_draws``."""

    size: Extent
    """Height and width in pixels; one number is both."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, self.name)
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))

    def window(self, sizes: tuple[tf.Tensor, tf.Tensor], drawn: tf.Tensor) -> Window:
        """The part of images of the given heights and widths that is kept."""
        raise NotImplementedError

    def window_draws(self, draw: Draw) -> tf.Tensor:
        """Random numbers that ``window`` goes by, float32 of shape (batch, any)."""
        import tensorflow as tf

        # One number, not none: taking batches of empty tensors apart crashes TensorFlow 2.21.
        return tf.zeros((draw.batch, 1))

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = (tf.repeat(n, draw.batch) for n in size)
        window = self.window((height, width), self.window_draws(draw))
        return self.window_motion(window, size)

    def window_motion(self, window: Window, size: Sides) -> Motion:
        """The motion of images of which a window is taken."""
        import tensorflow as tf

        from archspec.data.motion import Motion, affine

        top, left, height, width = (tf.cast(n, tf.float32) for n in window)
        y, x = height / self.size[0], width / self.size[1]
        zero = tf.zeros_like(y)
        # Middles of pixels: output i lies at (i + ½)·scale - ½ of the window.
        matrix = affine(x, zero, left + (x - 1) / 2, zero, y, top + (y - 1) / 2)
        return Motion(matrix, size, self.size, "nearest")


def moved(batch: Batch, features: Mapping[str, Feature], motion: Motion) -> Batch:
    """A batch after a motion of its image and of what lies in it. Rows of which nothing is left to be seen are dropped
    from all features that share them: the others move up, and at the end stands what the kind fills up with."""
    out = dict(batch)
    kept: dict[str, tf.Tensor] = {}
    for name, feature in features.items():
        if name != IMAGE and not feature.is_placed:
            continue
        out[name] = feature.move(batch[name], motion)
        seen = feature.kept(batch[name], motion)
        if seen is not None and feature.rows is not None:
            kept[feature.rows] = seen & kept[feature.rows] if feature.rows in kept else seen
    names = mask_names(features)  # AutoGraph reads no assignment within a condition.
    if names is not None:
        kept[names.rows] &= seen_after(batch, out[names.masks], names, motion)
    return packed(out, features, kept)


def sides(image: tf.Tensor) -> Sides:
    """Height and width of a batch of images: integers where they are known."""
    import tensorflow as tf

    height, width = (image.shape[k] or tf.shape(image)[k] for k in (1, 2))
    return height, width


def floats(size: Sides) -> tuple[Any, Any]:
    """Height and width to reckon with."""
    import tensorflow as tf

    height, width = (float(n) if isinstance(n, int) else tf.cast(n, tf.float32) for n in size)
    return height, width


def which(draw: Draw, probability: float) -> tf.Tensor | None:
    """The examples that are changed, bool of shape (batch,); None for all."""
    return None if probability >= 1 else draw.uniform() < probability


def alone(features: Example, name: str) -> None:
    """Refuse examples in whose image something lies that would not follow. Raises TransformError."""
    if others := [part for part in features.placed if part != IMAGE]:
        raise TransformError(f"{name} changes the image, but cannot move its coordinates ({', '.join(others)})")
