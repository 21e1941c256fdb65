"""Where pixels stand: size, crops, mirroring, small displacements."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.source import IMAGE, FeatureSpec
from archspec.data.transform import Transform, TransformError, image_of, keep_type
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


class CenterCrop(Transform, name="center_crop", main="size"):
    """The middle of the image."""

    size: Extent
    """Height and width in pixels; one number is both."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        return _cropped(features, self.size, 0, "center_crop")

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        shape = tf.shape(batch[IMAGE])
        top, left = (shape[1] - self.size[0]) // 2, (shape[2] - self.size[1]) // 2
        return {**batch, IMAGE: tf.image.crop_to_bounding_box(batch[IMAGE], top, left, *self.size)}


class RandomCrop(Transform, name="random_crop", main="size"):
    """A part of the image, anywhere, after padding it (zeros; He et al. 2015 on CIFAR: size 32, padding 4). In
    evaluation the middle of the image."""

    is_random = True

    size: Extent
    """Height and width in pixels; one number is both."""
    padding: Annotated[int, Field(ge=0, le=2**12)] = 0
    """Pixels put around the image first."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        return _cropped(features, self.size, self.padding, "random_crop")

    def evaluation(self) -> Transform:
        return CenterCrop(size=self.size)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        p = self.padding
        image = tf.pad(batch[IMAGE], [[0, 0], [p, p], [p, p], [0, 0]]) if p else batch[IMAGE]
        shape = tf.shape(image)
        top, left = (draw.integers(shape[axis] - self.size[axis - 1] + 1) for axis in (1, 2))
        rows, columns = (start[:, None] + tf.range(n)[None] for start, n in zip((top, left), self.size, strict=True))
        out = tf.gather(tf.gather(image, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
        return {**batch, IMAGE: tf.ensure_shape(out, (None, *self.size, image.shape[-1]))}


class Mirror(Transform, name="mirror", main="axis"):
    """Swap left and right (or top and bottom) of every second image."""

    is_random = True

    axis: Literal["horizontal", "vertical"] = "horizontal"
    """``horizontal`` swaps left and right."""
    probability: Annotated[float, Field(ge=0, le=1)] = 0.5
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
        return {**batch, IMAGE: _warp(batch[IMAGE], (one, zero, right, zero, one, down), self.fill)}


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
        return {**batch, IMAGE: _warp(batch[IMAGE], matrix, self.fill)}


def _cropped(features: FeatureSpec, size: tuple[int, int], padding: int, name: str) -> FeatureSpec:
    image = image_of(features, name)
    for extent, wanted in zip(image.spatial, size, strict=True):
        if extent is not None and extent + 2 * padding < wanted:
            raise TransformError(
                f"{name}: {size[0]}×{size[1]} does not fit into the image {image}", help="resize first"
            )
        if extent is None:
            raise TransformError(f"{name} needs images of one size, the data are {image}", help="resize first")
    return features.with_image(TensorSpec((*size, image.channels), image.dtype))


def _size(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    import tensorflow as tf

    shape = tf.cast(tf.shape(image), tf.float32)
    return shape[1], shape[2]


def _warp(image: tf.Tensor, matrix: tuple[tf.Tensor, ...], fill: Fill) -> tf.Tensor:
    """Output pixel (x, y) from the input at (a·x + b·y + c, d·x + e·y + f); ``matrix`` is a … f by example."""
    import tensorflow as tf

    rows = tf.stack([*matrix, *[tf.zeros_like(matrix[0])] * 2], axis=1)
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32),
        transforms=rows,
        output_shape=tf.shape(image)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill.upper(),
    )
    return keep_type(tf.ensure_shape(out, image.shape), image.dtype)
