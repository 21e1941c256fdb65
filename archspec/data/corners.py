"""Where the pixels of an image's file are in what a network sees: points of the file move as the image does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

SPAN = 1000.0
COUNT = 4
"""Points of an image."""


def corners(sizes: ArrayLike) -> np.ndarray:
    """The points of images, float32 of shape (…, 4, 2), x and y in pixels of the file: its corner, ``SPAN`` to the
    right of it, ``SPAN`` below it, and the opposite corner. ``sizes`` (…, 2) are width and height, 0 where unknown."""
    import numpy as np

    sizes = np.asarray(sizes, np.float32)
    axes = np.array([(0.0, 0.0), (SPAN, 0.0), (0.0, SPAN)], np.float32)
    return np.concatenate([np.broadcast_to(axes, (*sizes.shape[:-1], 3, 2)), sizes[..., None, :]], -2)


def placement(moved: np.ndarray) -> np.ndarray:
    """The matrices (…, 2, 3) that take pixels (x, y, 1) of files, counted from their edge, to those of what a network
    sees; ``moved`` (…, 4, 2) are the points after all that was done to the images."""
    import numpy as np

    origin, right, down = np.moveaxis(np.asarray(moved, np.float64)[..., :3, :], -2, 0)
    return np.stack([(right - origin) / SPAN, (down - origin) / SPAN, origin], -1)


def file_sizes(moved: np.ndarray) -> np.ndarray:
    """Width and height of the files, (…, 2) in whole pixels, 0 where unknown; ``moved`` as in ``placement``."""
    import numpy as np

    there, opposite = placement(moved), np.asarray(moved, np.float64)[..., 3, :]
    sizes: np.ndarray = np.linalg.solve(there[..., :2], (opposite - there[..., 2])[..., None])[..., 0].round()
    return sizes
