"""What is computed of the training examples for their preprocessing: mean, deviation, principal axes of colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data import cache as results
from archspec.data.arguments import written
from archspec.data.source import IMAGE, TRAIN, DataSource, FeatureSpec
from archspec.data.transform import Transform, for_evaluation

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Statistics:
    """By channel, in the units of the images, over all pixels; ``covariance`` is between channels.

    ``mean_image`` is the file (``.npy``, float32) of the mean over examples, None where they differ in size.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    mean_image: Path | None

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation by channel."""
        return tuple(row[i] ** 0.5 for i, row in enumerate(self.covariance))

    def axes(self) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
        """Standard deviations along the principal axes, largest first, and the axes (rows, first part ≥ 0)."""
        import numpy as np

        values, vectors = np.linalg.eigh(np.array(self.covariance))
        rows = vectors.T[::-1]
        rows = rows * np.where(rows[:, :1] < 0, -1, 1)
        return tuple(np.sqrt(np.maximum(values[::-1], 0)).tolist()), tuple(tuple(row) for row in rows.tolist())


def fitted(source: DataSource, raw: FeatureSpec, transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms, each told what it asks of the training examples as they reach it without what is random."""
    out: list[Transform] = []
    for transform in transforms:
        before = for_evaluation(out)
        out.append(transform.fit(cache(lambda before=before: statistics(source, raw, before))))
    return tuple(out)


def statistics(source: DataSource, raw: FeatureSpec, before: Sequence[Transform]) -> Statistics:
    """Of the training split after some transforms: computed once, and kept by what they follow from."""
    of = (source.fingerprint(), repr([written(t) for t in before]))
    path = results.place("statistics", ".json", *of)
    image = path.with_suffix(".npy")
    found = results.kept(path, lambda: _computed(source, raw, before, image))
    return Statistics(
        mean=tuple(found["mean"]),
        covariance=tuple(tuple(row) for row in found["covariance"]),
        mean_image=image if found["mean_image"] else None,
    )


def _computed(source: DataSource, raw: FeatureSpec, before: Sequence[Transform], image: Path) -> dict[str, Any]:
    import numpy as np

    from archspec.backend.export import write_atomically
    from archspec.data.pipeline import Pipeline

    open_sizes = Pipeline(source, raw, (), tuple(before), 1, 0).features()[1].has_open_sizes
    pipeline = Pipeline(source, raw, (), tuple(before), 1 if open_sizes else 64, 0)
    count = examples = 0
    total: Any = 0.0
    products: Any = 0.0
    whole: Any = 0.0
    for batch, _ in pipeline.evaluation(TRAIN, lambda b: (b[IMAGE], ())):
        values = np.asarray(batch).astype(np.float64)
        pixels = values.reshape(-1, values.shape[-1])
        count, examples = count + len(pixels), examples + len(values)
        total, products = total + pixels.sum(0), products + pixels.T @ pixels
        if not open_sizes:
            whole = whole + values.sum(0)
    mean = total / count
    if not open_sizes:
        average = (whole / examples).astype(np.float32)
        image.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(image, lambda beside: _save(beside, average))
    return {
        "mean": mean.tolist(),
        "covariance": (products / count - np.outer(mean, mean)).tolist(),
        "mean_image": not open_sizes,
    }


def _save(path: Path, array: np.ndarray) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
