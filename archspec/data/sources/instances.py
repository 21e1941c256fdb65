"""Images with the object of each pixel: a folder of photos and one of masks whose values number the objects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.images import by_pillow, too_large
from archspec.data.mask_values import Values
from archspec.data.objects import Judged, Marked, Picture
from archspec.data.run_lengths import is_installed, run_lengths
from archspec.data.source import DataPath, stamp
from archspec.data.sources.masks import matched
from archspec.data.sources.object_files import Annotations, ObjectFiles

if TYPE_CHECKING:
    import numpy as np

MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
"""How Pillow calls files whose pixels are whole numbers."""


class Instances(ObjectFiles, name="instances", main="path"):
    """A folder of images and one of masks, whose files have the same names, as of ``masks``: each value of a mask but
    0 is an object, of which it is the number. Cellpose, StarDist and others write cells so.

    Features are image, boxes about the pixels of each object, classes and masks. All objects are of one class; with
    ``values`` an object's number is that of its class times ``divisor`` and a further one, as in Cityscapes' instance
    files. Needs pycocotools.
    """

    path: DataPath
    """The folder of both, or that of the images where ``masks`` is given."""
    masks: DataPath | None = None
    """The folder of the masks, where they lie elsewhere."""
    called: Annotated[str, Field(min_length=1, max_length=200)] = "object"
    """Name of the class that all objects are of."""
    values: Values = ()
    """Names of classes by number, ``{24: person, 26: car}``: objects of others, and values below ``divisor``, are left
    out."""
    kinds: DataPath | None = None
    """A folder of masks of classes, whose files are called as those of ``masks``: an object is of the class that most
    of its pixels have there, by the numbers in ``values``, as in Pascal VOC's ``SegmentationClass`` beside
    ``SegmentationObject``."""
    divisor: Annotated[int, Field(ge=2, le=10**6)] = 1000
    """What the number of a class is multiplied by, where there are ``values`` and no ``kinds``."""

    @property
    def has_masks(self) -> bool:
        return True

    def paths(self) -> list[str]:
        found, _, _ = matched(self.path, self.masks)
        pairs = [pair for members in found.values() for pair in members]
        own = [kinds for _, mask in pairs if (kinds := _kinds(self, mask)) and Path(kinds).is_file()]
        return sorted([*(path for pair in pairs for path in pair), *own])

    def annotations(self) -> Annotations:
        return _read(self, stamp(self, self.paths()))


@lru_cache(maxsize=4)
def _read(source: Instances, fingerprint: str) -> Annotations:
    """Raises DataError."""
    if not is_installed():
        raise DataError("masks are kept by pycocotools", help="pip install 'archspec-keras[detection]'")
    if any(isinstance(value, str) for value, _ in source.values):
        raise DataError("instances: values are numbers of classes, not colours", help="values: {24: person, 26: car}")
    if source.kinds is not None and not source.values:
        raise DataError("instances: kinds are numbers of classes, which values names", help="values: {1: cat, 2: dog}")
    found, strays, faults = matched(source.path, source.masks)
    names = tuple(dict.fromkeys(name for _, name in source.values)) or (source.called,)
    pictures: dict[str, list[Picture]] = {}
    judged = [Judged(one.kind, one.where, one.message, False) for one in faults]
    for split, pairs in found.items():
        for image, path in pairs:
            try:
                numbers = _numbers(path, source.max_pixels)
                kinds = None if source.kinds is None else _numbers(_kinds(source, path), source.max_pixels)
                if kinds is not None and kinds.shape != numbers.shape:
                    raise DataError(f"has another size than the mask of classes, {_kinds(source, path)}")
            except DataError as error:
                judged.append(Judged("mask cannot be read", path, f"{error.message}; its image is left out"))
                continue
            size = numbers.shape[1], numbers.shape[0]
            pictures.setdefault(split, []).append(Picture(image, path, list(_marked(source, numbers, kinds)), size))
    # The images themselves are one split where there are no folders for several.
    if len(found) == 1:
        pictures = {"": [picture for members in pictures.values() for picture in members]}
    return Annotations(names, pictures, strays, tuple(judged))


def _kinds(source: Instances, mask: str) -> str:
    """The file with the classes of the pixels of a mask; empty where there is none."""
    return "" if source.kinds is None else str(source.kinds / Path(mask).name)


def _marked(source: Instances, numbers: np.ndarray, kinds: np.ndarray | None) -> Iterator[Marked]:
    """The objects of a mask, in the order of their numbers; ``kinds`` are the classes of its pixels."""
    import numpy as np

    by_number = dict(source.values)
    for value in np.unique(numbers[numbers > 0]).tolist():
        name: Any = source.called
        one = numbers == value
        if source.values:
            kind = value // source.divisor if kinds is None else int(np.bincount(kinds[one]).argmax())
            if (kinds is None and value < source.divisor) or kind not in by_number:
                continue
            name = by_number[kind]
        rows, columns = np.flatnonzero(one.any(1)).tolist(), np.flatnonzero(one.any(0)).tolist()
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        yield Marked(box, name, f"object {value}", area=float(one.sum()), mask=run_lengths(one))


def _numbers(path: str, max_pixels: int) -> np.ndarray:
    """The value of each pixel of a mask: int64 of shape (height, width). Raises DataError."""
    import numpy as np

    try:
        with by_pillow(str(Path(path))) as image:
            if image.width * image.height > max_pixels:
                raise DataError(too_large(image.width, image.height, max_pixels))
            if image.format == "JPEG":
                raise DataError("is a JPEG file, which keeps no values: masks are PNG, TIFF, BMP or GIF")
            if image.mode not in MODES:
                raise DataError(f"has colours ({image.mode}), not a number of an object at each pixel")
            return np.asarray(image).astype(np.int64)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"cannot be read: {error}") from None
