"""Masks of objects in pixels of files: those that a network draws within boxes, and those of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archspec.data.features.object_masks import mask

if TYPE_CHECKING:
    import numpy as np

SURE = 0.5
"""Probability from which a pixel is an object's."""

EDGE = 1e-3
"""How far beyond the edge of what is seen a pixel's middle may lie: on the edge, the last digit does not decide."""


def pasted(drawn: np.ndarray, box: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """Which pixels of an image of this height and width are an object's: bool of shape (height, width).

    ``drawn`` (h, w) are probabilities that fill ``box`` (x1, y1, x2, y2). Of what is an object's the middle has at
    least ½ between them, with 0 around them, as in the op ``paste_masks``.
    """
    import numpy as np

    out = np.zeros(tuple(size), bool)
    windows, shares = [], []
    for k, (length, count) in enumerate(zip(size, drawn.shape, strict=True)):
        low, high = float(box[1 - k]), float(box[3 - k])
        step = max(high - low, 1e-7) / count
        # Half a pixel of the mask around the box is drawn, too.
        first, last = (int(np.clip(n, 0, length)) for n in (np.floor(low - step), np.ceil(high + step)))
        place = (np.arange(first, last) + 0.5 - low) / step - 0.5
        windows.append(slice(first, last))
        shares.append(np.maximum(1.0 - np.abs(place[:, None] - np.arange(count)), 0.0))
    out[tuple(windows)] = shares[0] @ drawn.astype(np.float64) @ shares[1].T >= SURE
    return out


def sampled(seen: np.ndarray, there: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """What a network sees, (h, w, …), at the middles of the pixels of its file of this height and width; 0 where it
    sees nothing of it. ``there`` (2, 3) is ``corners.placement``."""
    import numpy as np

    height, width = size
    y, x = np.mgrid[:height, :width] + 0.5
    at = [np.floor(there[k, 0] * x + there[k, 1] * y + there[k, 2] + 1e-6).astype(int) for k in (0, 1)]
    inside = np.logical_and.reduce([(n >= 0) & (n < have) for n, have in zip(at, seen.shape[1::-1], strict=True)])
    columns, rows = (np.clip(n, 0, have - 1) for n, have in zip(at, seen.shape[1::-1], strict=True))
    there_is = inside.reshape(height, width, *[1] * (seen.ndim - 2))
    out: np.ndarray = np.where(there_is, seen[rows, columns], seen.dtype.type(0))
    return out


def in_file(masks: np.ndarray, places: Sequence[int], there: np.ndarray, size: Sequence[int]) -> Iterator[np.ndarray]:
    """Masks of what a network sees, ``ObjectMasks`` (h, w, channels), in pixels of its file, as ``sampled``: one mask
    for each of ``places``."""
    import numpy as np

    seen = sampled(masks, there, size)
    return (mask(seen, place) if place >= 0 else np.zeros(tuple(size), bool) for place in places)
