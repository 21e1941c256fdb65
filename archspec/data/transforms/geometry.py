"""Where pixels stand: size, mirroring, displacements."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.arguments import two_numbers
from archspec.data.fields import Extent
from archspec.data.source import IMAGE, FeatureSpec
from archspec.data.transform import (
    Share,
    Transform,
    TransformError,
    chosen,
    compiled,
    holds_classes,
    image_of,
    keep_type,
)
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


Fill = Literal["constant", "nearest", "reflect", "wrap"]
"""What comes in at the border: black, or the image continued."""


def _scales(value: Any) -> tuple[float, float]:
    pair = list(value) if isinstance(value, (list, tuple)) else []
    if len(pair) == 2 and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in pair):
        low, high = float(pair[0]), float(pair[1])
        if 0 < low <= high <= 100:
            return low, high
    raise refuse("must be [low, high] with 0 < low ≤ high", two_numbers(value))


class Resize(Transform, name="resize", main="size"):
    """Scale to a given size, whatever the aspect ratio was."""

    moves_pixels = True

    size: Extent
    """Height and width in pixels; one number is both."""
    method: Literal["bilinear", "nearest", "bicubic", "area", "lanczos3"] = "bilinear"
    """Interpolation."""
    antialias: bool = True
    """Average over the pixels that fall together when an image shrinks."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image = image_of(features, "resize")
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        # Enlarging has nothing to average, and the antialiasing kernel is several times slower.
        shrinks = any(n is None or n > m for n, m in zip(image.shape[1:3], self.size, strict=True))
        method = "nearest" if holds_classes(image.dtype.name) else self.method
        out = tf.image.resize(image, self.size, method, antialias=self.antialias and shrinks)
        return {**batch, IMAGE: keep_type(out, image.dtype)}

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        from archspec.data.numpy_pipeline import resized

        out = resized(image, self.size, self.method, self.antialias)
        return np.rint(out).astype(image.dtype) if image.dtype.kind == "u" else out


class Mirror(Transform, name="mirror", main="axis"):
    """Swap left and right (or top and bottom) of every second image."""

    is_random = True
    moves_pixels = True

    axis: Literal["horizontal", "vertical"] = "horizontal"
    """``horizontal`` swaps left and right."""
    probability: Share = 0.5
    """Share of the images that are mirrored."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "mirror")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        which, axis = draw.uniform() < self.probability, 2 if self.axis == "horizontal" else 1
        return {**batch, IMAGE: compiled(_mirrored, which, batch[IMAGE], axis=axis)}


def _mirrored(which: tf.Tensor, image: tf.Tensor, *, axis: int) -> tf.Tensor:
    import tensorflow as tf

    return tf.where(which[:, None, None, None], tf.reverse(image, [axis]), image)


class Shift(Transform, name="shift", main="share"):
    """Move by up to a share of the size, along both axes (bilinear)."""

    is_random = True
    moves_pixels = True

    share: Annotated[float, Field(gt=0, le=1)]
    """Largest displacement, as a share of height and width."""
    fill: Fill = "constant"
    """What comes in at the border."""

    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "shift")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        height, width = _size(batch[IMAGE])
        down, right = draw.uniform(-self.share, self.share) * height, draw.uniform(-self.share, self.share) * width
        one, zero = tf.ones_like(down), tf.zeros_like(down)
        out = warped(batch[IMAGE], (one, zero, right, zero, one, down), self.fill)
        return {**batch, IMAGE: chosen(draw, self.probability, out, batch[IMAGE])}


class Rotate(Transform, name="rotate", main="degrees"):
    """Turn about the middle by up to an angle, either way (bilinear)."""

    is_random = True
    moves_pixels = True

    degrees: Annotated[float, Field(gt=0, le=180)]
    """Largest angle."""
    fill: Fill = "constant"
    """What comes in at the border."""

    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "rotate")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        height, width = _size(batch[IMAGE])
        angle = draw.uniform(-self.degrees, self.degrees) * (pi / 180)
        cos, sin, x, y = tf.cos(angle), tf.sin(angle), (width - 1) / 2, (height - 1) / 2
        matrix = (cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)
        out = warped(batch[IMAGE], matrix, self.fill)
        return {**batch, IMAGE: chosen(draw, self.probability, out, batch[IMAGE])}


class Shear(Transform, name="shear", main="degrees"):
    """Slant by up to an angle, either way, along both axes, about the middle (bilinear)."""

    is_random = True
    moves_pixels = True

    degrees: Annotated[float, Field(gt=0, lt=90)]
    """Largest angle."""
    axes: Literal["horizontal", "vertical", "both"] = "both"
    """``horizontal`` moves rows sideways."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "shear")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        height, width = _size(image)
        x, y = (width - 1) / 2, (height - 1) / 2
        across, down = (tf.tan(draw.uniform(-self.degrees, self.degrees) * (pi / 180)) for _ in range(2))
        one, zero = tf.ones_like(across), tf.zeros_like(across)
        across = across if self.axes != "vertical" else zero
        down = down if self.axes != "horizontal" else zero
        out = warped(image, (one, across, -across * y, down, one, -down * x), self.fill)
        return {**batch, IMAGE: chosen(draw, self.probability, out, image)}


class Zoom(Transform, name="zoom", main="scale"):
    """Scale about the middle, both axes alike (bilinear)."""

    is_random = True
    moves_pixels = True

    scale: Annotated[tuple[float, float], BeforeValidator(_scales), WithJsonSchema({"type": "array"})]
    """Least and largest factor; above 1 the image grows over the border."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "zoom")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        height, width = _size(image)
        k = 1 / draw.uniform(*self.scale)
        zero = tf.zeros_like(k)
        matrix = (k, zero, (1 - k) * (width - 1) / 2, zero, k, (1 - k) * (height - 1) / 2)
        return {**batch, IMAGE: chosen(draw, self.probability, warped(image, matrix, self.fill), image)}


class Perspective(Transform, name="perspective", main="strength"):
    """Move the four corners inwards by random amounts, each its own (bilinear)."""

    is_random = True
    moves_pixels = True

    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Largest displacement of a corner, as a share of half the height and width."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 0.5
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "perspective")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        height, width = _size(image)
        moves = draw.uniform(0.0, self.strength / 2, shape=(4, 2))
        size = tf.stack([width, height])
        corners = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        inwards = 1 - 2 * corners
        source = corners * (size - 1)
        matrix = projective(source[None] + moves * inwards * (size - 1), tf.repeat(source[None], tf.shape(moves)[0], 0))
        out = warped(image, tf.unstack(matrix, axis=1), self.fill)
        return {**batch, IMAGE: chosen(draw, self.probability, out, image)}


class Elastic(Transform, name="elastic", main="strength"):
    """Move every pixel by smoothed noise (bilinear; Simard et al. 2003)."""

    is_random = True
    moves_pixels = True

    strength: Annotated[float, Field(gt=0, le=1000)] = 8.0
    """α: what the smoothed noise, drawn evenly from -1 … 1, is multiplied by, in pixels."""
    sigma: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Standard deviation of the Gaussian that smooths it, in pixels."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image = image_of(features, "elastic")
        if features.has_open_sizes:
            raise TransformError(f"elastic needs images of one size, the data are {image}", help="resize first")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        from archspec.data.transforms.filters import blurred

        image = batch[IMAGE]
        height, width = image.shape[1:3]
        noise = draw.pixels((height, width, 2)) * 2 - 1
        flow = self.strength * blurred(noise, tf.fill(tf.shape(noise)[:1], self.sigma), self.sigma)
        y = tf.range(height, dtype=tf.float32)[None, :, None] + flow[..., 0]
        x = tf.range(width, dtype=tf.float32)[None, None, :] + flow[..., 1]
        is_image = not holds_classes(image.dtype.name)
        out = sampled(tf.cast(image, tf.float32), y, x) if is_image else sampled(image, tf.round(y), tf.round(x))
        return {**batch, IMAGE: chosen(draw, self.probability, keep_type(out, image.dtype), image)}


def projective(here: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """The eight numbers of ``warped`` that take four points (x, y) of the output to four of the input, by example."""
    import tensorflow as tf

    x, y, u, v = here[..., 0], here[..., 1], there[..., 0], there[..., 1]
    one, zero = tf.ones_like(x), tf.zeros_like(x)
    rows = tf.concat(
        [
            tf.stack([x, y, one, zero, zero, zero, -x * u, -y * u], -1),
            tf.stack([zero, zero, zero, x, y, one, -x * v, -y * v], -1),
        ],
        1,
    )
    return tf.linalg.solve(rows, tf.concat([u, v], 1)[..., None])[..., 0]


def sampled(image: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Values of a float image between its pixels, or of any at its pixels, at (y, x) of shape (batch, h, w); the border
    is repeated."""
    import tensorflow as tf

    height, width = image.shape[1:3]
    y, x = tf.clip_by_value(y, 0.0, height - 1.0), tf.clip_by_value(x, 0.0, width - 1.0)
    top, left = tf.floor(y), tf.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    rows, columns = tf.cast(top, tf.int32), tf.cast(left, tf.int32)

    def at(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(image, (-1, height * width, image.shape[-1]))
        where = tf.minimum(row, height - 1) * width + tf.minimum(column, width - 1)
        values = tf.gather(flat, tf.reshape(where, (-1, height * width)), batch_dims=1)
        return tf.reshape(values, (-1, height, width, image.shape[-1]))

    if not image.dtype.is_floating:
        return at(rows, columns)
    upper = at(rows, columns) * (1 - right) + at(rows, columns + 1) * right
    lower = at(rows + 1, columns) * (1 - right) + at(rows + 1, columns + 1) * right
    return upper * (1 - down) + lower * down


def _size(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    import tensorflow as tf

    shape = tf.cast(tf.shape(image), tf.float32)
    return shape[1], shape[2]


def warped(
    image: tf.Tensor,
    matrix: Sequence[tf.Tensor],
    fill: Fill,
    *,
    size: tuple[int, int] | None = None,
    value: float = 0.0,
) -> tf.Tensor:
    """Output pixel (x, y) from the input at ((a·x + b·y + c) / k, (d·x + e·y + f) / k) with k = g·x + h·y + 1, between
    its pixels, or, of numbers of classes, at the nearest; ``matrix`` is a … f, or a … h, by example."""
    import tensorflow as tf

    is_image = not holds_classes(image.dtype.name)
    rows = tf.stack([*matrix, *[tf.zeros_like(matrix[0])] * (8 - len(matrix))], axis=1)
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32) if is_image else image,
        transforms=rows,
        output_shape=size or tf.shape(image)[1:3],
        fill_value=value,
        interpolation="BILINEAR" if is_image else "NEAREST",
        fill_mode=fill.upper(),
    )
    out = tf.ensure_shape(out, (image.shape[0], *(size or image.shape[1:3]), image.shape[-1]))
    return keep_type(out, image.dtype)
