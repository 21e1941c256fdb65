"""Where pixels go when an image moves, as one value that everything in the image follows.

Coordinates of an image's pixels are those of their middles here: 0 is the middle of the first pixel. Those of points
and boxes count from its edge, half a pixel before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from archspec.data.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

Fill = Literal["constant", "nearest", "reflect", "wrap"]
"""What comes in at the border: black, or the image continued."""
Sides = tuple[Any, Any]
"""Height and width in pixels: integers, or scalar tensors of integers where they are open."""
Sampling = Callable[..., Any]
"""``(pixels, nearest=…, fill=…)``: how the pixels of a motion are taken, where that is not by its matrix."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Pixel (x, y) of the output comes from (u, v) of the input, (u·k, v·k, k) = ``matrix`` · (x, y, 1).

    ``matrix`` is float32 of shape (batch, 3, 3), its last entry 1. ``before`` and ``size`` are heights and widths of
    input and output, ``flow`` what is added to (v, u) where pixels move one by one: float32 of shape (batch, height,
    width, 2). ``sampling`` takes pixels in a way of its own, of which ``matrix`` holds as well.
    """

    matrix: tf.Tensor
    before: Sides
    size: Sides
    fill: Fill = "constant"
    flow: tf.Tensor | None = None
    sampling: Sampling | None = None
    by_middle: bool = False
    """True where a box is kept if its middle is still in the image, however little of it is to be seen."""

    def pixels(self, value: tf.Tensor, *, nearest: bool, fill: float = 0.0) -> tf.Tensor:
        """A batch of images after the motion, by bilinear means of their pixels or by the nearest of them; ``fill`` is
        what comes in at a border that is ``constant``."""
        from archspec.data.pixels import displaced, warped

        if self.sampling is not None:
            return self.sampling(value, nearest=nearest, fill=fill)
        if self.flow is not None:
            return displaced(value, self.flow, nearest=nearest)
        return warped(value, self.matrix, self.size, self.fill, nearest=nearest, value=fill)

    def points(self, xy: tf.Tensor) -> tf.Tensor:
        """Where points of the input, (batch, …, 2) in pixels from the edge, lie in the output."""
        import tensorflow as tf

        self._require_matrix("points")
        shape = tf.shape(xy)
        rows = tf.reshape(xy, (shape[0], -1, 2))
        middles = tf.concat([rows - 0.5, tf.ones_like(rows[..., :1])], -1)
        moved = tf.linalg.matmul(middles, tf.linalg.inv(self.matrix), transpose_b=True)
        return tf.ensure_shape(tf.reshape(moved[..., :2] / moved[..., 2:] + 0.5, shape), xy.shape)

    def inside(self, boxes: tf.Tensor) -> tf.Tensor:
        """Boxes of the output, (batch, count, 4), cut at its border."""
        import tensorflow as tf

        height, width = (tf.cast(n, tf.float32) for n in self.size)
        return tf.clip_by_value(boxes, 0.0, tf.stack([width, height, width, height]))

    def then(self, after: Motion) -> Motion:
        """This motion and another one after it, as one."""
        import tensorflow as tf

        self._require_matrix("other motions")
        after._require_matrix("other motions")
        return Motion(tf.linalg.matmul(self.matrix, after.matrix), self.before, after.size, after.fill)

    def inverse(self) -> Motion:
        """What brings the output back to where it was in the input: predictions to the pixels of a file."""
        import tensorflow as tf

        self._require_matrix("a way back")
        matrix = tf.linalg.inv(self.matrix)
        return Motion(matrix / matrix[:, 2:, 2:], self.size, self.before)

    def _require_matrix(self, what: str) -> None:
        if self.flow is not None:
            raise DataError(f"pixels that move one by one have no matrix, which {what} would go by")


def affine(a: object, b: object, c: object, d: object, e: object, f: object) -> tf.Tensor:
    """The matrix of (a·x + b·y + c, d·x + e·y + f): (batch, 3, 3), each number by example."""
    import tensorflow as tf

    return homography((a, b, c, d, e, f, tf.zeros_like(a), tf.zeros_like(a)))


def homography(numbers: Any) -> tf.Tensor:
    """Eight numbers, each by example, and 1, as (batch, 3, 3)."""
    import tensorflow as tf

    return tf.reshape(tf.stack([*numbers, tf.ones_like(numbers[0])], 1), (-1, 3, 3))


def some(which: tf.Tensor | None, moved: tf.Tensor) -> tf.Tensor:
    """A matrix for the examples that are to move, and rest for the others."""
    import tensorflow as tf

    return moved if which is None else tf.where(which[:, None, None], moved, tf.eye(3)[None])
