"""Contact sheets: examples beside what training makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL
from archspec.data.objects import BOXES, CLASSES
from archspec.data.pipeline import Pipeline
from archspec.data.source import TRAIN
from archspec.data.transform import Transform
from archspec.data.transforms.crops import ResizedCenterCrop
from archspec.data.transforms.parts import Apply
from archspec.storage.atomic import write_bytes

if TYPE_CHECKING:
    import numpy as np

GAP = 4
"""Pixels between pictures."""
COLOURS = (
    (230, 25, 75),
    (60, 180, 75),
    (0, 130, 200),
    (245, 130, 48),
    (145, 30, 180),
    (0, 170, 170),
    (240, 50, 230),
    (128, 128, 0),
    (170, 110, 40),
    (128, 0, 0),
)
"""Of boxes, by class."""


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
    # Examples are mixed in pairs, so there is an even number of them where there can be.
    count = min(examples, total)
    index: Any = np.arange(count + count % 2) % total * total // (count + count % 2) % total
    columns = [pipeline.examples_at(index, 0, whole)]
    columns += [pipeline.examples_at(index, epoch, pipeline.augment) for epoch in range(draws)]
    pictures = [(column, name) for column in columns for name in _pictures(column)]
    grid = np.full((count * (tile + GAP) + GAP, len(pictures) * (tile + GAP) + GAP, 3), 255, np.uint8)
    for c, (column, name) in enumerate(pictures):
        for r in range(count):
            top, left = GAP + r * (tile + GAP), GAP + c * (tile + GAP)
            grid[top : top + tile, left : left + tile] = _marked(column, name, r, tile)
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
    return [_tiled(image, tile) for image in pipeline.examples_at(index, 0, _whole(pipeline, tile), split)[IMAGE]]


def _pictures(parts: Mapping[str, Any]) -> list[str]:
    """Names of the parts of a batch that can be shown."""
    return [name for name, array in parts.items() if len(array.shape) == 4 and array.shape[-1] in (1, 3)]


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
    return (crop,) if names == [IMAGE] else (Apply(to=tuple(names), steps=(crop,)),)


def _marked(parts: Mapping[str, Any], name: str, row: int, tile: int) -> np.ndarray:
    """One picture of a batch as ``_tiled`` has it, with the boxes that lie in it, a colour for each class."""
    out = _tiled(parts[name][row], tile)
    if name == IMAGE and BOXES in parts:
        height, width = parts[name][row].shape[:2]
        scale, _, (top, left) = _fitting(height, width, tile)
        for box, label in zip(parts[BOXES][row], parts[CLASSES][row], strict=True):
            if label >= 0:
                _outline(out, box * scale + [left, top, left, top], COLOURS[label % len(COLOURS)])
    return out


def _outline(out: np.ndarray, box: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draw the border of a box, one pixel wide, in an image."""
    height, width = out.shape[:2]
    x1, y1 = (max(0, int(n)) for n in box[:2])
    x2, y2 = max(x1, min(width, round(box[2])) - 1), max(y1, min(height, round(box[3])) - 1)
    for line in (out[y1, x1 : x2 + 1], out[y2, x1 : x2 + 1], out[y1 : y2 + 1, x1], out[y1 : y2 + 1, x2]):
        line[:] = colour


def _fitting(height: int, width: int, tile: int) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """The scale at which an image fits a square, its height and width then, and where its corner is in the square."""
    scale = tile / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return scale, size, ((tile - size[0]) // 2, (tile - size[1]) // 2)


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
    scale, size, (top, left) = _fitting(height, width, tile)
    # Small pictures keep their pixels in sight.
    method = "nearest" if scale >= 1 else "area"
    small = tf.image.resize(image, size, method).numpy().round().astype(np.uint8)
    out = np.full((tile, tile, 3), 255, np.uint8)
    out[top : top + size[0], left : left + size[1]] = small
    return out


def write(sheet: ContactSheet, path: Path) -> None:
    """Write the picture as PNG. Raises OSError."""
    import tensorflow as tf

    write_bytes(path, tf.io.encode_png(sheet.image).numpy())
