"""Pascal VOC: an XML file of objects for each image."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from archspec.data.errors import DataError
from archspec.data.images import SUFFIXES
from archspec.data.layout import SPLITS, files_below, split_of
from archspec.data.objects import Judged, Marked, Picture
from archspec.data.source import DataPath
from archspec.data.sources.object_files import Annotations, ObjectFiles, small_file

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FOLDERS = ("jpegimages", "annotations", "images", "labels")
"""Names of folders that tell images from XML files, and no splits."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


class Voc(ObjectFiles, name="voc", main="path"):
    """Images with an XML file of the same name for each, as Pascal VOC has them (Everingham et al. 2010): in folders
    ``JPEGImages`` and ``Annotations`` with lists of names in ``ImageSets/Main``, or side by side in one folder, or in
    folders ``train``, ``val``, ``test`` (or what else these are usually called). Without splits a share is held out.

    Features are image, boxes (x1, y1, x2, y2 in pixels), classes, and whether an object is ``ignored``: VOC's
    ``difficult``. Classes are numbered in the order of their names.
    """

    path: DataPath
    """The folder."""
    first: Literal[0, 1] = 1
    """Number of the first pixel. VOC counts from 1, and its boxes contain the pixels xmin to xmax; with 0 xmin to xmax
    count from the image's edge."""

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        return (_root(folder) / "Annotations").is_dir() or any(folder.glob("*.xml"))

    def paths(self) -> list[str]:
        return sorted(path for _, image, marks in self._found() for path in (image, marks))

    def annotations(self) -> Annotations:
        pictures: dict[str, list[Picture]] = {}
        found: list[Judged] = list(self._alone())
        for split, image, marks in self._found():
            try:
                pictures.setdefault(split, []).append(_picture(image, marks, self.first))
            except ElementTree.ParseError as error:
                message = f"is no XML that can be read ({error}); its image is left out"
                found.append(Judged("broken annotations", marks, message))
        marked = [one for members in pictures.values() for picture in members for one in picture.marked]
        names = sorted({str(one.label) for one in marked if one.label is not None})
        return Annotations(tuple(names), pictures, found=tuple(found))

    def _found(self) -> list[tuple[str, str, str]]:
        """Split, image and XML file of each picture, in the order of names."""
        images, marks = self._files()
        listed = self._lists()
        if listed:
            by_stem = {os.path.splitext(os.path.basename(image))[0]: image for image in images.values()}
            marks_of = {os.path.splitext(os.path.basename(path))[0]: path for path in marks.values()}
            return [
                (split, by_stem[stem], marks_of[stem])
                for split, stems in listed.items()
                for stem in stems
                if stem in by_stem and stem in marks_of
            ]
        pairs = [(stem, images[stem], marks[stem]) for stem in sorted(images) if stem in marks]
        splits = [split_of(Path(stem).parts[0]) if len(Path(stem).parts) > 1 else None for stem, _, _ in pairs]
        has_splits = len({split for split in splits if split}) > 1
        return [
            (split or "train" if has_splits else "", image, path)
            for split, (_, image, path) in zip(splits, pairs, strict=True)
        ]

    def _alone(self) -> Iterator[Judged]:
        """Files whose other side is missing."""
        images, marks = self._files()
        for stem in sorted(set(images) - set(marks)):
            yield Judged("image without annotations", images[stem], "has no XML file and is left out", False)
        for stem in sorted(set(marks) - set(images)):
            yield Judged("annotations without an image", marks[stem], "has no image and is left out", False)
        for split, stems in self._lists().items():
            known = {os.path.basename(stem) for stem in images} & {os.path.basename(stem) for stem in marks}
            for stem in stems:
                if stem not in known:
                    message = f"is listed in {split}, and has no image or no XML file"
                    yield Judged("listed and missing", stem, message, False)

    def _files(self) -> tuple[dict[str, str], dict[str, str]]:
        """Images and XML files by their path below the folder without its ending; without the name of VOC's folders."""
        images: dict[str, str] = {}
        marks: dict[str, str] = {}
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder")
        root = _root(self.path)
        for name in files_below(root):
            path = Path(name)
            stem = "/".join([part for part in path.parent.parts if part.lower() not in FOLDERS] + [path.stem])
            if name.lower().endswith(SUFFIXES):
                images[stem] = str(root / path)
            elif path.suffix.lower() == ".xml":
                marks[stem] = str(root / path)
        return images, marks

    def _lists(self) -> dict[str, list[str]]:
        """Names of the images of each split, where there are lists of them."""
        folder = _root(self.path) / "ImageSets" / "Main"
        out = {}
        for split in SPLITS:
            for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
                if split_of(path.stem) == split:
                    text = small_file(path).decode("utf-8", "replace")
                    # Lists of one class have a second column: whether the image shows it.
                    out[split] = [line.split()[0] for line in text.splitlines() if line.strip()]
        return out


def _root(folder: Path) -> Path:
    """The folder that has ``Annotations``: this one, or the only one in it."""
    inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    below = [path for path in inside if (path / "Annotations").is_dir()]
    return below[0] if len(below) == 1 and not (folder / "Annotations").is_dir() else folder


def _picture(image: str, path: str, first: int) -> Picture:
    """What an XML file says. Raises ParseError, DataError."""
    data = small_file(path)
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise DataError(f"{path} declares a document type or entities, which no annotation needs")
    try:
        root = ElementTree.fromstring(data)
    except (ValueError, LookupError) as error:
        raise ElementTree.ParseError(str(error)) from None
    size = root.find("size")
    width, height = (int(_number(size, name) or 0) for name in ("width", "height"))
    said = (width, height) if width > 0 and height > 0 else None
    return Picture(image, path, [_marked(path, k, o, first) for k, o in enumerate(root.findall("object"), 1)], said)


def _marked(path: str, number: int, entry: Element, first: int) -> Marked:
    box, faults = entry.find("bndbox"), []
    sides = [_number(box, name) for name in SIDES] if box is not None else [None] * 4
    label = (entry.findtext("name") or "").strip() or None
    missing = [name for name, side in zip(SIDES, sides, strict=True) if side is None]
    left, top, right, bottom = (side if side is not None else 0.0 for side in sides)
    said = f"{left:g} {top:g} {right:g} {bottom:g}"
    if missing:
        faults.append(("box cannot be read", f"has no number for {', '.join(missing)}"))
    elif right == left or bottom == top:
        faults.append(("empty", f"has no area: {said}"))
    elif first and min(left, top) == 0:
        raise DataError(f"{path}, object {number} begins at pixel 0, and VOC counts from 1: {said}", help="first: 0")
    if label is None:
        faults.append(("unknown class", "has no name"))
    ignored = (entry.findtext("difficult") or "0").strip() == "1"
    box_of = left - first, top - first, right, bottom
    return Marked(box_of, label, f"object {number}", ignored, tuple(faults[:1]), said)


def _number(entry: Element | None, name: str) -> float | None:
    """A finite number that an element has; None where it has none."""
    text = entry.findtext(name) if entry is not None else None
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
