"""Pictures of evaluations: examples with what is said of them, the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

COLUMNS = 4
LINE = 14
"""Height of a line of text, in pixels."""
NAMED = 40
"""With more classes than this the confusion matrix is a picture alone, without names and counts."""
CELL = 40
"""Pixels of a cell that is written in."""
TRUE, SAID = "true class", "predicted class"


def grid(images: list[np.ndarray], said: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Square images in rows; below each what is said and how surely (green where it is right, else red), and then
    what it is."""
    import numpy as np
    from PIL import Image, ImageDraw

    tile = images[0].shape[0]
    width, height = max(tile, 6 * LINE) + 8, tile + 2 * LINE + 8
    rows = -(-len(images) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    draw, font = ImageDraw.Draw(picture), _font()
    for i, (image, scores, label) in enumerate(zip(images, said, labels, strict=True)):
        left, top = i % COLUMNS * width + 4, i // COLUMNS * height + 4
        picture.paste(Image.fromarray(image), (left, top))
        best = int(scores.argmax())
        color = "#1a7f37" if best == label else "#cf222e"
        chance = f" {scores[best]:.2f}"
        draw.text((left, top + tile), _fitting(names[best], chance, width - 8), color, font)
        if best != label:
            draw.text((left, top + tile + LINE), _fitting(names[label], "", width - 8), "black", font)
    return np.asarray(picture)


def confusion_picture(counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Rows are true classes, columns what was said, as the axes' titles say. A cell has the count and, below it, its
    share of the row in percent; the darker, the larger that is."""
    import numpy as np
    from PIL import Image, ImageDraw

    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    cell = CELL if len(names) <= NAMED else max(1, 800 // len(names))
    blue = np.array([8, 48, 107])
    colors = np.rint(255 + share[..., None] * (blue - 255)).astype(np.uint8)
    body = np.repeat(np.repeat(colors, cell, 0), cell, 1)
    font = _font()
    named = len(names) <= NAMED
    margin = LINE + 8 + (round(max(font.getlength(_cut(name)) for name in names)) if named else 0)
    side = margin + body.shape[0]
    picture = Image.new("RGB", (side, side), "white")
    picture.paste(Image.fromarray(body), (margin, margin))
    draw = ImageDraw.Draw(picture)
    middle = margin + body.shape[0] // 2
    draw.text((middle, 2), SAID, "black", font, anchor="mt")
    for i, name in enumerate(names if named else ()):
        place = margin + i * cell + cell // 2
        draw.text((margin - 4, place), _cut(name), "black", font, anchor="rm")
        for j, count in enumerate(counts[i]):
            if count:
                ink = "white" if share[i, j] > 0.5 else "black"
                across = margin + j * cell + cell // 2
                draw.text((across, place - 7), str(count), ink, font, anchor="mm")
                draw.text((across, place + 7), _percent(share[i, j]), ink, _font(9), anchor="mm")
    # What is written upwards is written on the picture turned.
    picture = picture.rotate(-90)
    draw = ImageDraw.Draw(picture)
    draw.text((side - middle, 2), TRUE, "black", font, anchor="mt")
    for i, name in enumerate(names if named else ()):
        draw.text((side - margin + 4, margin + i * cell + cell // 2), _cut(name), "black", font, anchor="lm")
    return np.asarray(picture.rotate(90))


def legend(body: np.ndarray, titles: Sequence[str], inks: Mapping[str, tuple[int, int, int]]) -> np.ndarray:
    """A picture of columns of equal width, with their titles above, and below what each colour stands for."""
    import numpy as np
    from PIL import Image, ImageDraw

    font, width = _font(), body.shape[1]
    places: list[tuple[str, int, int]] = []
    x, line = 4, 0
    for name in inks:
        wide = round(font.getlength(_cut(name))) + 24
        if x > 4 and x + wide > width:
            x, line = 4, line + 1
        places.append((name, x, line))
        x += wide
    below = (line + 1) * (LINE + 2) + 4
    picture = Image.new("RGB", (width, LINE + 4 + len(body) + below), "white")
    picture.paste(Image.fromarray(body), (0, LINE + 4))
    draw = ImageDraw.Draw(picture)
    for k, title in enumerate(titles):
        draw.text((round((k + 0.5) * width / len(titles)), 2), title, "black", font, anchor="mt")
    for name, x, line in places:
        top = LINE + 8 + len(body) + line * (LINE + 2)
        draw.rectangle((x, top, x + 10, top + 10), fill=inks[name])
        draw.text((x + 14, top - 1), _cut(name), "black", font)
    return np.asarray(picture)


def _percent(share: float) -> str:
    """A share in percent that is 100 only where it is all, and 0 only where it is nothing."""
    return f"{min(99, max(1, round(100 * share))) if share < 1 else 100} %"


def _font(size: int = 11) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def _cut(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _fitting(name: str, rest: str, width: int) -> str:
    """The name, shortened until it fits before the rest."""
    font = _font()
    for most in range(len(name), 1, -1):
        text = _cut(name, most) + rest
        if font.getlength(text) <= width:
            return text
    return _cut(name, 1) + rest
