"""Masks that a network predicts, as PNG files with a palette, in the size of the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.training.task import PixelPredictor

ORIENTATION = 0x0112
"""EXIF's tag of how a picture is to be turned for a person."""


def mask_files(images: Sequence[Path], folder: Path) -> dict[str, Path]:
    """The file of the mask of each image, by the image's path: its name, with the ending .png. Raises RunError where
    two images would have one, or the mask would stand in the place of an image."""
    from archspec.training.errors import RunError

    out: dict[str, Path] = {}
    by_mask: dict[Path, Path] = {}
    sources = {path.resolve() for path in images}
    for path in images:
        mask = folder / f"{path.stem}.png"
        if mask.resolve() in sources:
            raise RunError(f"the mask of {path} would overwrite an image, {mask}")
        if (other := by_mask.get(mask)) is not None and other != path:
            raise RunError(f"{other} and {path} would have one mask, {mask}")
        out[str(path)] = by_mask[mask] = mask
        by_mask[mask] = path
    folder.mkdir(parents=True, exist_ok=True)
    return out


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
