"""COCO's panoptic files: a picture of numbers of segments for each image, and one JSON file of what they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data import files, objects
from archspec.data.errors import DataError
from archspec.data.example import LABEL, Example
from archspec.data.features.mask import Mask
from archspec.data.files import FileEntry, Listing
from archspec.data.images import by_pillow, stored_size, too_large
from archspec.data.mask_values import VOID, shares
from archspec.data.objects import Judged, Marked, Picture
from archspec.data.segments import THINGS
from archspec.data.source import DataPath
from archspec.data.sources.coco import (
    PANOPTIC,
    by_split,
    categories,
    document,
    folder_of,
    is_number,
    listed_images,
    said_size,
)
from archspec.data.sources.object_files import Annotations, ObjectFiles, unreadable
from archspec.ir.diagnostics import shown
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf


class Panoptic(ObjectFiles, name="panoptic", main="path"):
    """Images, for each a PNG file with the number of a segment at each pixel (red + 256 green + 65,536 blue), and a
    JSON file that says what the segments are, as COCO's panoptic task has them (Kirillov et al. 2018):
    ``annotations/panoptic_train2017.json`` and the folder ``annotations/panoptic_train2017`` beside ``train2017/``, or
    one JSON file and where the others are.

    Segments of categories that are things are objects: features are image, boxes, classes, ``ignored`` (a crowd) and
    masks. The class of each pixel is in ``label``: 0 of all things, then stuff in the order of the ids; pixels of no
    segment, and of what the file does not list, are void. Needs pycocotools.
    """

    path: DataPath
    """The folder, or one JSON file, of which a share is held out."""
    images: DataPath | None = None
    """Folder of the images, where it is elsewhere."""
    segments: DataPath | None = None
    """Folder of the pictures of segments, where it is not called as the JSON file, and beside it."""

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        return any(folder.glob(f"annotations/{PANOPTIC}*.json")) and not any(folder.glob("annotations/inst*.json"))

    @property
    def has_masks(self) -> bool:
        return True

    def paths(self) -> list[str]:
        read = [(path, self._read(path)) for _, path in self._files()]
        pairs = [(image, one.png) for _, said in read for image, one in said.segments.items()]
        return sorted({*(str(path) for path, _ in read), *(path for pair in pairs for path in pair)})

    def annotations(self) -> Annotations:
        pictures: dict[str, Sequence[Picture]] = {}
        found: list[Judged] = []
        things, stuff = self._names()
        for split, path in self._files():
            read = self._read(path)
            if (read.things, read.stuff) != (things, stuff):
                raise DataError(f"{path} has other categories than the split before")
            pictures[split], found = read.pictures, [*found, *read.found]
        return Annotations(things, pictures, found=tuple(found))

    def ids(self, images: Sequence[str], numbers: Sequence[int]) -> tuple[Sequence[Any], Sequence[int]]:
        read = [self._read(path) for _, path in self._files()]
        known = {path: one.image for said in read for path, one in said.segments.items()}
        return [known[path] for path in images], read[0].categories

    def features(self) -> Example:
        names = (THINGS, *self._names()[1])
        mask = Mask(TensorSpec((None, None, 1), "uint8"), len(names), names, VOID)
        return super().features().with_features(**{LABEL: mask})

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        import tensorflow as tf

        from archspec.data.features.object_masks import bits

        beside = files.labelled(entries, listing)
        assert listing.most is not None
        channels, known = -(-listing.most // 8), self._segments()
        places = tf.constant(objects.places([entry.objects for entry in entries], listing.most))

        def read(row: Any) -> Any:
            entry = entries[int(row)]
            numbers = _in_file(known[entry.path].png, entry.path, self.max_pixels)
            masks = bits([numbers == one.number for one in entry.objects], channels, numbers.shape)
            return masks, _classes(numbers, known[entry.path].kinds)[..., None]

        def told(row: tf.Tensor) -> dict[str, tf.Tensor]:
            masks, label = tf.numpy_function(read, [row], [tf.uint8, tf.uint8], stateful=False)
            own = {
                objects.MASKS: tf.ensure_shape(masks, (None, None, channels)),
                objects.PLACES: tf.gather(places, row),
            }
            return beside(row) | own | {LABEL: tf.ensure_shape(label, (None, None, 1))}

        return told

    def unfit(self, entry: FileEntry) -> str | None:
        one = self._segments()[entry.path]
        try:
            numbers = _in_file(one.png, entry.path, self.max_pixels)
        except DataError as error:
            return f"has a picture of segments that {error.message}: {shown(one.png, 300)[1:-1]}"
        if numbers.shape[::-1] != entry.size:
            (height, width), size = numbers.shape, f"{entry.size[0]}×{entry.size[1]}"
            return f"is {size} pixels and its picture of segments {width}×{height}: {shown(one.png, 300)[1:-1]}"
        import numpy as np

        there = dict(zip(*(x.tolist() for x in np.unique(numbers, return_counts=True)), strict=True))
        if odd := {number: count for number, count in there.items() if number and number not in one.kinds}:
            said = shares(odd, numbers.size)
            return f"has segments that its JSON file does not list: {said} ({shown(one.png, 300)[1:-1]})"
        if gone := sorted(set(one.kinds) - set(there)):
            return f"has no pixels of its segment {gone[0]}: {shown(one.png, 300)[1:-1]}"
        return None

    def _files(self) -> list[tuple[str, Path]]:
        """The JSON file of each split. Raises DataError."""
        if not self.path.is_dir():
            return [("", self.path)]
        return by_split(self.path, sorted(self.path.glob(f"annotations/{PANOPTIC}*.json")), PANOPTIC)

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of things, and of stuff."""
        read = self._read(self._files()[0][1])
        return read.things, read.stuff

    def _segments(self) -> Mapping[str, _Segments]:
        return {image: one for _, path in self._files() for image, one in self._read(path).segments.items()}

    def _read(self, path: Path) -> _PanopticFile:
        try:
            known = os.stat(path)
        except OSError as error:
            raise unreadable(str(path), error) from None
        return _read(path, self.images, self.segments, known.st_size, known.st_mtime_ns)


class _Segments(NamedTuple):
    """What a file says of the segments of an image: its id, the PNG file, and by number the class in ``label``."""

    image: Any
    png: str
    kinds: Mapping[int, int]


class _PanopticFile(NamedTuple):
    """What a file says; segments by the image's path."""

    things: tuple[str, ...]
    stuff: tuple[str, ...]
    categories: tuple[int, ...]
    """The ids of the things, in their order."""
    pictures: list[Picture]
    segments: Mapping[str, _Segments]
    found: list[Judged]


@lru_cache(maxsize=4)
def _read(path: Path, images: Path | None, segments: Path | None, size: int, changed: int) -> _PanopticFile:
    """What a file of this size and time says. Raises DataError."""
    said = document(path)
    found: list[Judged] = []
    numbers, names = categories(path, said["categories"])
    is_thing = {one["id"]: one.get("isthing", 1) == 1 for one in said["categories"]}
    ids = list(numbers)
    things = tuple(name for key, name in zip(ids, names, strict=True) if is_thing[key])
    stuff = tuple(name for key, name in zip(ids, names, strict=True) if not is_thing[key])
    if not things:
        raise DataError(f"{path} has no category that is a thing: 'isthing' is 1 for objects, and 0 for what is none")
    if len(stuff) >= VOID:
        raise DataError(f"{path} has {len(stuff)} categories that are no things, more than {VOID - 1}")
    of_thing = {key: k for k, key in enumerate(key for key in ids if is_thing[key])}
    of_stuff = {key: k + 1 for k, key in enumerate(key for key in ids if not is_thing[key])}
    by_id = dict(listed_images(path, said["images"], found))
    folder = folder_of(path, images, [str(image["file_name"]) for image in by_id.values()])
    pictures, of_image = [], {}
    drawn = str(segments or path.with_suffix(""))
    for k, one in enumerate(said["annotations"], 1):
        image = by_id.get(one.get("image_id")) if isinstance(one, dict) else None
        if image is None:
            found.append(Judged("unknown image", f"{path}, annotation number {k}", "is of no image of the file"))
            continue
        name, listed = one.get("file_name"), one.get("segments_info")
        if not isinstance(name, str) or os.path.basename(name) != name or not isinstance(listed, list):
            where = f"{path}, image {one['image_id']}"
            found.append(Judged("segments cannot be read", where, "has no file_name or no list segments_info"))
            continue
        place = os.path.join(folder, str(image["file_name"]))
        png = os.path.join(drawn, name)
        if missing := next((file for file in (place, png) if not os.path.isfile(file)), None):
            found.append(Judged("file missing", missing, f"is named in {path} and is not there", False))
            continue
        kinds: dict[int, int] = {}
        marked = []
        for segment in listed:
            mark = _marked(segment, of_thing, of_stuff, kinds)
            marked += [mark] if mark is not None else []
        pictures.append(Picture(place, str(path), marked, said_size(image)))
        of_image[place] = _Segments(one["image_id"], png, kinds)
    return _PanopticFile(things, stuff, tuple(of_thing), pictures, of_image, found)


def _marked(said: Any, things: Mapping[Any, int], stuff: Mapping[Any, int], kinds: dict[int, int]) -> Marked | None:
    """The object that a segment is, None where it is stuff; its class in the label goes to ``kinds``."""
    number, kind, box = (said.get(name) if isinstance(said, dict) else None for name in ("id", "category_id", "bbox"))
    place = f"segment {shown(number)}"
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 24 or number in kinds:
        return _faulty(place, "segment", "has no number of its own between 1 and 16,777,215")
    is_known = isinstance(kind, (int, str)) and (kind in things or kind in stuff)
    kinds[number] = (0 if kind in things else stuff[kind]) if is_known else VOID
    if not is_known:
        return _faulty(place, "unknown class", f"has the category {shown(kind)}, which the file does not have")
    if kind in stuff:
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        return _faulty(place, "box cannot be read", f"has the bbox {shown(box)}, not x, y, width, height")
    x, y, width, height = map(float, box)
    area, text = said.get("area"), f"{x:g} {y:g} {width:g} {height:g}"
    faults = (("empty", f"has the width {width:g} and the height {height:g}"),) if min(width, height) <= 0 else ()
    covered = float(area) if is_number(area) and area > 0 else None
    edges = (x, y, x + width, y + height)
    return Marked(edges, things[kind], place, said.get("iscrowd") == 1, faults, text, covered, number=number)


def _faulty(place: str, kind: str, message: str) -> Marked:
    return Marked((0.0, 0.0, 0.0, 0.0), None, place, faults=((kind, message),))


def _classes(numbers: np.ndarray, kinds: Mapping[int, int]) -> np.ndarray:
    """The class in the label of each pixel: uint8 of the same shape."""
    import numpy as np

    out = np.full(numbers.shape, VOID, np.uint8)
    for number, kind in kinds.items():
        out[numbers == number] = kind
    return out


def _in_file(png: str, image: str, max_pixels: int) -> np.ndarray:
    """The number of the segment of each pixel of an image's file: int32 of shape (height, width). Raises DataError."""
    import numpy as np

    try:
        with by_pillow(png) as picture:
            if picture.width * picture.height > max_pixels:
                raise DataError(too_large(picture.width, picture.height, max_pixels))
            if picture.mode not in ("RGB", "RGBA") or picture.format == "JPEG":
                raise DataError(f"is no picture of 8-bit red, green and blue ({picture.format}, {picture.mode})")
            colours = np.asarray(picture.convert("RGB")).astype(np.int32)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"cannot be read ({getattr(error, 'strerror', None) or 'not an image'})") from None
    numbers: np.ndarray = colours @ np.array([1, 256, 65536], np.int32)
    width, height, orientation = stored_size(image)
    if orientation >= 5 and numbers.shape == (width, height) != (height, width):
        return objects.in_stored(numbers, orientation)
    return numbers
