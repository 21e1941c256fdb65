"""COCO: one JSON file of all images and objects of a split."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from archspec.data.errors import DataError
from archspec.data.layout import SPLITS, split_of
from archspec.data.objects import Box, Judged, Marked, Picture
from archspec.data.run_lengths import is_installed, of_segmentation
from archspec.data.source import TRAIN, DataPath
from archspec.data.sources.object_files import Annotations, ObjectFiles, small_file, unreadable
from archspec.ir.diagnostics import shown

PANOPTIC = "panoptic_"
"""What names of files begin with that tell of segments, and not of objects alone."""
LARGEST = 1 << 31
"""Bytes of a JSON file: COCO's largest has 448 MB."""


class Coco(ObjectFiles, name="coco", main="path"):
    """Images and a JSON file of their objects, as COCO has them (Lin et al. 2014): ``annotations/instances_train.json``
    beside ``train/`` (or other names of splits, with a year or without), or a folder for each split with
    ``_annotations.coco.json`` in it, or one file and its images.

    Ids of categories may have gaps; classes are numbered in the order of the ids. Features are image, boxes (x1, y1,
    x2, y2 in pixels), classes, and whether an object is ``ignored``: a crowd.
    """

    path: DataPath
    """The folder, or one JSON file, of which a share is held out."""
    images: DataPath | None = None
    """Folder of the images, where it is elsewhere."""
    masks: bool = False
    """Whether objects have masks, which ``segmentation`` gives as outlines or run lengths. Needs pycocotools."""

    @property
    def has_masks(self) -> bool:
        return self.masks

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        found = [*folder.glob("annotations/*.json"), *folder.glob("*/*.coco.json")]
        return any(not path.name.startswith(PANOPTIC) for path in found)

    def paths(self) -> list[str]:
        out = []
        for _, path in self._files():
            out += [str(path), *(picture.path for picture in self._read(path).pictures)]
        return sorted(set(out))

    def annotations(self) -> Annotations:
        names: tuple[str, ...] = ()
        pictures: dict[str, Sequence[Picture]] = {}
        found: list[Judged] = []
        for split, path in self._files():
            read = self._read(path)
            if names and read.names != names:
                odd = sorted(set(read.names) ^ set(names))
                which = f"{shown(odd[0])} is in one only" if odd else "in another order"
                raise DataError(f"{path} has other categories than the split before: {which}")
            names, pictures[split], found = read.names, read.pictures, [*found, *read.found]
        return Annotations(names, pictures, found=tuple(found))

    def ids(self, images: Sequence[str], numbers: Sequence[int]) -> tuple[Sequence[Any], Sequence[int]]:
        read = [self._read(path) for _, path in self._files()]
        known = {path: key for one in read for path, key in one.ids.items()}
        return [known[path] for path in images], read[0].categories

    def _files(self) -> list[tuple[str, Path]]:
        """The JSON file of each split. Raises DataError."""
        if not self.path.is_dir():
            return [("", self.path)]
        files = sorted([*self.path.glob("annotations/*.json"), *self.path.glob("*/*.coco.json")])
        return by_split(self.path, files, "instances_")

    def _read(self, path: Path) -> _Read:
        try:
            known = os.stat(path)
        except OSError as error:
            raise unreadable(str(path), error) from None
        if self.masks and not is_installed():
            raise DataError("masks are read by pycocotools", help="pip install 'archspec-keras[detection]'")
        return _read(path, self.images, known.st_size, known.st_mtime_ns, masks=self.masks)


class _Read(NamedTuple):
    """Classes, pictures, and what is odd of one file."""

    names: tuple[str, ...]
    pictures: list[Picture]
    found: list[Judged]
    ids: Mapping[str, Any]
    """The id of each image, by its path."""
    categories: tuple[int, ...]
    """The ids of the classes, in their order."""


def by_split(folder: Path, files: Sequence[Path], prefix: str) -> list[tuple[str, Path]]:
    """The JSON file of each split, by names that begin with ``prefix``. Raises DataError."""
    found: dict[str, list[Path]] = {}
    for path in files:
        words = path.parent.name if path.name.endswith(".coco.json") else path.stem.removeprefix(prefix)
        if split := split_of(words.rstrip("0123456789")):
            found.setdefault(split, []).append(path)
    if not found:
        raise DataError(
            f"{folder} has no annotations that are known here",
            help=f"annotations/{prefix}train.json, or path: the JSON file",
        )
    for split, paths in found.items():
        if len(paths) > 1:
            first, second = paths[:2]
            raise DataError(f"{first} and {second} are both of {split}", help="path: one JSON file")
    if TRAIN not in found:
        raise DataError(f"{folder} has annotations of {', '.join(found)}, and none to train on")
    return [(split, found[split][0]) for split in SPLITS if split in found]


@lru_cache(maxsize=4)
def _read(path: Path, images: Path | None, size: int, changed: int, *, masks: bool) -> _Read:
    """What a file of this size and time says; with the ``masks`` of objects, or without. Raises DataError."""
    said = document(path)
    found: list[Judged] = []
    numbers, names = categories(path, said["categories"])
    by_id = dict(listed_images(path, said["images"], found))
    folder = folder_of(path, images, [str(image["file_name"]) for image in by_id.values()])
    marked: dict[Any, list[Marked]] = {key: [] for key in by_id}
    ids: set[Any] = set()
    for k, one in enumerate(said["annotations"], 1):
        own = one.get("id") if isinstance(one, dict) else None
        where = f"annotation {own}" if _is_id(own) else f"annotation number {k}"
        if not isinstance(one, dict) or not _is_id(one.get("image_id")) or one["image_id"] not in marked:
            found.append(Judged("unknown image", f"{path}, {where}", "is of no image of the file"))
            continue
        if _is_id(own) and own in ids:
            found.append(Judged("id twice", f"{path}, {where}", "has the id of another annotation", False))
        ids.add(own if _is_id(own) else None)
        own_size = said_size(by_id[one["image_id"]]) if masks else None
        marked[one["image_id"]].append(_marked(one, where, numbers, masks=masks, size=own_size))
    pictures, ids_of = [], {}
    for key, image in by_id.items():
        place = os.path.join(folder, str(image["file_name"]))
        if not os.path.isfile(place):
            message = f"is named in {path} and is not there"
            found.append(Judged("annotations without an image", place, message, False))
            continue
        pictures.append(Picture(place, str(path), marked[key], said_size(image)))
        ids_of[place] = key
    return _Read(names, pictures, found, ids_of, tuple(numbers))


def folder_of(path: Path, images: Path | None, names: Sequence[str]) -> str:
    """Where the images of a file are: the folder that has the most of the first ones. Raises DataError."""
    stem = path.stem.removeprefix("instances_").removeprefix(PANOPTIC)
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    words = [stem, stem.rstrip("0123456789")]
    below = [folder / word for word in words for folder in (root, root / "images")]
    tried = [images] if images else list(dict.fromkeys([*below, root / "images", path.parent, root]))
    counts = [sum(os.path.isfile(os.path.join(folder, name)) for name in names[:20]) for folder in tried]
    if not max(counts):
        at = ", ".join(str(folder) for folder in tried)
        raise DataError(f"none of the images of {path} is in {at}", help="images: the folder with the images")
    return str(tried[counts.index(max(counts))])


def document(path: Path) -> Mapping[str, list[Any]]:
    """The lists of a file. Raises DataError."""
    try:
        said = json.loads(small_file(path, LARGEST))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON that can be read: {error}") from None
    parts = ("images", "annotations", "categories")
    missing = [name for name in parts if not isinstance(said, dict) or not isinstance(said.get(name), list)]
    if missing:
        raise DataError(f"{path} has no list '{missing[0]}'; a COCO file has images, annotations and categories")
    return said  # type: ignore[no-any-return]


def categories(path: Path, said: Sequence[Any]) -> tuple[dict[Any, int], tuple[str, ...]]:
    """The class of each id, and names in the order of the ids."""
    if not all(isinstance(one, dict) and isinstance(one.get("id"), int) and one.get("name") for one in said):
        raise DataError(f"{path}: a category has an id, an integer, and a name")
    ordered = sorted(said, key=lambda one: one["id"])
    names = tuple(str(one["name"]) for one in ordered)
    for what, values in (("name", names), ("id", [one["id"] for one in ordered])):
        if doubled := next((value for value in values if list(values).count(value) > 1), None):
            raise DataError(f"{path}: two categories have the {what} {shown(doubled)}")
    return {one["id"]: number for number, one in enumerate(ordered)}, names


def listed_images(path: Path, said: Sequence[Any], found: list[Judged]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Images by id, each file once."""
    ids: set[Any] = set()
    names: set[str] = set()
    for k, one in enumerate(said, 1):
        if not isinstance(one, dict) or not _is_id(one.get("id")) or not isinstance(one.get("file_name"), str):
            raise DataError(f"{path}: image {k} has no id or no file_name")
        name, where = one["file_name"], f"{path}, image {one['id']}"
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise DataError(f"{where}: {shown(name)} leads out of the folder of the images")
        if one["id"] in ids:
            raise DataError(f"{where}: two images have this id, so that their objects cannot be told apart")
        if name in names:
            found.append(Judged("image twice", where, f"is {name} again"))
            continue
        ids.add(one["id"])
        names.add(name)
        yield one["id"], one


def said_size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height that a file gives an image."""
    width, height = image.get("width", 0), image.get("height", 0)
    return (int(width), int(height)) if all(is_number(n) and n > 0 for n in (width, height)) else None


def _marked(
    one: Mapping[str, Any], where: str, numbers: Mapping[Any, int], *, masks: bool, size: tuple[int, int] | None
) -> Marked:
    said, crowd = one.get("bbox"), one.get("iscrowd", 0)
    faults: list[tuple[str, str]] = []
    box: Box = (0.0, 0.0, 0.0, 0.0)
    text = ""
    if not isinstance(said, list) or len(said) != 4 or not all(map(is_number, said)):
        faults.append(("box cannot be read", f"has the bbox {shown(said)}, not x, y, width, height"))
    else:
        x, y, width, height = map(float, said)
        box, text = (x, y, x + width, y + height), f"{x:g} {y:g} {width:g} {height:g}"
        if width <= 0 or height <= 0:
            faults.append(("empty", f"has the width {width:g} and the height {height:g}"))
    category = one.get("category_id")
    number = numbers.get(category) if _is_id(category) else None
    if number is None:
        faults.append(("unknown class", f"has the category {shown(category)}, which the file does not have"))
    if crowd not in (0, 1):
        faults.append(("crowd", f"has iscrowd {shown(crowd)}, not 0 or 1"))
    area = one.get("area")
    covered = float(area) if isinstance(area, (int, float)) and is_number(area) and area > 0 else None
    mask = None
    if masks:
        try:
            if size is None:
                raise DataError("is of an image without width and height, which its mask needs")
            mask = of_segmentation(one.get("segmentation"), size[::-1])
        except DataError as error:
            faults.append(("mask cannot be read", error.message))
    return Marked(box, number, where, crowd == 1, tuple(faults[:1]), text, covered, mask)


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
