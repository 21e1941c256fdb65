"""Where the pixels of an image's file are in what a network sees: three points of the file move as the image does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SPAN = 1000.0
POINTS = ((0.0, 0.0), (SPAN, 0.0), (0.0, SPAN))
"""The points, x and y in pixels of the file: its corner, and what is ``SPAN`` to the right of it and below."""


def placement(moved: np.ndarray) -> np.ndarray:
    """The matrices (…, 2, 3) that take pixels (x, y, 1) of files, counted from their edge, to those of what a network
    sees; ``moved`` (…, 3, 2) are the points after all that was done to the images."""
    import numpy as np

    origin, right, down = np.moveaxis(np.asarray(moved, np.float64), -2, 0)
    return np.stack([(right - origin) / SPAN, (down - origin) / SPAN, origin], -1)
