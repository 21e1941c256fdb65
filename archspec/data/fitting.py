"""Transforms told what they ask of the training examples, which is computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.arguments import written
from archspec.data.example import Example
from archspec.data.source import DataSource
from archspec.data.statistics import Statistics
from archspec.data.transform import Transform, for_evaluation, infer
from archspec.storage.cache import cache_path, load_or_compute

if TYPE_CHECKING:
    pass

Images = Callable[[Sequence[Transform]], Iterable[Any]]
"""Batches of all training images, in order, after some transforms."""


def fitted(source: DataSource, raw: Example, transforms: Sequence[Transform], images: Images) -> tuple[Transform, ...]:
    """The transforms, each told what it asks of the training examples as they reach it without what is random."""
    out: list[Transform] = []
    for transform in transforms:
        before = for_evaluation(out)
        out.append(transform.fit(cache(lambda before=before: statistics(source, raw, before, images))))
    return tuple(out)


def statistics(source: DataSource, raw: Example, before: Sequence[Transform], images: Images) -> Statistics:
    """Of the training split after some transforms: computed once, and kept by what they follow from."""
    of = (source.fingerprint(), repr([written(t) for t in before]))
    path = cache_path("statistics", ".json", *of)
    image = path.with_suffix(".npy")
    found = load_or_compute(path, lambda: _computed(raw, before, image, images))
    return Statistics(
        mean=tuple(found["mean"]),
        covariance=tuple(tuple(row) for row in found["covariance"]),
        mean_image=image if found["mean_image"] else None,
    )


def _computed(raw: Example, before: Sequence[Transform], image: Path, images: Images) -> dict[str, Any]:
    import numpy as np

    from archspec.storage.atomic import write_atomically

    has_open_sizes = infer(raw, before)[-1].has_open_sizes
    count = examples = 0
    total: Any = 0.0
    products: Any = 0.0
    whole: Any = 0.0
    for batch in images(before):
        values = np.asarray(batch).astype(np.float64)
        pixels = values.reshape(-1, values.shape[-1])
        count, examples = count + len(pixels), examples + len(values)
        total, products = total + pixels.sum(0), products + pixels.T @ pixels
        if not has_open_sizes:
            whole = whole + values.sum(0)
    mean = total / count
    if not has_open_sizes:
        average = (whole / examples).astype(np.float32)
        image.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(image, lambda beside: np.save(beside, average, allow_pickle=False))
    return {
        "mean": mean.tolist(),
        "covariance": (products / count - np.outer(mean, mean)).tolist(),
        "mean_image": not has_open_sizes,
    }
