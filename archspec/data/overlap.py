"""How much boxes of pixels overlap, in NumPy: for whoever counts or looks at boxes outside of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The IoU of boxes (n, 4) with others (m, 4), corners (left, top, right, bottom): (n, m), in the numbers' own
    precision; 0 where neither has an area."""
    import numpy as np

    one, other = boxes[:, None], others[None]
    sides = np.clip(np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2]), 0, None)
    common: np.ndarray = sides.prod(-1)
    union = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1) - common
    shares: np.ndarray = common / np.maximum(union, 1e-12)
    return shares
