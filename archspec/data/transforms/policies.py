"""Random sequences of operations out of a fixed set, as torchvision names and scales them.

Images are 8-bit. A layer gives every example of a batch one operation: what changes single colours, and what moves
pixels, is a compiled pass each over the whole batch; the rest (sharpness, equalising) is done to the examples that drew
it, and only to them.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.example import IMAGE, Example
from archspec.data.pixels import keep_type
from archspec.data.transform import Transform, TransformError, compiled, image_of
from archspec.data.transforms.color import LUMA, brightened, contrasted, mean_color, saturated
from archspec.data.transforms.geometric import alone

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
"""RandAugment's operations, in torchvision's order; their places are their numbers here."""
AUGMIX = tuple(
    OPERATIONS.index(n) for n in OPERATIONS if n not in ("identity", "brightness", "color", "contrast", "sharpness")
)
"""Those of AugMix, which leaves out what the corruptions of its benchmark do."""
BINS = 31
"""Magnitudes are 0 … 30."""

Magnitude = Annotated[int, Field(ge=0, lt=BINS)]


class RandAugment(Transform, name="rand_augment"):
    """Several operations, each drawn evenly from fourteen, all at one magnitude (Cubuk et al. 2019)."""

    is_random = True

    layers: Annotated[int, Field(gt=0, le=8)] = 2
    """Operations done to an image, one after the other."""
    magnitude: Magnitude = 9
    """Strength, 0 … 30."""

    def infer(self, features: Example) -> Example:
        return _eight_bit(features, "rand_augment")

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        for _ in range(self.layers):
            kind = draw.integers(len(OPERATIONS))
            image = operated(image, kind, tf.fill(tf.shape(kind), self.magnitude / (BINS - 1)), draw.sign())
        return {**batch, IMAGE: image}


class AugMix(Transform, name="aug_mix"):
    """Several chains of operations, mixed in random proportions with each other and with the image (Hendrycks et al.
    2019; without its consistency loss)."""

    is_random = True

    magnitude: Magnitude = 9
    """Largest strength, 0 … 30; each operation draws its own up to it."""
    chains: Annotated[int, Field(gt=0, le=8)] = 3
    """Chains that are mixed."""
    depth: Annotated[int, Field(gt=0, le=8)] = 3
    """Most operations in a chain; the number is drawn evenly from 1 on."""

    def infer(self, features: Example) -> Example:
        return _eight_bit(features, "aug_mix")

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        # Dirichlet(1, …, 1): exponential variables over their sum. Beta(1, 1) is even.
        amounts = -tf.math.log(1.0 - draw.uniform(shape=(self.chains,)))
        amounts /= tf.reduce_sum(amounts, 1, keepdims=True)
        mixed = tf.zeros(tf.shape(image))
        for k in range(self.chains):
            chain, depth = image, draw.integers(self.depth) + 1
            for step in range(self.depth):
                kind = tf.gather(tf.constant(AUGMIX), draw.integers(len(AUGMIX)))
                level = draw.uniform(0.0, self.magnitude / (BINS - 1))
                chain = operated(chain, tf.where(step < depth, kind, 0), level, draw.sign())
            mixed += amounts[:, k, None, None, None] * tf.cast(chain, tf.float32)
        share = draw.uniform()[:, None, None, None]
        out = share * tf.cast(image, tf.float32) + (1 - share) * mixed
        return {**batch, IMAGE: keep_type(out, image.dtype)}


def operated(image: tf.Tensor, kind: tf.Tensor, level: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    """8-bit images after one operation each: its number, magnitude 0 … 1, and -1 or 1 for those that have two ways."""
    image = _displaced(_toned(image, kind, level, sign), kind, level * sign)
    image = _some(image, kind == OPERATIONS.index("sharpness"), _sharpened, 1 + 0.9 * level * sign)
    image = _some(image, kind == OPERATIONS.index("autocontrast"), _stretched)
    return _some(image, kind == OPERATIONS.index("equalize"), _equalized)


def _some(image: tf.Tensor, which: tf.Tensor, change: Any, *arguments: tf.Tensor) -> tf.Tensor:
    """The images with those changed that ``which`` says."""
    import tensorflow as tf

    rows = tf.where(which)
    part = change(tf.gather(image, rows[:, 0]), *(tf.gather(a, rows[:, 0]) for a in arguments))
    return tf.ensure_shape(tf.tensor_scatter_nd_update(image, rows, part), image.shape)


def _toned(image: tf.Tensor, kind: tf.Tensor, level: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    """Brightness, colour, contrast, posterize and solarize; all others pass."""
    import tensorflow as tf

    def chosen(name: str, value: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        picked = kind == OPERATIONS.index(name)
        return tf.where(tf.reshape(picked, (-1,) + (1,) * (len(other.shape) - 1)), value, other)

    factor = 1 + 0.9 * level * sign
    grey = tf.linalg.matvec(mean_color(image) / 255, tf.constant(LUMA))
    matrix = tf.repeat(tf.eye(3, 4)[None], tf.shape(image)[0], 0)
    matrix = chosen("brightness", brightened(factor), matrix)
    matrix = chosen("color", saturated(factor), matrix)
    matrix = chosen("contrast", contrasted(factor, grey), matrix)
    # torchvision keeps 8 - round(magnitude / 7.5) bits and inverts what is 255 · (1 - magnitude / 30) or more.
    bits = 8 - tf.cast(tf.round(level * 4), tf.int32)
    mask = chosen("posterize", tf.bitwise.left_shift(255, 8 - bits) & 255, tf.fill(tf.shape(kind), 255))
    limit = chosen("solarize", 255 * (1 - level), tf.fill(tf.shape(kind), 256.0))
    return tf.ensure_shape(compiled(_tone, image, matrix, tf.cast(mask, tf.uint8), limit), image.shape)


def _tone(image: tf.Tensor, matrix: tf.Tensor, mask: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Each pixel's colour mapped, then inverted from a limit on, then cut to the bits of a mask."""
    import tensorflow as tf

    m = matrix[:, None, None]
    r, g, b = (tf.cast(image[..., i : i + 1], tf.float32) for i in range(3))
    out = keep_type(r * m[..., 0] + g * m[..., 1] + b * m[..., 2] + m[..., 3] * 255, tf.uint8)
    inverted = tf.where(tf.cast(out, tf.float32) >= limit[:, None, None, None], 255 - out, out)
    return tf.bitwise.bitwise_and(inverted, mask[:, None, None, None])


def _displaced(image: tf.Tensor, kind: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Shear by up to 0.3 about the corner (as torchvision), shift by up to 150/331 of the size, turn by up to 30°;
    black comes in. All others pass."""
    import tensorflow as tf

    height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(image)[1:3]))

    def of(name: str, value: tf.Tensor) -> tf.Tensor:
        return tf.where(kind == OPERATIONS.index(name), value, tf.zeros_like(value))

    angle = of("rotate", level * (30 / 180 * pi))
    cos, sin, x, y = tf.cos(angle), tf.sin(angle), (width - 1) / 2, (height - 1) / 2
    across, down = of("shear_x", level * 0.3), of("shear_y", level * 0.3)
    right = of("translate_x", tf.round(level * (150 / 331) * width))
    below = of("translate_y", tf.round(level * (150 / 331) * height))
    matrix = (
        cos,
        across - sin,
        x - x * cos + y * sin - right,
        down + sin,
        cos,
        y - x * sin - y * cos - below,
    )
    return tf.ensure_shape(compiled(_moved, image, tf.stack(matrix, 1)), image.shape)


def _moved(image: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Output pixel (x, y) from the one nearest to (a·x + b·y + c, d·x + e·y + f), black where there is none; ``matrix``
    is a … f, by example. Compiled, a third of the time of TensorFlow's own operation."""
    import tensorflow as tf

    height, width, channels = image.shape[1:]
    y, x = tf.range(height, dtype=tf.float32)[None, :, None], tf.range(width, dtype=tf.float32)[None, None]
    a, b, c, d, e, f = (n[:, None, None] for n in tf.unstack(matrix, axis=1))
    column, row = (tf.cast(tf.floor(place + 0.5), tf.int32) for place in (a * x + b * y + c, d * x + e * y + f))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # Black stands behind the last pixel.
    place = tf.reshape(tf.where(inside, row * width + column, height * width), (-1, height * width))
    pixels = tf.pad(tf.reshape(image, (-1, height * width, channels)), [[0, 0], [0, 1], [0, 0]])
    return tf.reshape(tf.gather(pixels, place, batch_dims=1), (-1, height, width, channels))


def _sharpened(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Distance from the image smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13 times a factor; the border stays."""
    import tensorflow as tf

    x = tf.cast(image, tf.float32)
    inner = x[:, 1:-1, 1:-1]
    rows = x[:, :-2] + x[:, 1:-1] + x[:, 2:]
    smooth = tf.round((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner) / 13)
    out = smooth + factor[:, None, None, None] * (inner - smooth)
    return tf.concat(
        [
            image[:, :1],
            tf.concat([image[:, 1:-1, :1], keep_type(out, image.dtype), image[:, 1:-1, -1:]], 2),
            image[:, -1:],
        ],
        1,
    )


def _stretched(image: tf.Tensor) -> tf.Tensor:
    """Each channel's least value to 0 and its largest to 255."""
    import tensorflow as tf

    low = tf.cast(tf.reduce_min(image, (1, 2), keepdims=True), tf.float32)
    high = tf.cast(tf.reduce_max(image, (1, 2), keepdims=True), tf.float32)
    scale = tf.where(high > low, 255 / tf.maximum(high - low, 1), 1.0)
    offset = tf.where(high > low, low, 0.0)
    return tf.saturate_cast((tf.cast(image, tf.float32) - offset) * scale, tf.uint8)


def _equalized(image: tf.Tensor) -> tf.Tensor:
    """Each channel's values spread so that they are taken about equally often (Pillow's rule)."""
    import tensorflow as tf

    shape = tf.shape(image)
    # One histogram for each image and channel: planes are numbered, and a plane's values stand behind the last's.
    planes = tf.reshape(tf.transpose(tf.cast(image, tf.int32), (0, 3, 1, 2)), (shape[0] * shape[3], -1))
    place = planes + tf.range(shape[0] * shape[3])[:, None] * 256
    counts = tf.reshape(tf.math.bincount(tf.reshape(place, [-1]), minlength=shape[0] * shape[3] * 256), (-1, 256))
    last = tf.reduce_max(tf.where(counts > 0, tf.range(256)[None], 0), 1, keepdims=True)
    top = tf.gather(counts, last, batch_dims=1)
    step = (tf.reduce_sum(counts, 1, keepdims=True) - top) // 255
    before = tf.cumsum(counts, 1, exclusive=True)
    table = tf.where(step > 0, (before + step // 2) // tf.maximum(step, 1), tf.range(256)[None])
    table = tf.cast(tf.minimum(table, 255), tf.uint8)
    out = tf.gather(tf.reshape(table, [-1]), place)
    return tf.transpose(tf.reshape(out, (shape[0], shape[3], shape[1], shape[2])), (0, 2, 3, 1))


def _eight_bit(features: Example, name: str) -> Example:
    image = image_of(features, name)
    alone(features, name)
    if image.channels != 3 or image.dtype != "uint8":
        raise TransformError(
            f"{name} needs 8-bit images of three channels, the data are {image.dtype} {image}",
            help="put it before rescale and normalize" if image.channels == 3 else None,
        )
    if features.has_open_sizes:
        raise TransformError(f"{name} needs images of one size, the data are {image}", help="resize first")
    return features
