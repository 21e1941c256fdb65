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
    import io

    from PIL import Image

    from archspec.runs.beside import ORIENTATION
    from archspec.storage.atomic import write_bytes

    picture = Image.fromarray(mask)
    picture.putpalette(palette())
    exif = Image.Exif()
    if turned is not None:
        exif[ORIENTATION] = turned
    out = io.BytesIO()
    picture.save(out, "PNG", **({} if turned is None else {"exif": exif}))
    write_bytes(path, out.getvalue())
    return {"mask": str(path)}


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
