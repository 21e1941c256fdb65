"""Where pixels stand: size, mirroring, displacements."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.arguments import two_numbers
from archspec.data.example import IMAGE, Example
from archspec.data.features.mask import Mask
from archspec.data.features.weight_map import WeightMap
from archspec.data.fields import Extent
from archspec.data.motion import Fill, Motion, Sides, affine, homography, some
from archspec.data.pixels import keep_type, scaled
from archspec.data.transform import Share, TransformError, compiled, image_of
from archspec.data.transforms.geometric import Geometric, floats, which
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw


def _scales(value: object) -> tuple[float, float]:
    pair = list(value) if isinstance(value, (list, tuple)) else []
    if len(pair) == 2 and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in pair):
        low, high = float(pair[0]), float(pair[1])
        if 0 < low <= high <= 100:
            return low, high
    raise refuse("must be [low, high] with 0 < low ≤ high", two_numbers(value))


class Resize(Geometric, name="resize", main="size"):
    """Scale to a given size, whatever the aspect ratio was."""

    size: Extent
    """Height and width in pixels; one number is both."""
    method: Literal["bilinear", "nearest", "bicubic", "area", "lanczos3"] = "bilinear"
    """Interpolation."""
    antialias: bool = True
    """Average over the pixels that fall together when an image shrinks."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "resize")
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        high, wide = floats(size)
        one = tf.ones((draw.batch,))
        y, x = one * (high / self.size[0]), one * (wide / self.size[1])
        zero = tf.zeros_like(one)
        matrix = affine(x, zero, (x - 1) / 2, zero, y, (y - 1) / 2)
        return Motion(matrix, size, self.size, "nearest", sampling=self._resized)

    def _resized(self, image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
        import tensorflow as tf

        # Enlarging has nothing to average, and the antialiasing kernel is several times slower.
        shrinks = any(n is None or n > m for n, m in zip(image.shape[1:3], self.size, strict=True))
        method = "nearest" if nearest else self.method
        out = tf.image.resize(image, self.size, method, antialias=self.antialias and shrinks)
        return keep_type(out, image.dtype)

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        from archspec.data.numpy_pipeline import resized

        out = resized(image, self.size, self.method, self.antialias)
        return np.rint(out).astype(image.dtype) if image.dtype.kind == "u" else out

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        if self.method == "area" or (self.method in ("bicubic", "lanczos3") and not self.antialias):
            said = self.method if self.method == "area" else f"{self.method} without antialias"
            raise TransformError(f"resize: {said} cannot be written into a file for other programs")
        import tensorflow as tf

        out = scaled(values, self.size, self.method, antialias=self.antialias)
        # LiteRT lacks the operation that tf.saturate_cast becomes.
        return tf.cast(tf.maximum(tf.minimum(tf.round(out), 255.0), 0.0), tf.uint8) if values.dtype.is_integer else out


class Mirror(Geometric, name="mirror", main="axis"):
    """Swap left and right (or top and bottom) of every second image."""

    is_random = True

    axis: Literal["horizontal", "vertical"] = "horizontal"
    """``horizontal`` swaps left and right."""
    probability: Share = 0.5
    """Share of the images that are mirrored."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        high, wide = floats(size)
        swapped = draw.uniform() < self.probability
        one, zero = tf.ones((draw.batch,)), tf.zeros((draw.batch,))
        is_sideways = self.axis == "horizontal"
        matrix = (
            affine(-one, zero, (wide - 1) * one, zero, one, zero)
            if is_sideways
            else affine(one, zero, zero, zero, -one, (high - 1) * one)
        )

        def sampling(image: tf.Tensor, **_: Any) -> tf.Tensor:
            return compiled(_mirrored, swapped, image, axis=2 if is_sideways else 1)

        return Motion(some(swapped, matrix), size, size, sampling=sampling)


def _mirrored(which: tf.Tensor, image: tf.Tensor, *, axis: int) -> tf.Tensor:
    import tensorflow as tf

    return tf.where(which[:, None, None, None], tf.reverse(image, [axis]), image)


class Shift(Geometric, name="shift", main="share"):
    """Move by up to a share of the size, along both axes (bilinear)."""

    is_random = True

    share: Annotated[float, Field(gt=0, le=1)]
    """Largest displacement, as a share of height and width."""
    fill: Fill = "constant"
    """What comes in at the border."""

    probability: Share = 1.0
    """Share of the images that are changed."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = floats(size)
        down, right = draw.uniform(-self.share, self.share) * height, draw.uniform(-self.share, self.share) * width
        one, zero = tf.ones_like(down), tf.zeros_like(down)
        matrix = affine(one, zero, right, zero, one, down)
        return Motion(some(which(draw, self.probability), matrix), size, size, self.fill)


class Rotate(Geometric, name="rotate", main="degrees"):
    """Turn about the middle by up to an angle, either way (bilinear)."""

    is_random = True

    degrees: Annotated[float, Field(gt=0, le=180)]
    """Largest angle."""
    fill: Fill = "constant"
    """What comes in at the border."""

    probability: Share = 1.0
    """Share of the images that are changed."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = floats(size)
        angle = draw.uniform(-self.degrees, self.degrees) * (pi / 180)
        cos, sin, x, y = tf.cos(angle), tf.sin(angle), (width - 1) / 2, (height - 1) / 2
        matrix = affine(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)
        return Motion(some(which(draw, self.probability), matrix), size, size, self.fill)


class Shear(Geometric, name="shear", main="degrees"):
    """Slant by up to an angle, either way, along both axes, about the middle (bilinear)."""

    is_random = True

    degrees: Annotated[float, Field(gt=0, lt=90)]
    """Largest angle."""
    axes: Literal["horizontal", "vertical", "both"] = "both"
    """``horizontal`` moves rows sideways."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = floats(size)
        x, y = (width - 1) / 2, (height - 1) / 2
        across, down = (tf.tan(draw.uniform(-self.degrees, self.degrees) * (pi / 180)) for _ in range(2))
        one, zero = tf.ones_like(across), tf.zeros_like(across)
        across = across if self.axes != "vertical" else zero
        down = down if self.axes != "horizontal" else zero
        matrix = affine(one, across, -across * y, down, one, -down * x)
        return Motion(some(which(draw, self.probability), matrix), size, size, self.fill)


class Zoom(Geometric, name="zoom", main="scale"):
    """Scale about the middle, both axes alike (bilinear)."""

    is_random = True

    scale: Annotated[tuple[float, float], BeforeValidator(_scales), WithJsonSchema({"type": "array"})]
    """Least and largest factor; above 1 the image grows over the border."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = floats(size)
        k = 1 / draw.uniform(*self.scale)
        zero = tf.zeros_like(k)
        matrix = affine(k, zero, (1 - k) * (width - 1) / 2, zero, k, (1 - k) * (height - 1) / 2)
        return Motion(some(which(draw, self.probability), matrix), size, size, self.fill)


class Perspective(Geometric, name="perspective", main="strength"):
    """Move the four corners inwards by random amounts, each its own (bilinear)."""

    is_random = True

    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Largest displacement of a corner, as a share of half the height and width."""
    fill: Fill = "constant"
    """What comes in at the border."""
    probability: Share = 0.5
    """Share of the images that are changed."""

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        height, width = floats(size)
        moves = draw.uniform(0.0, self.strength / 2, shape=(4, 2))
        extent = tf.stack([width, height])
        corners = tf.constant([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        inwards = 1 - 2 * corners
        source = corners * (extent - 1)
        numbers = projective(
            source[None] + moves * inwards * (extent - 1), tf.repeat(source[None], tf.shape(moves)[0], 0)
        )
        matrix = homography(tf.unstack(numbers, axis=1))
        return Motion(some(which(draw, self.probability), matrix), size, size, self.fill)


class Elastic(Geometric, name="elastic", main="strength"):
    """Move every pixel by smoothed noise (bilinear; Simard et al. 2003)."""

    is_random = True

    strength: Annotated[float, Field(gt=0, le=1000)] = 8.0
    """α: what the smoothed noise, drawn evenly from -1 … 1, is multiplied by, in pixels."""
    sigma: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Standard deviation of the Gaussian that smooths it, in pixels."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "elastic")
        if features.has_open_sizes:
            raise TransformError(f"elastic needs images of one size, the data are {image}", help="resize first")
        for name, feature in features.placed.items():
            if name != IMAGE and not isinstance(feature, (Mask, WeightMap)):
                raise TransformError(f"elastic displaces single pixels, and cannot move coordinates ({name})")
        return features

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        from archspec.data.transforms.filters import blurred

        noise = draw.pixels((*size, 2)) * 2 - 1
        flow = self.strength * blurred(noise, tf.fill(tf.shape(noise)[:1], self.sigma), self.sigma)
        changed = which(draw, self.probability)
        if changed is not None:
            flow = tf.where(changed[:, None, None, None], flow, 0.0)
        return Motion(tf.repeat(tf.eye(3)[None], draw.batch, 0), size, size, flow=flow)


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
