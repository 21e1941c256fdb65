"""Masks of objects as run lengths, in COCO's compressed form: counts of 0 and 1 in turn, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import numpy as np


def run_lengths(mask: np.ndarray) -> bytes:
    """Of a mask (height, width)."""
    import numpy as np
    from pycocotools import mask as coco

    found: bytes = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return found


def pixels(counts: bytes, size: Sequence[int]) -> np.ndarray:
    """The mask that run lengths are of: uint8 of shape (height, width)."""
    from pycocotools import mask as coco

    found: np.ndarray = coco.decode({"size": list(size), "counts": counts})
    return found


def covered(counts: bytes, size: Sequence[int]) -> int:
    """How many pixels run lengths are of."""
    from pycocotools import mask as coco

    return int(coco.area({"size": list(size), "counts": counts}))


def of_segmentation(said: object, size: Sequence[int]) -> bytes:
    """Run lengths of what COCO calls a segmentation of an image of this height and width: outlines, each a list of x
    and y in turn, whose pixels are those of pycocotools, or run lengths. Raises DataError, which says what it has."""
    from pycocotools import mask as coco

    height, width = size
    if isinstance(said, list):
        if not said or not all(isinstance(one, list) and len(one) >= 6 and len(one) % 2 == 0 for one in said):
            raise DataError("has no outline of three points or more")
        if not all(
            isinstance(n, (int, float)) and not isinstance(n, bool) and abs(n) < 1e6 for one in said for n in one
        ):
            raise DataError("has an outline with what is no number")
        found: bytes = coco.merge(coco.frPyObjects(said, height, width))["counts"]
        return found
    if not isinstance(said, Mapping) or "counts" not in said:
        raise DataError(f"has the segmentation {shown(said)}, which is neither outlines nor run lengths")
    if list(said.get("size") or ()) != [height, width]:
        raise DataError(f"has run lengths of {shown(said.get('size'))}, the picture is {height}×{width} (height first)")
    counts: Any = said["counts"]
    if isinstance(counts, list):
        if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in counts):
            raise DataError("has run lengths that are no numbers of pixels")
        if sum(counts) != height * width:
            raise DataError(f"has run lengths of {sum(counts)} pixels, the picture has {height * width}")
        packed: bytes = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)["counts"]
        return packed
    if isinstance(counts, str):
        text = counts.encode()
        if _pixels_of(text) != height * width:
            raise DataError(f"has run lengths of another number of pixels than the picture's {height * width}")
        return text
    raise DataError("has run lengths that are neither a text nor a list")


def _pixels_of(text: bytes) -> int | None:
    """How many pixels compressed counts are of; None where they are no such: pycocotools reads them unchecked."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, k, more = 0, 0, True
        while more:
            if at >= len(text) or k > 12 or not 0 <= (c := text[at] - 48) < 64:
                return None
            value |= (c & 0x1F) << (5 * k)
            more, at, k = bool(c & 0x20), at + 1, k + 1
            if not more and c & 0x10:
                value |= -1 << (5 * k)
        if len(counts) > 2:
            value += counts[-2]
        if value < 0:
            return None
        counts.append(value)
    return sum(counts)


def is_installed() -> bool:
    """Whether what reads and writes them is there."""
    return find_spec("pycocotools") is not None
