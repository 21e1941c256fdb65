"""Pictures made of arrays: images side by side, and points of a plane."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SIDE = 256
"""Height and width of a picture of points, in pixels."""


def grid(images: np.ndarray, columns: int | None = None, low: float = -1.0) -> np.ndarray:
    """Images of shape (count, height, width, 1 or 3), values of ``low`` … 1, as one of 0 … 255: a row for every so many
    columns, or a square. What is left of the last row is black."""
    import numpy as np

    columns = min(columns or ceil(sqrt(len(images))), len(images))
    rows = ceil(len(images) / columns)
    height, width, channels = images.shape[1:]
    out = np.zeros((rows * columns, height, width, channels), "uint8")
    out[: len(images)] = np.clip(np.round((np.asarray(images, "float32") - low) * (255 / (1 - low))), 0, 255)
    out = out.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return out.reshape(rows * height, columns * width, channels)


def scatter(points: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Points (count, 2), dark, before others, light, on white: an image (SIDE, SIDE, 1) of 0 … 255.

    The square in it has the origin in its middle and is a quarter wider than what stands behind; x runs to the right, y
    up. What lies outside is drawn on the edge.
    """
    import numpy as np

    radius = 1.25 * float(np.abs(behind).max()) or 1.0
    out = np.full((SIDE, SIDE, 1), 255, "uint8")
    for values, shade in ((behind, 190), (points, 0)):
        at = np.clip(((values / radius + 1) * SIDE / 2).astype(int), 0, SIDE - 1)
        out[SIDE - 1 - at[:, 1], at[:, 0]] = shade
    return out


def png(image: np.ndarray) -> bytes:
    """The bytes of a PNG file of an image (height, width, 1 or 3) of 0 … 255."""
    import tensorflow as tf

    data: bytes = tf.io.encode_png(image).numpy()
    return data
