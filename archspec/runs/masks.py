"""Masks that a network predicts, as PNG files with a palette, in the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from archspec.training.task import PixelPredictor


def mask_of(
    size: tuple[int, int], batch: Mapping[str, Any], said: Mapping[str, Any], predictor: PixelPredictor
) -> np.ndarray:
    """The number of the class of each pixel of a file of this height and width, 255 where the network saw nothing:
    uint8 of shape (height, width)."""
    import numpy as np

    from archspec.data.corners import placement
    from archspec.data.example import CORNERS, IMAGE

    seen = batch[IMAGE].shape[1:3]
    found: np.ndarray = predictor.mask(said, placement(np.asarray(batch[CORNERS])[0]), seen, size)
    return found


def write_mask(path: Path, turned: int | None, mask: np.ndarray) -> dict[str, Any]:
    """Write the mask of one image. Where the image's file asks to be ``turned``, the mask does as well. Returns what a
    record says of it."""
    _write(path, turned, mask, palette())
    return {"mask": str(path)}


def _write(path: Path, turned: int | None, values: np.ndarray, colours: list[int] | None = None) -> None:
    """Numbers of a palette, or red, green and blue, of each pixel of an image's file, as PNG, to be ``turned``
    as that is."""
    import io

    from PIL import Image

    from archspec.runs.beside import ORIENTATION
    from archspec.storage.atomic import write_bytes

    picture = Image.fromarray(values)
    if colours is not None:
        picture.putpalette(colours)
    exif = Image.Exif()
    if turned is not None:
        exif[ORIENTATION] = turned
    out = io.BytesIO()
    picture.save(out, "PNG", **({} if turned is None else {"exif": exif}))
    write_bytes(path, out.getvalue())


def write_segments(path: Path, turned: int | None, numbers: np.ndarray) -> dict[str, Any]:
    """Write the segment of each pixel of one image, (height, width), as COCO's panoptic files have it: number n as red
    n mod 256, green n / 256 mod 256, blue n / 65,536. Returns what a record says of it."""
    import numpy as np

    colours = np.stack([numbers >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8)
    _write(path, turned, colours)
    return {"panoptic": str(path)}


def palette() -> list[int]:
    """Red, green and blue of each number, as PASCAL VOC's masks have them: its bits are dealt out to the upper bits of
    the three."""
    out = []
    for number in range(256):
        color, left = [0, 0, 0], number
        for place in range(8):
            for k in range(3):
                color[k] |= (left >> k & 1) << (7 - place)
            left >>= 3
        out += color
    return out
