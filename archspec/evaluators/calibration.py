"""Whether a network is as sure as it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BINS = 15
"""Intervals of confidence over which calibration is averaged (Guo et al. 2017)."""


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (ECE): Σ over intervals of confidence: share of examples in it · |mean confidence -
    share of hits|."""
    import numpy as np

    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            total += float(inside.mean() * abs(confidence[inside].mean() - right[inside].mean()))
    return total
