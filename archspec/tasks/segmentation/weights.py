"""Weights of classes by how often they occur."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def median_frequency(masks: Iterable[Any], classes: int) -> tuple[float, ...]:
    """Median frequency balancing (Eigen and Fergus 2015; SegNet): of each class its pixels over all that have a class
    in the images that it occurs in, and the median of these shares over that. 0 for a class that does not occur.

    ``masks`` are batches of numbers of classes, of shape (batch, height, width, 1); other numbers are void.
    """
    import numpy as np

    own, among = np.zeros(classes), np.zeros(classes)
    for batch in masks:
        for mask in np.asarray(batch):
            counts = np.bincount(mask.reshape(-1), minlength=classes)[:classes]
            own += counts
            among += np.where(counts > 0, counts.sum(), 0)
    share = own / np.maximum(among, 1)
    occurring = share[share > 0]
    if not occurring.size:
        return (1.0,) * classes
    return tuple(float(np.median(occurring) / s) if s else 0.0 for s in share)
