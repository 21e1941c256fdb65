"""What is computed of the training examples for their preprocessing: mean, deviation, principal axes of colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Statistics:
    """By channel, in the units of the images, over all pixels, or by column over all rows; ``covariance`` is between
    them.

    ``mean_image`` is the file (``.npy``, float32) of the mean over examples, None where they differ in size.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    mean_image: Path | None

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation by channel."""
        return tuple(max(row[i], 0.0) ** 0.5 for i, row in enumerate(self.covariance))

    def axes(self) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
        """Standard deviations along the principal axes, largest first, and the axes (rows, first part ≥ 0)."""
        import numpy as np

        values, vectors = np.linalg.eigh(np.array(self.covariance))
        rows = vectors.T[::-1]
        rows = rows * np.where(rows[:, :1] < 0, -1, 1)
        return tuple(np.sqrt(np.maximum(values[::-1], 0)).tolist()), tuple(tuple(row) for row in rows.tolist())
