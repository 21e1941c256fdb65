"""Boxes and points drawn with their names on pictures, in the size of these, for a person to look at one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.data.canvas import colour

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from archspec.data.canvas import Colour


class DrawnBox(NamedTuple):
    """A box (x1, y1, x2, y2 in pixels of the picture), the number of its class, what is written at it, and points of
    the object (x, y)."""

    box: Sequence[float]
    label: int
    text: str = ""
    points: Sequence[Sequence[float]] = ()
    is_box: bool = True
    """False where the text alone is drawn, with its middle at the box's first corner."""


def line_width(size: Sequence[int]) -> int:
    """Pixels of a line on a picture of this size."""
    return max(1, round(max(size) / 320))


def draw(picture: Image, objects: Sequence[DrawnBox]) -> None:
    """Draw boxes into an RGB picture, the last one on top; lines, dots and text grow with the picture. What is written
    stands above its box, or within where there is no room above, on the box's colour and within the picture. Points are
    dots of the box's colour with a dark or a light edge."""
    from PIL import ImageDraw, ImageFont

    canvas = ImageDraw.Draw(picture)
    width, font = line_width(picture.size), ImageFont.load_default(size=max(11, round(max(picture.size) / 45)))
    for box, label, text, points, is_box in objects:
        ink = colour(label)
        x1, y1 = (min(max(0, round(n)), most - 1) for n, most in zip(box[:2], picture.size, strict=True))
        x2, y2 = (
            min(max(low, round(n) - 1), most - 1) for low, n, most in zip((x1, y1), box[2:], picture.size, strict=True)
        )
        if is_box:
            canvas.rectangle((x1, y1, x2, y2), outline=ink, width=width)
        for x, y in points:
            reach = 1.5 * width
            canvas.ellipse((x - reach - 1, y - reach - 1, x + reach, y + reach), fill=ink, outline=_readable(ink))
        if text:
            left, top, right, bottom = font.getbbox(text)
            wide, high = round(right - left) + 4, round(bottom - top) + 4
            x = max(0, min(x1, picture.width - wide))
            y = y1 - high if y1 >= high else min(y1, max(0, picture.height - high))
            if not is_box:
                x = max(0, min(x1 - wide // 2, picture.width - wide))
                y = max(0, min(y1 - high // 2, picture.height - high))
            canvas.rectangle((x, y, x + wide - 1, y + high - 1), fill=ink)
            canvas.text((x + 2 - left, y + 2 - top), text, _readable(ink), font)


def on_array(image: np.ndarray, objects: Sequence[DrawnBox]) -> np.ndarray:
    """``draw`` on a copy of an array (height, width, 3) of 0 … 255."""
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(image)
    draw(picture, objects)
    return np.asarray(picture)


def _readable(behind: Colour) -> str:
    """Black or white, whichever stands out (ITU-R BT.601's luma)."""
    red, green, blue = behind
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"
