"""Copies of images with what a network found drawn on them: objects, or classes of pixels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    from archspec.runs.beside import FilePicture

JPEG = (".jpg", ".jpeg")


def ending(image: Path) -> str:
    """Of the copy of an image: photos stay JPEG, videos become MP4, everything else becomes PNG."""
    from archspec.data.video import is_video

    if is_video(image):
        return ".mp4"
    return ".jpg" if image.suffix.lower() in JPEG else ".png"


def drawn(
    image: FilePicture,
    record: Mapping[str, Any],
    names: Sequence[str],
    least: float,
    segments: np.ndarray | None = None,
) -> Picture:
    """A copy of an image, turned as a person is to see it, with the objects of ``record`` whose score is at least
    ``least``, the surest on top: boxes, and the points, and the pixels of their masks, where they have some. Where
    there is a picture of ``segments``, (height, width) numbers, these are the pixels, and what is no object has its
    name in its middle."""
    from archspec.data.annotated import DrawnBox, draw
    from archspec.data.objects import StoredImage, as_shown, class_numbers
    from archspec.data.run_lengths import pixels
    from archspec.ir.diagnostics import printable
    from archspec.runs.beside import as_a_person_sees

    numbers = class_numbers(names)
    turned = image.turned if image.turned in range(1, 9) else 1
    stored = StoredImage(image.size[1], image.size[0], turned or 1)
    found = sorted((one for one in record["objects"] if one["score"] >= least), key=lambda one: one["score"])
    drawn_: list[DrawnBox] = []
    if segments is not None:
        masked = [(segments == one["id"], numbers.get(one["class"], one["id"])) for one in record["segments"]]
        for (where, number), one in zip(masked, record["segments"], strict=True):
            if not one["is_thing"]:
                x, y = _inmost(where)
                drawn_.append(DrawnBox(as_shown((x, y, x, y), stored), number, printable(one["class"]), is_box=False))
    else:
        runs = [(one["segmentation"], numbers.get(one["class"], 0)) for one in found if "segmentation" in one]
        masked = [(pixels(one["counts"].encode(), one["size"]) > 0, number) for one, number in runs]
    for one in found:
        said = f"{printable(one['class'])} {one['score']:.2f}"
        points = [as_shown((x, y, x, y), stored)[:2] for x, y in one.get("points", ())]
        drawn_.append(DrawnBox(as_shown(tuple(one["box"]), stored), numbers.get(one["class"], 0), said, points))
    picture = as_a_person_sees(_tinted(image.rgb, masked) if masked else image.rgb, image.turned)
    draw(picture, drawn_)
    return picture


def _tinted(picture: Picture, masked: Sequence[tuple[np.ndarray, int]]) -> Picture:
    """A picture as its file has it with the pixels of masks in the colours of their classes, one over the other."""
    import numpy as np
    from PIL import Image

    from archspec.data.annotated import line_width
    from archspec.data.canvas import colour, tinted

    out = np.asarray(picture).astype(np.float32)
    for mask, number in masked:
        tinted(out, mask, colour(number), line_width(picture.size))
    return Image.fromarray(np.rint(out).astype(np.uint8))


def _inmost(where: np.ndarray, side: int = 64) -> tuple[float, float]:
    """A pixel x, y of an area (height, width) that is far from its edge, as a small copy tells."""
    import numpy as np

    step = -(-max(where.shape) // side)
    inner = where[step // 2 :: step, step // 2 :: step]
    if not inner.any():
        y, x = np.argwhere(where)[0].tolist()
        return x + 0.5, y + 0.5
    last = inner
    while inner.any():
        around, last = np.pad(inner, 1), inner
        inner = inner & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    places = np.argwhere(last)
    y, x = places[np.abs(places - places.mean(0)).sum(1).argmin()].tolist()
    return x * step + step // 2 + 0.5, y * step + step // 2 + 0.5


def overlaid(image: FilePicture, mask: np.ndarray) -> Picture:
    """A copy of an image under the colours of the classes of its pixels, turned as a person is to see it. ``mask``
    (height, width) has a number for each pixel of the file; class 0 and 255, which is none, are not coloured."""
    import numpy as np
    from PIL import Image

    from archspec.data.canvas import Canvas
    from archspec.data.mask_values import VOID
    from archspec.runs.beside import as_a_person_sees

    canvas = Canvas(np.asarray(image.rgb))
    canvas.tint(mask, VOID)
    return as_a_person_sees(Image.fromarray(canvas.pixels), image.turned)


def write_picture(copy: Path, picture: Picture) -> dict[str, Any]:
    """Write a copy of an image. Returns what a record says of it."""
    from archspec.storage.atomic import write_bytes

    out = io.BytesIO()
    picture.save(out, "JPEG" if copy.suffix == ".jpg" else "PNG", **({"quality": 92} if copy.suffix == ".jpg" else {}))
    write_bytes(copy, out.getvalue())
    return {"drawing": str(copy)}
