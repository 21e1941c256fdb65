"""Where pixels stand: size, mirroring, displacements."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.source import IMAGE, FeatureSpec
from archspec.data.transform import Share, Transform, image_of, keep_type
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import refuse

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


def _pair(value: Any) -> tuple[int, int]:
    pair = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(pair) == 2 and all(isinstance(n, int) and not isinstance(n, bool) and 0 < n <= 2**14 for n in pair):
        return pair[0], pair[1]
    raise refuse("must be a size in pixels, or [height, width]")


Extent = Annotated[tuple[int, int], BeforeValidator(_pair), WithJsonSchema({"type": ["integer", "array"]})]
"""Height and width in pixels; one number is both."""

Fill = Literal["constant", "nearest", "reflect", "wrap"]
"""What comes in at the border: black, or the image continued."""


class Resize(Transform, name="resize", main="size"):
    """Scale to a given size, whatever the aspect ratio was."""

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
        out = tf.image.resize(image, self.size, self.method, antialias=self.antialias and shrinks)
        return {**batch, IMAGE: keep_type(out, image.dtype)}


class Mirror(Transform, name="mirror", main="axis"):
    """Swap left and right (or top and bottom) of every second image."""

    is_random = True

    axis: Literal["horizontal", "vertical"] = "horizontal"
    """``horizontal`` swaps left and right."""
    probability: Share = 0.5
    """Share of the images that are mirrored."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "mirror")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        mirrored = tf.reverse(image, [2 if self.axis == "horizontal" else 1])
        return {**batch, IMAGE: tf.where((draw.uniform() < self.probability)[:, None, None, None], mirrored, image)}


class Shift(Transform, name="shift", main="share"):
    """Move by up to a share of the size, along both axes (bilinear)."""

    is_random = True

    share: Annotated[float, Field(gt=0, le=1)]
    """Largest displacement, as a share of height and width."""
    fill: Fill = "constant"
    """What comes in at the border."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "shift")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        height, width = _size(batch[IMAGE])
        down, right = draw.uniform(-self.share, self.share) * height, draw.uniform(-self.share, self.share) * width
        one, zero = tf.ones_like(down), tf.zeros_like(down)
        return {**batch, IMAGE: warped(batch[IMAGE], (one, zero, right, zero, one, down), self.fill)}


class Rotate(Transform, name="rotate", main="degrees"):
    """Turn about the middle by up to an angle, either way (bilinear)."""

    is_random = True

    degrees: Annotated[float, Field(gt=0, le=180)]
    """Largest angle."""
    fill: Fill = "constant"
    """What comes in at the border."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "rotate")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        height, width = _size(batch[IMAGE])
        angle = draw.uniform(-self.degrees, self.degrees) * (pi / 180)
        cos, sin, x, y = tf.cos(angle), tf.sin(angle), (width - 1) / 2, (height - 1) / 2
        matrix = (cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)
        return {**batch, IMAGE: warped(batch[IMAGE], matrix, self.fill)}


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
    method: Literal["bilinear", "nearest"] = "bilinear",
) -> tf.Tensor:
    """Output pixel (x, y) from the input at ((a·x + b·y + c) / k, (d·x + e·y + f) / k) with k = g·x + h·y + 1; ``matrix``
    is a … f, or a … h, by example."""
    import tensorflow as tf

    rows = tf.stack([*matrix, *[tf.zeros_like(matrix[0])] * (8 - len(matrix))], axis=1)
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=image if method == "nearest" else tf.cast(image, tf.float32),
        transforms=rows,
        output_shape=size or tf.shape(image)[1:3],
        fill_value=value,
        interpolation=method.upper(),
        fill_mode=fill.upper(),
    )
    out = tf.ensure_shape(out, (image.shape[0], *(size or image.shape[1:3]), image.shape[-1]))
    return out if method == "nearest" else keep_type(out, image.dtype)
