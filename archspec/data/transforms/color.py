"""What is done to colours, the same at every pixel of an image.

Each of these is an affine map of (r, g, b), by example. Neighbours in a list become one map, so that jitter, hue and
principal-axes noise together cost one pass over the pixels; nothing is cut off between them. In 8-bit images white is
255, in others 1.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.example import IMAGE, Example
from archspec.data.pixels import keep_type
from archspec.data.transform import Share, Transform, TransformError, compiled, image_of, with_probability
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch, StatisticsOf

LUMA = (0.299, 0.587, 0.114)
"""Grey of red, green and blue (ITU-R BT.601)."""

Strength = Annotated[float, Field(ge=0, le=10)]


class ColorJitter(Transform, name="color_jitter"):
    """Brightness, contrast, saturation and hue by random amounts, in this order. Contrast is about the image's mean
    grey; hue turns about the axis of grey."""

    is_random = True
    is_color = True

    brightness: Strength = 0.0
    """The factor is 1 - b … 1 + b, not below 0."""
    contrast: Strength = 0.0
    """The factor is 1 - c … 1 + c, not below 0."""
    saturation: Strength = 0.0
    """The factor is 1 - s … 1 + s, not below 0."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest turn either way, as a part of the whole circle."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        return _colored(features, "color_jitter")

    def matrix(self, mean: tf.Tensor, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        def factor(strength: float) -> tf.Tensor:
            return draw.uniform(max(0.0, 1 - strength), 1 + strength)

        maps = []
        if self.brightness:
            maps.append(brightened(factor(self.brightness)))
        if self.contrast:
            grey = tf.linalg.matvec(_product(maps)[:, :, :3], mean) if maps else mean
            maps.append(contrasted(factor(self.contrast), tf.linalg.matvec(grey, tf.constant(LUMA))))
        if self.saturation:
            maps.append(saturated(factor(self.saturation)))
        if self.hue:
            maps.append(hue_rotation(draw.uniform(-self.hue, self.hue) * (2 * pi)))
        one = _identity(tf.shape(mean)[0])
        return with_probability(draw, self.probability, _product(maps) if maps else one, one)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return {**batch, IMAGE: mapped(batch[IMAGE], [(self, draw)])}


class Grayscale(Transform, name="grayscale", main="probability"):
    """Grey in place of colour, of as many channels."""

    is_random = True
    is_color = True

    probability: Share = 0.1
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        return _colored(features, "grayscale")

    def evaluation(self) -> Transform | None:
        return self if self.probability == 1 else None

    def matrix(self, mean: tf.Tensor, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        count = tf.shape(mean)[0]
        return with_probability(draw, self.probability, saturated(tf.zeros((count,))), _identity(count))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return {**batch, IMAGE: mapped(batch[IMAGE], [(self, draw)])}


class ChannelShift(Transform, name="channel_shift", main="strength"):
    """Add a random amount to each channel."""

    is_random = True
    is_color = True

    strength: Annotated[float, Field(gt=0, le=1)]
    """Largest amount either way, as a share of white."""
    probability: Share = 1.0
    """Share of the images that are changed."""

    def infer(self, features: Example) -> Example:
        return _colored(features, "channel_shift")

    def matrix(self, mean: tf.Tensor, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        count = tf.shape(mean)[0]
        moved = _moved(draw.uniform(-self.strength, self.strength, shape=(3,)))
        return with_probability(draw, self.probability, moved, _identity(count))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return {**batch, IMAGE: mapped(batch[IMAGE], [(self, draw)])}


def _axes(value: object) -> tuple[tuple[float, ...], ...]:
    rows = value if isinstance(value, (list, tuple)) else ()
    if len(rows) == 3 and all(
        isinstance(row, (list, tuple)) and len(row) == 3 and all(isinstance(n, (int, float)) for n in row)
        for row in rows
    ):
        return tuple(tuple(float(n) for n in row) for row in rows)
    raise refuse("must be three lists of three numbers")


def _three(value: object) -> tuple[float, ...]:
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(isinstance(n, (int, float)) for n in value):
        return tuple(float(n) for n in value)
    raise refuse("must be a list of three numbers")


class PcaNoise(Transform, name="pca_noise", main="sigma"):
    """Add to all pixels a random amount along each principal axis of the training set's colours, in proportion to the
    deviation along it (Krizhevsky et al. 2012). Axes and deviations are computed of the training split, once, where
    they are not given."""

    is_random = True
    is_color = True

    sigma: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Standard deviation of the amounts, in units of the axes' own."""
    deviations: Annotated[tuple[float, ...], BeforeValidator(_three)] | None = None
    """Standard deviation of colours along each axis, in grey levels."""
    axes: (
        Annotated[
            tuple[tuple[float, ...], ...],
            BeforeValidator(_axes),
            WithJsonSchema({"type": "array", "items": {"type": "array"}, "minItems": 3, "maxItems": 3}),
        ]
        | None
    ) = None
    """Principal axes: three lists of red, green, blue."""

    def infer(self, features: Example) -> Example:
        if (self.deviations is None) != (self.axes is None):
            raise TransformError("pca_noise takes deviations and axes together", help="leave both out to compute them")
        return _colored(features, "pca_noise")

    @property
    def is_fitted(self) -> bool:
        return self.axes is not None

    def fit(self, statistics: StatisticsOf) -> Transform:
        if self.is_fitted:
            return self
        deviations, axes = statistics().axes()
        return PcaNoise(sigma=self.sigma, deviations=deviations, axes=axes)

    def matrix(self, mean: tf.Tensor, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        assert self.deviations is not None and self.axes is not None
        rows = [[d * n for n in axis] for d, axis in zip(self.deviations, self.axes, strict=True)]
        amounts = self.sigma * draw.normal(shape=(3,)) / 255
        return _moved(tf.linalg.matmul(amounts, tf.constant(rows, tf.float32)))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return {**batch, IMAGE: mapped(batch[IMAGE], [(self, draw)])}


def mapped(image: tf.Tensor, run: Sequence[tuple[Transform, Draw]]) -> tf.Tensor:
    """A batch of images after transforms that only map colours."""
    import tensorflow as tf

    white = 255.0 if image.dtype == tf.uint8 else 1.0
    mean = mean_color(image) / white
    total = None
    for transform, draw in run:
        here = mean if total is None else tf.linalg.matvec(total[:, :, :3], mean) + total[:, :, 3]
        matrix = transform.matrix(here, draw)
        total = matrix if total is None else _product([total, matrix])
    return _apply_matrix(image, total, white)


def mean_color(image: tf.Tensor) -> tf.Tensor:
    """The mean of each channel, by example: of a sixteenth of a large image's pixels, which have that of all of them to
    a grey level."""
    step = 4 if (image.shape[1] or 0) >= 64 and (image.shape[2] or 0) >= 64 else 1
    return compiled(_mean, image, step=step)


def _mean(image: tf.Tensor, *, step: int) -> tf.Tensor:
    import tensorflow as tf

    return tf.reduce_mean(tf.cast(image[:, ::step, ::step], tf.float32), (1, 2))


def _apply_matrix(image: tf.Tensor, matrix: tf.Tensor, white: float) -> tf.Tensor:
    """Each pixel's colour mapped, in one pass: compiled, that is ten times as fast as operations on planes."""
    import tensorflow as tf

    return tf.ensure_shape(compiled(_paint, image, matrix, white=white), image.shape)


def _paint(image: tf.Tensor, matrix: tf.Tensor, *, white: float) -> tf.Tensor:
    import tensorflow as tf

    m = matrix[:, None, None]
    r, g, b = (tf.cast(image[..., i : i + 1], tf.float32) for i in range(3))
    out = r * m[..., 0] + g * m[..., 1] + b * m[..., 2] + m[..., 3] * white
    return keep_type(out, image.dtype)


def brightened(factor: tf.Tensor) -> tf.Tensor:
    """Every channel times a factor, by example."""
    return factor[:, None, None] * _identity(1)


def contrasted(factor: tf.Tensor, grey: tf.Tensor) -> tf.Tensor:
    """Distance from a grey times a factor, by example."""
    import tensorflow as tf

    offset = tf.repeat(((1 - factor) * grey)[:, None, None], 3, axis=1)
    return tf.concat([factor[:, None, None] * tf.eye(3), offset], 2)


def saturated(factor: tf.Tensor) -> tf.Tensor:
    """Distance from the pixel's own grey times a factor, by example."""
    import tensorflow as tf

    f = factor[:, None, None]
    linear = f * tf.eye(3) + (1 - f) * tf.constant([LUMA] * 3)
    return tf.pad(linear, [[0, 0], [0, 0], [0, 1]])


def hue_rotation(angle: tf.Tensor) -> tf.Tensor:
    """A turn of the two axes of colour in YIQ, by example."""
    import tensorflow as tf

    to_yiq = tf.constant([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
    one, zero, cos, sin = tf.ones_like(angle), tf.zeros_like(angle), tf.cos(angle), tf.sin(angle)
    turn = tf.reshape(tf.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1), (-1, 3, 3))
    linear = tf.linalg.inv(to_yiq)[None] @ turn @ to_yiq[None]
    return tf.pad(linear, [[0, 0], [0, 0], [0, 1]])


def _moved(amount: tf.Tensor) -> tf.Tensor:
    """An amount added to each channel, by example."""
    import tensorflow as tf

    return tf.concat([tf.repeat(tf.eye(3)[None], tf.shape(amount)[0], 0), amount[:, :, None]], 2)


def _identity(count: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.repeat(tf.eye(3, 4)[None], count, 0)


def _product(maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """One map for several, the first of the list done first."""
    import tensorflow as tf

    total = maps[0]
    for matrix in maps[1:]:
        offset = tf.linalg.matvec(matrix[:, :, :3], total[:, :, 3]) + matrix[:, :, 3]
        total = tf.concat([matrix[:, :, :3] @ total[:, :, :3], offset[:, :, None]], 2)
    return total


def _colored(features: Example, name: str) -> Example:
    image = image_of(features, name)
    if image.channels != 3:
        help = f"leave {name} out, or give the data three channels"
        raise TransformError(f"{name} needs images of three channels, the data are {image}", help=help)
    return features
