"""Contact sheets: examples beside what training makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.canvas import Canvas
from archspec.data.drawing import picture
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL
from archspec.data.feature import Feature
from archspec.data.pipeline import Pipeline
from archspec.data.source import TRAIN
from archspec.data.transform import Transform, infer
from archspec.data.transforms.crops import ResizedCenterCrop
from archspec.data.transforms.parts import Apply
from archspec.storage.atomic import write_bytes

if TYPE_CHECKING:
    import numpy as np

GAP = 4
"""Pixels between pictures."""


class ContactSheet(NamedTuple):
    """A picture (uint8, height × width × 3), and what is on it, row by row."""

    image: np.ndarray
    rows: tuple[str, ...]


def contact_sheet(pipeline: Pipeline, *, examples: int = 8, draws: int = 5, tile: int = 128) -> ContactSheet:
    """Training examples, one to a row: as they are, then as the first epochs see them, all images that an example has
    side by side. Raises DataError.

    They are spread over the whole split. 8-bit values are shown as they are, others spread from least to largest.
    """
    import numpy as np

    raw = pipeline.raw
    whole = _whole(pipeline, tile)
    total = raw.splits[TRAIN]
    # Examples are joined in pairs and in fours, so there are whole groups of them.
    count = min(examples, total)
    even = count + count % 2
    index: Any = np.resize(np.arange(even) % total * total // even % total, -(-count // 4) * 4)
    columns = [pipeline.examples_at(index, 0, whole)]
    columns += pipeline.examples_in(index, range(draws), pipeline.augment)
    kinds = [infer(raw, whole)[-1].features, *[infer(raw, pipeline.augment)[-1].features] * draws]
    pairs = zip(kinds, columns, strict=True)
    pictures = [(own, column, name) for own, column in pairs for name in _pictures(own, column)]
    grid = np.full((count * (tile + GAP) + GAP, len(pictures) * (tile + GAP) + GAP, 3), 255, np.uint8)
    for c, (own, column, name) in enumerate(pictures):
        for r in range(count):
            top, left = GAP + r * (tile + GAP), GAP + c * (tile + GAP)
            grid[top : top + tile, left : left + tile] = _picture(own, column, name, r, tile)
    labels = columns[0].get(LABEL)
    rows = tuple(
        ("" if labels is None else f"{raw.called(labels[i])}  ") + pipeline.source.describe(TRAIN, int(index[i]))
        for i in range(count)
    )
    return ContactSheet(grid, rows)


def tiles(pipeline: Pipeline, index: Sequence[int], split: str, tile: int) -> list[np.ndarray]:
    """Pictures of given examples as they are, each a square of ``tile`` pixels. Raises DataError."""
    raw = pipeline.raw
    if IMAGE not in raw.parts:
        raise DataError(f"the data have no image, only {', '.join(raw.parts)}")
    return [
        Canvas(image, tile).pixels for image in pipeline.examples_at(index, 0, _whole(pipeline, tile), split)[IMAGE]
    ]


def _picture(features: Mapping[str, Feature], parts: Mapping[str, Any], name: str, row: int, tile: int) -> np.ndarray:
    """One picture of a batch; the image with what lies in it."""
    if name != IMAGE:
        return Canvas(parts[name][row], tile).pixels
    return picture(features, {part: values[row] for part, values in parts.items()}, tile)


def _pictures(features: Mapping[str, Feature], parts: Mapping[str, Any]) -> list[str]:
    """Names of the parts of a batch that are pictures of their own; what lies in the image is drawn there."""
    shown = [name for name, array in parts.items() if len(array.shape) == 4 and array.shape[-1] in (1, 3)]
    return [name for name in shown if name == IMAGE or IMAGE not in shown or not features[name].is_placed]


def _whole(pipeline: Pipeline, tile: int) -> tuple[Transform, ...]:
    """What brings examples to one size, so that they stand in one batch. Raises DataError."""
    raw = pipeline.raw
    names = [name for name, spec in raw.parts.items() if spec.rank == 3 and spec.channels in (1, 3)]
    if not names:
        shown = raw.image if IMAGE in raw.parts else ", ".join(raw.parts)
        raise DataError(f"only images of one or three channels can be shown, the data are {shown}")
    if not raw.has_open_sizes:
        return ()
    crop = ResizedCenterCrop(size=(tile, tile), share=1.0)
    return (crop,) if all(name in raw.placed for name in names) else (Apply(to=tuple(names), steps=(crop,)),)


def write(sheet: ContactSheet, path: Path) -> None:
    """Write the picture as PNG. Raises OSError."""
    import tensorflow as tf

    write_bytes(path, tf.io.encode_png(sheet.image).numpy())
