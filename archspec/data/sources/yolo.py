"""YOLO: a text file of objects for each image, a line each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from archspec.data.errors import DataError
from archspec.data.images import SUFFIXES
from archspec.data.layout import files_below, split_of
from archspec.data.objects import Judged, Marked, Picture
from archspec.data.run_lengths import is_installed
from archspec.data.source import DataPath
from archspec.data.sources.object_files import Annotations, ObjectFiles, small_file
from archspec.ir.diagnostics import shown

FILES = ("data.yaml", "data.yml", "dataset.yaml", "config.yaml")
"""What the file with the names of the classes is usually called."""


class Yolo(ObjectFiles, name="yolo", main="path"):
    """Images with a text file of the same name for each, as YOLO reads them (Redmon et al. 2016): a line has the number
    of a class and the box's centre, width and height as shares of the picture's, or the corners of a polygon.

    A YAML file names the classes and the folders (or lists) of the splits; label files stand in a folder ``labels``
    beside the folder ``images``, or beside the images. Features are image, boxes (x1, y1, x2, y2 in pixels), classes,
    and whether an object is ``ignored``, which none is.
    """

    path: DataPath
    """The YAML file, or the folder that has it."""
    labels: DataPath | None = None
    """Folder of the label files, if it is elsewhere; it has the same subfolders as ``images``."""
    masks: bool = False
    """Whether objects have masks: the pixels within their polygons. A line with a box alone is left out. Needs
    pycocotools."""

    @property
    def has_masks(self) -> bool:
        return self.masks

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        return any((folder / name).is_file() for name in FILES)

    def paths(self) -> list[str]:
        return sorted([str(self._file()), *(p for _, image, marks in self._found() for p in (image, marks) if p)])

    def annotations(self) -> Annotations:
        if self.masks and not is_installed():
            raise DataError("masks are made by pycocotools", help="pip install 'archspec-keras[detection]'")
        names = _names(self._file(), self._said().get("names"))
        pictures: dict[str, list[Picture]] = {}
        there = self._found()
        found: list[Judged] = list(self._alone({marks for _, _, marks in there if marks}))
        for split, image, marks in there:
            if not marks:
                found.append(Judged("image without annotations", image, "has no label file: it has no objects", False))
            pictures.setdefault(split, []).append(_picture(image, marks, masks=self.masks))
        return Annotations(names, pictures, found=tuple(found))

    def _file(self) -> Path:
        if not self.path.is_dir():
            return self.path
        found = [self.path / name for name in FILES if (self.path / name).is_file()]
        if not found:
            raise DataError(f"{self.path} has none of {', '.join(FILES)}", help="path: the YAML file with the names")
        return found[0]

    def _said(self) -> Mapping[str, Any]:
        """What the YAML file says. Raises DataError."""
        path = self._file()
        try:
            said = _read(small_file(path, 1 << 18))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise DataError(f"{path} is no YAML that can be read: {str(error).splitlines()[0]}") from None
        if not isinstance(said, dict):
            raise DataError(f"{path} is no map of names and splits")
        return said

    def _found(self) -> list[tuple[str, str, str | None]]:
        """Split, image and label file of each picture."""
        path, said = self._file(), self._said()
        root = path.parent / str(said.get("path") or ".")
        out: list[tuple[str, str, str | None]] = []
        for word, folders in said.items():
            split = split_of(word)
            if split is None or not folders:
                continue
            for folder in folders if isinstance(folders, list) else [folders]:
                out += [(split, image, self._marks(image, at)) for image, at in _images(root, path.parent, str(folder))]
        if not out:
            raise DataError(f"{path} names no folder of images that is there", help="train: images/train")
        return out

    def _alone(self, known: set[str]) -> Iterator[Judged]:
        """Label files whose image is missing: those that are not ``known``."""
        lists = {str(said) for said in self._said().values()}
        for folder in sorted({os.path.dirname(marks) for marks in known}):
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                # Some write the names of the classes, or a list of images, beside the labels.
                if name.endswith(".txt") and path not in known and name not in ("classes.txt", *lists):
                    yield Judged("annotations without an image", path, "has no image and is left out", False)

    def _marks(self, image: str, root: str) -> str | None:
        """The label file of an image of a folder."""
        if self.labels is not None:
            below = os.path.relpath(image, root)
            tried = [os.path.join(self.labels, below), os.path.join(self.labels, os.path.basename(root), below)]
        else:
            parts = image.split(os.sep)
            places = [k for k, part in enumerate(parts[:-1]) if part == "images"]
            tried = [os.sep.join([*parts[: places[-1]], "labels", *parts[places[-1] + 1 :]])] if places else []
            tried.append(image)
        stems = [os.path.splitext(path)[0] + ".txt" for path in tried]
        return next((path for path in stems if os.path.isfile(path)), None)


def _read(text: bytes) -> Any:
    """The value of a YAML document. Raises YAMLError, ValueError where it has aliases, which may stand for anything."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        raise ValueError("it has aliases")
    return _plain(yaml.compose(text, yaml.SafeLoader))


def _plain(node: yaml.Node | None) -> Any:
    """Maps, lists and texts, in which no word means more than it says."""
    match node:
        case yaml.MappingNode(value=entries):
            return {str(_plain(key)): _plain(value) for key, value in entries}
        case yaml.SequenceNode(value=entries):
            return [_plain(entry) for entry in entries]
    return "" if node is None else str(node.value)


def _names(path: Path, said: object) -> tuple[str, ...]:
    """Names of the classes: a list, or a map from their numbers. Raises DataError."""
    if isinstance(said, dict) and said and all(key.isascii() and key.isdigit() for key in said):
        numbered = {int(key): name for key, name in said.items()}
        missing = next((number for number in range(len(said)) if number not in numbered), None)
        if missing is not None:
            raise DataError(f"{path}: names has no class {missing}; classes are numbered from 0")
        said = [numbered[number] for number in range(len(said))]
    if not isinstance(said, list) or not said:
        raise DataError(f"{path}: names must list the classes, got {shown(said)}", help="names: [cat, dog]")
    if not all(isinstance(name, str) and name for name in said):
        raise DataError(f"{path}: the name of a class is a text", help="names: [cat, dog]")
    names = tuple(said)
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path}: two classes are called {shown(doubled)}")
    return names


def _images(root: Path, beside: Path, name: str) -> Iterator[tuple[str, str]]:
    """Images of a split, each with the folder that it was found by: below a folder, or in a list of files."""
    places = [os.path.normpath(base / name) for base in (root, beside)]
    # Some write the folder from where they train, one above.
    places.append(os.path.normpath(beside / name.removeprefix("../")))
    place = next((path for path in places if os.path.exists(path)), None)
    if place is None:
        raise DataError(f"there is no folder or list {shown(name)} in {root}")
    if os.path.isfile(place):
        for line in small_file(place).decode("utf-8", "replace").splitlines():
            if line.strip():
                yield os.path.normpath(os.path.join(os.path.dirname(place), line.strip())), os.path.dirname(place)
        return
    for file in files_below(Path(place)):
        if file.lower().endswith(SUFFIXES):
            yield os.path.join(place, file), place


def _picture(image: str, marks: str | None, *, masks: bool) -> Picture:
    if marks is None:
        return Picture(image, image, ())
    lines = small_file(marks).decode("utf-8", "replace").splitlines()
    marked = [_marked(line.split(), f"line {k}", masks=masks) for k, line in enumerate(lines, 1) if line.strip()]
    # What people draw boxes on is the picture as a viewer shows it.
    return Picture(image, marks, marked, in_shares=True)


def _marked(cells: list[str], place: str, *, masks: bool) -> Marked:
    try:
        label, *numbers = [float(cell) for cell in cells]
    except ValueError:
        return _faulty(place, "box cannot be read", f"is no line of numbers: {shown(' '.join(cells))}")
    if not math.isfinite(label) or label != int(label):
        return _faulty(place, "unknown class", f"begins with {cells[0]}, which is not the number of a class")
    if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
        kinds = "four for a box, or an even number of at least six for a polygon"
        return _faulty(place, "box cannot be read", f"has {len(numbers)} numbers after the class, not {kinds}")
    if all(map(math.isfinite, numbers)) and max(numbers) > 2:
        return _faulty(place, "not shares", f"has {max(numbers):g}, and numbers are shares of the picture, 0 to 1")
    if len(numbers) == 4:
        x, y, w, h = numbers
        if masks:
            return _faulty(place, "no mask", "has a box and no polygon, of which a mask would be made")
        if w <= 0 or h <= 0:
            return _faulty(place, "empty", f"has the width {w:g} and the height {h:g}")
        box = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    else:
        box = min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
    is_outline = masks and all(map(math.isfinite, numbers))
    return Marked(box, int(label), place, said=" ".join(cells[1:]), outline=tuple(numbers) if is_outline else ())


def _faulty(place: str, kind: str, message: str) -> Marked:
    return Marked((0.0, 0.0, 0.0, 0.0), None, place, faults=((kind, message),))
