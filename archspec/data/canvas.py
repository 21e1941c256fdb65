"""A picture of an image, on which what lies in the image is drawn."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Colour = tuple[int, int, int]

COLOURS = (
    (230, 25, 75),
    (60, 180, 75),
    (0, 130, 200),
    (245, 130, 48),
    (145, 30, 180),
    (0, 170, 170),
    (240, 50, 230),
    (128, 128, 0),
    (170, 110, 40),
    (128, 0, 0),
)
"""Of the first classes."""
GOLDEN = 0.618034
"""A turn of the colour circle after which no two of many hues are close."""
TINT = 0.5
"""What the colour of a class covers of a pixel."""


class Canvas:
    """An image as 8-bit colours, in its own size or as large as fits a square of white, its pixels kept square.

    ``pixels`` is the picture, uint8 of shape (height, width, 3). 8-bit values are shown as they are, others spread from
    least to largest. What is drawn has coordinates of the image: x, y in its pixels, from the edge of the first.
    """

    def __init__(self, image: np.ndarray, side: int | None = None):
        import numpy as np

        if image.dtype != np.uint8:
            low, high = float(image.min()), float(image.max())
            image = np.rint((image - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
        if image.shape[-1] == 1:
            image = np.repeat(image, 3, -1)
        height, width = image.shape[:2]
        self.scale, self.offset = 1.0, (0, 0)
        if side is None:
            self.pixels = np.array(image)
            self.inside = self.pixels
            return
        import tensorflow as tf

        self.scale = side / max(height, width)
        size = max(1, round(height * self.scale)), max(1, round(width * self.scale))
        left, top = (side - size[1]) // 2, (side - size[0]) // 2
        self.offset = left, top
        # Small pictures keep their pixels in sight.
        small = tf.image.resize(image, size, "nearest" if self.scale >= 1 else "area").numpy()
        self.pixels = np.full((side, side, 3), 255, np.uint8)
        self.inside = self.pixels[top : top + size[0], left : left + size[1]]
        self.inside[:] = small.round().astype(np.uint8)

    def box(self, box: np.ndarray, number: int) -> None:
        """The border of a box x1, y1, x2, y2, one pixel wide and within it, in the colour of a class."""
        left, top, right, bottom = box * self.scale + [*self.offset, *self.offset]
        height, width = self.pixels.shape[:2]
        x1, y1 = max(0, int(left)), max(0, int(top))
        x2, y2 = max(x1, min(width, round(right)) - 1), max(y1, min(height, round(bottom)) - 1)
        if x1 >= width or y1 >= height:
            return
        out = self.pixels
        for line in (out[y1, x1 : x2 + 1], out[y2, x1 : x2 + 1], out[y1 : y2 + 1, x1], out[y1 : y2 + 1, x2]):
            line[:] = colour(number)

    def outline(self, points: np.ndarray, number: int) -> None:
        """The closed line through points (count, 2), as far as it lies in the picture."""
        import numpy as np

        at = points * self.scale + self.offset
        for start, end in zip(at, np.roll(at, -1, 0), strict=True):
            self._line(start, end, number)

    def dot(self, point: np.ndarray, number: int) -> None:
        """A point x, y as a square of three pixels."""
        x, y = (int(n) for n in point * self.scale + self.offset)
        height, width = self.pixels.shape[:2]
        if 0 <= x < width and 0 <= y < height:
            self.pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = colour(number)

    def tint(self, classes: np.ndarray, ignored: int | None = None) -> None:
        """Half the colour of its class at each pixel of the image; those of ``ignored``, and of class 0, which usually
        is what is no object, stay. ``classes`` is (height, width), as large as the image."""
        import numpy as np

        numbers = self._enlarged(classes).astype(int)
        there = (numbers > 0) & (numbers != (0 if ignored is None else ignored))
        kinds, where = np.unique(numbers, return_inverse=True)
        colours = np.array([colour(kind) for kind in kinds], float)[where.reshape(numbers.shape)]
        mixed = np.rint((1 - TINT) * self.inside + TINT * colours).astype(np.uint8)
        self.inside[:] = np.where(there[..., None], mixed, self.inside)

    def paint(self, where: np.ndarray, ink: Colour) -> None:
        """A colour at the pixels of the image where ``where`` (height, width), as large as the image, is true."""
        self.inside[self._enlarged(where)] = ink

    def _enlarged(self, values: np.ndarray) -> np.ndarray:
        """Of each pixel of the picture within the image the nearest of an array (height, width) over the image."""
        import numpy as np

        height, width = self.inside.shape[:2]
        rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(int)
        columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(int)
        out: np.ndarray = values[rows[:, None], columns[None]]
        return out

    def _line(self, start: np.ndarray, end: np.ndarray, number: int) -> None:
        """The pixels of a straight line that lie in the picture."""
        import numpy as np

        low, high = 0.0, 1.0
        for a, b, extent in zip(start, end, self.pixels.shape[1::-1], strict=True):
            if a == b:
                if not 0 <= a < extent:
                    return
                continue
            ends = sorted((-a / (b - a), (extent - a) / (b - a)))
            low, high = max(low, ends[0]), min(high, ends[1])
        if low > high:
            return
        first, last = start + low * (end - start), start + high * (end - start)
        steps = int(np.abs(last - first).max()) + 1
        at = first + np.linspace(0, 1, steps + 1)[:, None] * (last - first)
        height, width = self.pixels.shape[:2]
        x, y = (np.clip(at[:, k].astype(int), 0, extent - 1) for k, extent in ((0, width), (1, height)))
        self.pixels[y, x] = colour(number)


def colour(number: int) -> Colour:
    """The colour of a class, the same in every picture."""
    number = abs(int(number))
    if number < len(COLOURS):
        return COLOURS[number]
    red, green, blue = colorsys.hls_to_rgb(number * GOLDEN % 1, 0.35 + 0.2 * (number % 2), 0.8)
    return round(255 * red), round(255 * green), round(255 * blue)


def tinted(pixels: np.ndarray, where: np.ndarray, ink: Colour, line: int = 1) -> None:
    """Half a colour on the pixels of a picture (height, width, 3) of 0 … 255, float32, that ``where`` (height, width)
    has, and the colour itself along their edge, ``line`` pixels wide and within them: two that touch are two."""
    import numpy as np

    if not where.any():
        return
    rows, columns = (np.flatnonzero(where.any(axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    own = where[window]
    inner = own
    for _ in range(line):
        around = np.pad(inner, 1)
        inner = inner & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    colour_of = np.array(ink, np.float32)
    part = pixels[window]
    part[own] = (1 - TINT) * part[own] + TINT * colour_of
    part[own & ~inner] = colour_of
