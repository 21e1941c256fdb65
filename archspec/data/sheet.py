"""Contact sheets: examples beside what training makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.pipeline import Pipeline
from archspec.data.source import IMAGE, LABEL, TRAIN, DataError
from archspec.data.transform import Transform
from archspec.data.transforms.crops import ResizedCenterCrop

if TYPE_CHECKING:
    import numpy as np

GAP = 4
"""Pixels between pictures."""


class Sheet(NamedTuple):
    """A picture (uint8, height × width × 3), and what is on it, row by row."""

    image: np.ndarray
    rows: tuple[str, ...]


def contact_sheet(pipeline: Pipeline, *, examples: int = 8, draws: int = 5, tile: int = 128) -> Sheet:
    """Training examples, one to a row: as they are, then as the first epochs see them. Raises DataError.

    They are spread over the whole split. 8-bit values are shown as they are, others spread from least to largest.
    """
    import numpy as np

    raw = pipeline.raw
    whole = _whole(pipeline, tile)
    total = raw.splits[TRAIN]
    # Examples are mixed in pairs, so there is an even number of them where there can be.
    count = min(examples, total)
    index: Any = np.arange(count + count % 2) % total * total // (count + count % 2) % total
    columns = [pipeline.seen(index, 0, whole)]
    columns += [pipeline.seen(index, epoch, pipeline.augment) for epoch in range(draws)]
    grid = np.full((count * (tile + GAP) + GAP, len(columns) * (tile + GAP) + GAP, 3), 255, np.uint8)
    for c, column in enumerate(columns):
        for r in range(count):
            top, left = GAP + r * (tile + GAP), GAP + c * (tile + GAP)
            grid[top : top + tile, left : left + tile] = _tiled(column[IMAGE][r], tile)
    labels = columns[0][LABEL]
    rows = tuple(
        f"{raw.class_names[labels[i]] if labels[i] < len(raw.class_names) else labels[i]}  "
        f"{pipeline.source.describe(TRAIN, int(index[i]))}"
        for i in range(count)
    )
    return Sheet(grid, rows)


def tiles(pipeline: Pipeline, index: Sequence[int], split: str, tile: int) -> list[np.ndarray]:
    """Pictures of given examples as they are, each a square of ``tile`` pixels. Raises DataError."""
    return [_tiled(image, tile) for image in pipeline.seen(index, 0, _whole(pipeline, tile), split)[IMAGE]]


def _whole(pipeline: Pipeline, tile: int) -> tuple[Transform, ...]:
    """What brings examples to one size, so that they stand in one batch. Raises DataError."""
    image = pipeline.raw.image
    if image.rank != 3 or image.channels not in (1, 3):
        raise DataError(f"only images of one or three channels can be shown, the data are {image}")
    return (ResizedCenterCrop(size=(tile, tile), share=1.0),) if pipeline.raw.has_open_sizes else ()


def _tiled(image: np.ndarray, tile: int) -> np.ndarray:
    """One image as 8-bit colours, as large as fits a square of white, its pixels kept square."""
    import numpy as np
    import tensorflow as tf

    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = np.rint((image - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    if image.shape[-1] == 1:
        image = np.repeat(image, 3, -1)
    height, width = image.shape[:2]
    scale = tile / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    # Small pictures keep their pixels in sight.
    method = "nearest" if scale >= 1 else "area"
    small = tf.image.resize(image, size, method).numpy().round().astype(np.uint8)
    out = np.full((tile, tile, 3), 255, np.uint8)
    top, left = (tile - size[0]) // 2, (tile - size[1]) // 2
    out[top : top + size[0], left : left + size[1]] = small
    return out


def write(sheet: Sheet, path: Path) -> None:
    """Write the picture as PNG. Raises OSError."""
    import tensorflow as tf

    from archspec.backend.export import write_atomically

    data = tf.io.encode_png(sheet.image).numpy()
    write_atomically(path, lambda beside: _put(beside, data))


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
