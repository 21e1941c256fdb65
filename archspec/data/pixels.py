"""Pixels of images that move, and of images that others take part in."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


def keep_type(image: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """A float image as the type it had before: rounded and kept within 0 … 255 where that is 8-bit."""
    import tensorflow as tf

    return tf.saturate_cast(tf.round(image), dtype) if dtype.is_integer else image


def scaled(image: tf.Tensor, size: tuple[int, int], method: str, *, antialias: bool) -> tf.Tensor:
    """Images as ``tf.image.resize`` scales them, float32, by products of matrices, which every program has: of
    ``nearest``, ``bilinear`` and, where they average (``antialias``), ``bicubic`` and ``lanczos3``."""
    import tensorflow as tf

    height, width = (tf.shape(image)[k] for k in (1, 2))
    if method == "nearest":
        rows, columns = (
            tf.minimum(tf.cast((tf.range(want, dtype=tf.float32) + 0.5) * _step(have, want), tf.int32), have - 1)
            for have, want in ((height, size[0]), (width, size[1]))
        )
        return tf.cast(tf.gather(tf.gather(image, rows, axis=1), columns, axis=2), tf.float32)
    channels_first = tf.transpose(tf.cast(image, tf.float32), (0, 3, 1, 2))
    down, across = (_shares(have, want, method, antialias) for have, want in ((height, size[0]), (width, size[1])))
    return _scaled_by(channels_first, down, across)


def framed(
    image: tf.Tensor, size: tuple[int, int], inner: tuple[tf.Tensor, tf.Tensor], value: float, *, antialias: bool
) -> tf.Tensor:
    """Images scaled to height and width ``inner`` (bilinear) in the middle of ``size``, ``value`` about them, float32,
    by products of matrices, which every program has."""
    import tensorflow as tf

    channels_first = tf.transpose(tf.cast(image, tf.float32) - value, (0, 3, 1, 2))
    down, across = (
        _shares(have, want, "bilinear", antialias, within)
        for have, want, within in zip((tf.shape(image)[1], tf.shape(image)[2]), size, inner, strict=True)
    )
    return _scaled_by(channels_first, down, across) + value


def placed(
    image: tf.Tensor, scale: tf.Tensor, start: tf.Tensor, size: tuple[int, int], *, value: float = 0.0
) -> tf.Tensor:
    """Images scaled along (y, x), each by its own ``scale`` (batch, 2), averaged where they shrink, so that their
    corner lies at ``start`` (batch, 2) of an image of ``size``; ``value`` is what they do not cover."""
    import tensorflow as tf

    def one(of: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        pixels, factor, corner = of
        out = tf.raw_ops.ScaleAndTranslate(
            images=tf.cast(pixels, tf.float32)[None] - value,
            size=size,
            scale=factor,
            translation=corner,
            kernel_type="triangle",
            antialias=True,
        )
        return out[0] + value

    shape = (*size, image.shape[-1])
    if image.shape[0] == 1:
        out = one((image[0], scale[0], start[0]))[None]
    else:
        out = tf.map_fn(one, (image, scale, start), fn_output_signature=tf.TensorSpec(shape, tf.float32))
    return keep_type(tf.ensure_shape(out, (image.shape[0], *shape)), image.dtype)


def _scaled_by(channels_first: tf.Tensor, down: tf.Tensor, across: tf.Tensor) -> tf.Tensor:
    """Images (batch, channels, height, width) by the shares of rows and of columns, channels last. The products are of
    two matrices each: of a batch of single channels by one matrix, TensorFlow 2.21 with oneDNN computes another."""
    import tensorflow as tf

    columns = tf.transpose(tf.tensordot(channels_first, across, [[3], [1]]), (0, 1, 3, 2))
    return tf.transpose(tf.tensordot(columns, down, [[3], [1]]), (0, 3, 2, 1))


def _step(have: tf.Tensor, want: int | tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.cast(have, tf.float32) / tf.cast(want, tf.float32)


def _shares(have: tf.Tensor, want: int, method: str, antialias: bool, within: tf.Tensor | None = None) -> tf.Tensor:
    """The share of each pixel of a line in each of the scaled one, (want, have); ``within`` is how many pixels in the
    middle of it the line takes, where it is not all."""
    import tensorflow as tf

    at = tf.range(want, dtype=tf.float32)
    first = 0 if within is None else tf.cast((want - within) // 2, tf.float32)
    step = _step(have, want if within is None else within)
    centre = (at - first + 0.5) * step
    pixels = tf.cast(tf.range(have), tf.float32) + 0.5
    distance = tf.abs(pixels[None] - centre[:, None]) / (tf.maximum(step, 1.0) if antialias else 1.0)
    if method == "bilinear":
        shares = tf.maximum(0.0, 1 - distance)
    elif method == "bicubic":  # Keys's, a = -½
        near = (1.5 * distance - 2.5) * distance * distance + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        shares = tf.where(distance < 1, near, tf.where(distance < 2, far, 0.0))
    else:
        angle = tf.maximum(distance, 1e-6) * pi
        shares = tf.where(distance < 3, 3 * tf.sin(angle) * tf.sin(angle / 3) / (angle * angle), 0.0)
    if within is not None:
        inside = (at >= first) & (at < first + tf.cast(within, tf.float32))
        shares = tf.where(inside[:, None], shares, 0.0)
        return shares / tf.maximum(tf.reduce_sum(shares, 1, keepdims=True), 1e-6)
    return shares / tf.reduce_sum(shares, 1, keepdims=True)


def warped(
    image: tf.Tensor, matrix: tf.Tensor, size: tuple[Any, Any], fill: str, *, nearest: bool = False, value: float = 0.0
) -> tf.Tensor:
    """Output pixel (x, y) from the input at (u, v), (u·k, v·k, k) = ``matrix`` · (x, y, 1), between its pixels or at
    the nearest; ``matrix`` is (batch, 3, 3), its last entry 1, and ``value`` what lies outside where ``fill`` is
    ``constant``."""
    import tensorflow as tf

    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=image if nearest else tf.cast(image, tf.float32),
        transforms=tf.reshape(matrix, (-1, 9))[:, :8],
        output_shape=size,
        fill_value=value,
        interpolation="NEAREST" if nearest else "BILINEAR",
        fill_mode=fill.upper(),
    )
    known = [n if isinstance(n, int) else of for n, of in zip(size, image.shape[1:3], strict=True)]
    out = tf.ensure_shape(out, (image.shape[0], *known, image.shape[-1]))
    return keep_type(out, image.dtype)


def displaced(image: tf.Tensor, flow: tf.Tensor, *, nearest: bool = False) -> tf.Tensor:
    """Each pixel from where it is and ``flow`` (down, right) beside it, between pixels or at the nearest."""
    import tensorflow as tf

    height, width = image.shape[1:3]
    y = tf.range(height, dtype=tf.float32)[None, :, None] + flow[..., 0]
    x = tf.range(width, dtype=tf.float32)[None, None, :] + flow[..., 1]
    if nearest:
        return sampled(image, tf.round(y), tf.round(x), nearest=True)
    return keep_type(sampled(tf.cast(image, tf.float32), y, x), image.dtype)


def sampled(image: tf.Tensor, y: tf.Tensor, x: tf.Tensor, *, nearest: bool = False) -> tf.Tensor:
    """Values of a float image between its pixels, or of any at its pixels (``nearest``), at (y, x) of shape
    (batch, h, w); the border is repeated."""
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

    if nearest:
        return at(rows, columns)
    upper = at(rows, columns) * (1 - right) + at(rows, columns + 1) * right
    lower = at(rows + 1, columns) * (1 - right) + at(rows + 1, columns + 1) * right
    return upper * (1 - down) + lower * down
