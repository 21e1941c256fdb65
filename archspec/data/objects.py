"""Objects in pictures: what a file of annotations says of them, what of it can be used, and the arrays made of it.

A source reads its files into pictures with marked objects, in whatever convention; here they become boxes x1, y1, x2,
y2 in pixels of the stored image, from the edge of its first pixel, and every object is judged by itself: one that is
bad never takes its picture along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from archspec.data import corners
from archspec.data.example import CORNERS, Example
from archspec.data.feature import Feature
from archspec.data.features.boxes import Boxes
from archspec.data.features.labels import Labels
from archspec.data.features.mask_places import MaskPlaces
from archspec.data.features.object_masks import ObjectMasks
from archspec.data.features.points import Points
from archspec.data.features.row_numbers import RowNumbers
from archspec.data.run_lengths import covered, of_segmentation
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import numpy as np

BOXES, CLASSES, IGNORED, AREAS = "boxes", "classes", "ignored", "areas"
"""Names of the features that objects are made of."""
MASKS, PLACES = "masks", "places"
"""Names of those that they have besides where the data have masks: all of a picture, and which is whose."""
TOLERANCE = 0.01
"""What a box may reach over the border by and is cut without a word: this share of the side, or one pixel."""
SMALL = 2
"""Pixels of a side below which an object is told of."""
Box = tuple[float, float, float, float]
OnObject = Literal["skip", "fail"]
"""What happens where an object's annotation is bad: it is left out, or the run is refused."""


class Marked(NamedTuple):
    """One object as a file has it."""

    box: Box
    """In pixels of the picture, from the edge of its first pixel; or in shares of its sides, where it says so."""
    label: str | int | None
    """A class by its name, or by its number in the order of the classes; None where the file has none."""
    place: str
    """What a person finds it by in the file: ``object 3``, ``line 2``."""
    is_ignored: bool = False
    """A crowd of COCO, a difficult object of VOC: not to be learnt, and no miss where it is not found."""
    faults: tuple[tuple[str, str], ...] = ()
    """What is wrong with its row already: kinds, and what to say. It is left out."""
    said: str = ""
    """The box's numbers as the file has them."""
    area: float | None = None
    """Pixels that the object covers, where the file tells: those of its outline, fewer than those of its box."""
    mask: bytes | None = None
    """Which pixels these are, as ``run_lengths`` has them, where masks are read."""
    outline: tuple[float, ...] = ()
    """x and y in turn of the points about them, instead: in shares of the picture's sides, as its boxes are."""
    number: int = 0
    """The number of these pixels in a picture of segments, instead."""


class Picture(NamedTuple):
    """An image file and the objects marked on it."""

    path: str
    source: str
    """The file that the marks are from."""
    marked: Sequence[Marked]
    size: tuple[int, int] | None = None
    """Width and height that the annotations give the picture."""
    in_shares: bool = False
    """True where boxes are shares of the sides of the picture as a viewer shows it, turned by its EXIF orientation."""


class StoredImage(NamedTuple):
    """What an image file says of itself: width, height, and EXIF's orientation (1: as it is)."""

    width: int
    height: int
    orientation: int = 1


class Kept(NamedTuple):
    """An object that is used: its box in the stored image, and the number of its class."""

    box: Box
    label: int
    is_ignored: bool = False
    area: float | None = None
    """Pixels that it covers in the stored image; None where they are those of its box."""
    mask: bytes | None = None
    """Which pixels of the stored image these are, as ``run_lengths`` has them."""
    number: int = 0
    """The number of these pixels in a picture of segments, instead."""

    @property
    def size(self) -> float:
        """Pixels that it covers."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top) if self.area is None else self.area


class Judged(NamedTuple):
    """A kind of finding, where, and what it says. ``is_fault`` where an object or picture is left out."""

    kind: str
    where: str
    message: str
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """Which objects of a picture are used; None where the picture itself is left out."""

    kept: tuple[Kept, ...] | None
    found: tuple[Judged, ...]


def judge(picture: Picture, stored: StoredImage, numbers: Mapping[str, int], count: int) -> Judgement:
    """Judge the objects of a picture; ``numbers`` are those of classes by name, ``count`` how many there are."""
    name, found = picture.path, []
    if not stored.width:
        # It cannot be read, which whoever decodes it tells.
        return Judgement((), ())
    size = stored.width, stored.height
    turn = picture.in_shares and stored.orientation != 1
    if picture.size is not None and picture.size != size:
        if picture.size == size[::-1] and stored.orientation >= 5:
            turn = True
        else:
            said = f"{picture.size[0]}×{picture.size[1]}"
            message = f"is {size[0]}×{size[1]}, {picture.source} says {said}: boxes would lie elsewhere"
            return Judgement(None, (Judged("another size", name, message),))
    width, height = size[::-1] if turn and stored.orientation >= 5 else size
    kept: list[Kept] = []
    seen: dict[tuple[object, ...], str] = {}
    for marked in picture.marked:
        if picture.in_shares:
            x1, y1, x2, y2 = marked.box
            marked = marked._replace(box=(x1 * width, y1 * height, x2 * width, y2 * height))
            if marked.outline:
                marked = _filled(marked, width, height)
        where = f"{picture.source}, {marked.place}"
        wrong = [Judged(kind, where, message) for kind, message in marked.faults]
        wrong = wrong or [Judged(kind, where, message) for kind, message in _wrong(marked, width, height)]
        label = numbers.get(marked.label, -1) if isinstance(marked.label, str) else marked.label
        if not wrong and (label is None or not 0 <= label < count):
            wrong = [
                Judged("unknown class", where, f"has the class {shown(marked.label)}, and there are 0 to {count - 1}")
            ]
        key = (marked.box, marked.label, marked.mask, marked.number)
        if not wrong and key in seen:
            wrong = [Judged("twice", where, f"is the same as {seen[key]}")]
        if wrong:
            found += wrong
            continue
        seen[key] = marked.place
        box = (max(marked.box[0], 0.0), max(marked.box[1], 0.0), min(marked.box[2], width), min(marked.box[3], height))
        found += [Judged(kind, where, message, False) for kind, message in _odd(marked, box, width, height)]
        assert label is not None
        box, mask = (as_stored(box, stored), _turned(marked.mask, stored)) if turn else (box, marked.mask)
        kept.append(Kept(box, label, marked.is_ignored, marked.area, mask, marked.number))
    if not picture.marked:
        found.append(Judged("no objects", name, "has no objects: it teaches what is background", False))
    return Judgement(tuple(kept), tuple(found))


def _filled(marked: Marked, width: int, height: int) -> Marked:
    """The same with the pixels within its outline."""
    points = [share * (height if k % 2 else width) for k, share in enumerate(marked.outline)]
    mask = of_segmentation([points], (height, width))
    return marked._replace(mask=mask, area=float(covered(mask, (height, width))) or None)


def _wrong(marked: Marked, width: int, height: int) -> Iterator[tuple[str, str]]:
    """What makes an object useless: at most one thing."""
    box = marked.box
    left, top, right, bottom = box
    text = marked.said or " ".join(f"{n:g}" for n in box)
    if not all(map(math.isfinite, box)):
        yield "not a number", f"has the box {text}"
    elif right < left or bottom < top:
        sides = 0 <= left <= width and 0 <= top <= height and 0 < right <= width and 0 < bottom <= height
        hint = "; these look like x, y, width, height" if sides and left + right <= width + 1 else ""
        yield "inverted", f"ends before it begins: {text}{hint}"
    elif right == left or bottom == top:
        yield "empty", f"has no area: {text}"
    elif right <= 0 or bottom <= 0 or left >= width or top >= height:
        yield "outside", f"lies outside of the picture of {width}×{height}: {text}"


def _odd(marked: Marked, cut: Box, width: int, height: int) -> Iterator[tuple[str, str]]:
    """What is worth a look at an object that is used, and was ``cut`` to the picture."""
    box = marked.box
    over = max(-box[0], box[2] - width), max(-box[1], box[3] - height)
    text = marked.said or " ".join(f"{n:g}" for n in box)
    if over[0] > max(1, TOLERANCE * width) or over[1] > max(1, TOLERANCE * height):
        yield "over the border", f"reaches {max(over):g} pixels over the border of {width}×{height}: {text}; it is cut"
    if min(cut[2] - cut[0], cut[3] - cut[1]) < SMALL:
        yield "tiny object", f"is {cut[2] - cut[0]:g}×{cut[3] - cut[1]:g} pixels"
    elif cut == (0, 0, width, height):
        yield "whole picture", "covers the whole picture"
    if marked.mask is not None and not covered(marked.mask, (height, width)):
        yield "empty mask", "has a mask without pixels, though its box has some"


def as_stored(box: Box, stored: StoredImage) -> Box:
    """A box of the picture as it is shown, in the stored image (EXIF 2.32, tag 274, orientations 1 to 8)."""
    width, height = float(stored.width), float(stored.height)
    way: Callable[[float, float], tuple[float, float]] = {
        1: lambda u, v: (u, v),
        2: lambda u, v: (width - u, v),
        3: lambda u, v: (width - u, height - v),
        4: lambda u, v: (u, height - v),
        5: lambda u, v: (v, u),
        6: lambda u, v: (v, height - u),
        7: lambda u, v: (width - v, height - u),
        8: lambda u, v: (width - v, u),
    }[stored.orientation]
    (a, b), (c, d) = way(*box[:2]), way(*box[2:])
    return min(a, c), min(b, d), max(a, c), max(b, d)


def as_shown(box: Box, stored: StoredImage) -> Box:
    """A box of the stored image in the picture as it is shown: the inverse of ``as_stored``."""
    size = (stored.height, stored.width) if stored.orientation >= 5 else (stored.width, stored.height)
    # A quarter turn is undone by one the other way; all other orientations undo themselves.
    return as_stored(box, StoredImage(*size, {6: 8, 8: 6}.get(stored.orientation, stored.orientation)))


def _turned(mask: bytes | None, stored: StoredImage) -> bytes | None:
    """Run lengths of a mask of the picture as it is shown, as those of the stored image."""
    from archspec.data.run_lengths import pixels, run_lengths

    if mask is None:
        return None
    sides = (stored.width, stored.height) if stored.orientation >= 5 else (stored.height, stored.width)
    return run_lengths(in_stored(pixels(mask, sides), stored.orientation))


def in_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels of a picture as it is shown, (height, width, …), as its file has them that EXIF turns so."""
    turned = shown.swapaxes(0, 1) if orientation >= 5 else shown
    down, right = orientation in (3, 4, 6, 7), orientation in (2, 3, 7, 8)
    return turned[:: -1 if down else 1, :: -1 if right else 1]


def class_numbers(names: Sequence[str]) -> dict[str, int]:
    """The number of each class by its name."""
    return {name: number for number, name in enumerate(names)}


def features(names: tuple[str, ...], most: int) -> dict[str, Feature]:
    """The kinds of the features of objects, of which an example has up to ``most``."""
    return {
        BOXES: Boxes(most),
        CLASSES: Labels(most, len(names), names, rows="object"),
        IGNORED: Labels(most, 2, ("counted", "ignored"), rows="object"),
        AREAS: RowNumbers(most),
        CORNERS: Points(corners.COUNT),
    }


def mask_features(most: int, size: Sequence[int | None]) -> dict[str, Feature]:
    """The kinds of the features that say which pixels of images of this size are whose."""
    channels = -(-most // 8)
    return {MASKS: ObjectMasks((size[0], size[1]), channels), PLACES: MaskPlaces(most, 8 * channels)}


def object_names(example: Example) -> tuple[str, ...]:
    """The names of the classes of objects; empty where the data have none."""
    classes = example.features.get(CLASSES)
    return classes.class_names if isinstance(classes, Labels) else ()


def arrays(examples: Iterable[Sequence[Kept]], sizes: Sequence[tuple[int, int]], most: int) -> dict[str, np.ndarray]:
    """The arrays of these features, filled up behind the last object of each example; ``sizes`` are width and height of
    each image."""
    import numpy as np

    rows = list(examples)
    boxes = np.zeros((len(rows), most, 4), np.float32)
    classes = np.full((len(rows), most), -1, np.int32)
    ignored = np.full((len(rows), most), -1, np.int32)
    areas = np.zeros((len(rows), most), np.float32)
    for i, kept in enumerate(rows):
        for k, one in enumerate(kept):
            boxes[i, k], classes[i, k], ignored[i, k] = one.box, one.label, one.is_ignored
            areas[i, k] = one.size
    placed = corners.corners(np.reshape(sizes, (len(rows), 2)))
    return {BOXES: boxes, CLASSES: classes, IGNORED: ignored, AREAS: areas, CORNERS: placed}


def places(examples: Iterable[Sequence[Kept]], most: int) -> np.ndarray:
    """Of each object of each example the place of its mask: objects have masks in their own order."""
    import numpy as np

    counts = np.array([len(kept) for kept in examples])
    numbers = np.arange(most, dtype=np.int32)[None]
    return np.where(numbers < counts[:, None], numbers, np.int32(-1))
