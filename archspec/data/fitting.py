"""Transforms told what they ask of the training examples, which is computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from archspec.data.arguments import written
from archspec.data.example import IMAGE, Example
from archspec.data.source import DataSource
from archspec.data.statistics import Statistics
from archspec.data.transform import Transform, for_evaluation, infer, valued
from archspec.storage.cache import cache_path, load_or_compute

Values = Callable[[Sequence[Transform], str], Iterable[Any]]
"""Batches of a part of all training examples, in order, after some transforms."""


def fitted(source: DataSource, raw: Example, transforms: Sequence[Transform], values: Values) -> tuple[Transform, ...]:
    """The transforms, each told what it asks of the training examples as they reach it without what is random."""
    out: list[Transform] = []
    for transform in transforms:
        before = for_evaluation(out)

        def asked(
            part: str | None = None, after: Sequence[Transform] = (), before: Sequence[Transform] = before
        ) -> Statistics:
            steps = (*before, *after)
            part = part or valued(infer(raw, before)[-1].features) or IMAGE
            return statistics(source, raw, steps, part, values)

        out.append(transform.fit(asked))
    return tuple(out)


def statistics(source: DataSource, raw: Example, before: Sequence[Transform], part: str, values: Values) -> Statistics:
    """Of a part of the training split after some transforms: computed once, and kept by what they follow from."""
    of = (source.fingerprint(), repr([written(t) for t in before]), *((part,) if part != IMAGE else ()))
    path = cache_path("statistics", ".json", *of)
    image = path.with_suffix(".npy")
    saved: list[Path] = []
    found = load_or_compute(path, lambda: _computed(raw, before, part, image, saved, values))
    if found["mean_image"] and not saved and not image.is_file():
        _computed(raw, before, part, image, saved, values)
    return Statistics(
        mean=tuple(found["mean"]),
        covariance=tuple(tuple(row) for row in found["covariance"]),
        mean_image=(saved or [image])[0] if found["mean_image"] else None,
    )


def _computed(
    raw: Example, before: Sequence[Transform], part: str, image: Path, saved: list[Path], batches: Values
) -> dict[str, Any]:
    """The statistics as plain values; where the mean image was saved is added to ``saved``."""
    import numpy as np

    has_open_sizes = None in infer(raw, before)[-1].parts[part].shape
    count = examples = 0
    total: Any = 0.0
    products: Any = 0.0
    whole: Any = 0.0
    shift: Any = 0.0
    for batch in batches(before, part):
        values = np.asarray(batch).astype(np.float64)
        if values.ndim == 2 and not examples:
            # A column that is always the same deviates by exactly nothing.
            shift = values[0]
        values = values - shift
        pixels = values.reshape(-1, values.shape[-1])
        count, examples = count + len(pixels), examples + len(values)
        total, products = total + pixels.sum(0), products + pixels.T @ pixels
        if not has_open_sizes:
            whole = whole + values.sum(0)
    mean = total / count
    covariance = products / count - np.outer(mean, mean)
    mean = mean + shift
    if not has_open_sizes:
        average = (whole / examples + shift).astype(np.float32)
        saved.append(_saved(image, average))
    return {
        "mean": mean.tolist(),
        "covariance": covariance.tolist(),
        "mean_image": not has_open_sizes,
    }


def _saved(path: Path, array: Any) -> Path:
    """Where an array was saved: there, or in a folder for what is temporary where nothing can be written. Raises
    OSError."""
    import tempfile

    import numpy as np

    from archspec.storage.atomic import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda beside: np.save(beside, array, allow_pickle=False))
        return path
    except OSError:
        other = Path(tempfile.mkdtemp(prefix="archspec-"), path.name)
        np.save(other, array, allow_pickle=False)
        return other
