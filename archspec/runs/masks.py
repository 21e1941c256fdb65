"""Masks that a network predicts, as PNG files with a palette, in the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.training.task import PixelPredictor


def write_mask(
    mask: Path, image: Path, batch: Mapping[str, Any], said: Mapping[str, Any], predictor: PixelPredictor
) -> dict[str, Any]:
    """Write the mask of one image: pixels are numbers of classes, 255 where the network saw nothing. It lies on the
    pixels as the image's file has them; where that asks to be turned, the mask does as well. Returns what a record says
    of it."""
    import io

    import numpy as np
    from PIL import Image

    from archspec.data.corners import placement
    from archspec.data.example import CORNERS
    from archspec.runs.beside import ORIENTATION
    from archspec.storage.atomic import write_bytes

    with Image.open(image) as given:
        size, turned = (given.height, given.width), given.getexif().get(ORIENTATION)
    there = placement(np.asarray(batch[CORNERS])[0])
    picture = Image.fromarray(predictor.mask(said, there, size))
    picture.putpalette(palette())
    exif = Image.Exif()
    if turned is not None:
        exif[ORIENTATION] = turned
    out = io.BytesIO()
    picture.save(out, "PNG", **({} if turned is None else {"exif": exif}))
    write_bytes(mask, out.getvalue())
    return {"mask": str(mask)}


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
