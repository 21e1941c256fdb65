"""What sources share that read image files with objects marked on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data import objects
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.files import Fault, FileEntry, Listing
from archspec.data.images import stored_size
from archspec.data.layout import stratified_split
from archspec.data.objects import Judged, OnObject, Picture, StoredImage
from archspec.data.source import TRAIN, Holdout, Seed, stamp
from archspec.data.sources.image_files import ImageFiles
from archspec.ir.diagnostics import shown
from archspec.storage.cache import cache_path, load_or_compute
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

Most = Annotated[int, Field(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Names of the classes in their order, and pictures by split; under ``""`` where the data have no splits."""

    class_names: tuple[str, ...]
    pictures: Mapping[str, Sequence[Picture]]
    strays: tuple[str, ...] = ()
    found: tuple[Judged, ...] = ()


class ObjectFiles(ImageFiles):
    """Images with objects on them. Order of rules: fields, ``paths``, ``annotations``."""

    on_object: OnObject = "skip"
    """Where an object's annotation is bad: ``skip`` leaves it out and keeps its picture, ``fail`` refuses the data."""
    most: Most | None = None
    """Most objects of an image, to which all are filled up. Default: as many as an image of the data has."""
    holdout: Holdout = 0.2
    """Share held out where the data have no splits."""
    seed: Seed = 0
    """Seed of that division."""

    def paths(self) -> list[str]:
        """Every file that is read: images, annotations, lists. Raises DataError."""
        raise NotImplementedError

    def annotations(self) -> Annotations:
        """What the files say. Raises DataError."""
        raise NotImplementedError

    def ids(self, images: Sequence[str], numbers: Sequence[int]) -> tuple[Sequence[Any], Sequence[int]]:
        """What files of results call these images and the classes: as the annotations do, or by their numbers."""
        return range(1, len(images) + 1), numbers

    @property
    def has_masks(self) -> bool:
        """Whether every object that is used has a mask."""
        return False

    def fingerprint(self) -> str:
        return stamp(self, self.paths())

    def features(self) -> Example:
        found = super().features()
        if not self.has_masks:
            return found
        most = self.listing().most
        assert most is not None
        return found.with_features(**objects.mask_features(most, (None, None)))

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        import tensorflow as tf

        beside = super().labelled(entries, listing)
        if not self.has_masks:
            return beside
        assert listing.most is not None
        channels = -(-listing.most // 8)
        places = tf.constant(objects.places([entry.objects for entry in entries], listing.most))

        def read(row: Any) -> Any:
            return _bits(entries[int(row)], channels)

        def told(row: tf.Tensor) -> dict[str, tf.Tensor]:
            found = tf.numpy_function(read, [row], tf.uint8, stateful=False)
            masks = {objects.MASKS: tf.ensure_shape(found, (None, None, channels))}
            return beside(row) | masks | {objects.PLACES: tf.gather(places, row)}

        return told

    def listing(self) -> Listing:
        """Every picture by split, with the objects that are used. Raises DataError."""
        return _listed(self, self.fingerprint())


def _bits(entry: FileEntry, channels: int) -> np.ndarray:
    """The masks of an entry's objects."""
    from archspec.data.features.object_masks import bits
    from archspec.data.run_lengths import pixels

    size = entry.size[::-1]
    return bits([pixels(one.mask, size) for one in entry.objects if one.mask is not None], channels, size)


@lru_cache(maxsize=8)
def _listed(source: ObjectFiles, fingerprint: str) -> Listing:
    said = source.annotations()
    names, found = said.class_names, list(said.found)
    if not names:
        raise DataError(f"{source.name}: no object has a class")
    pictures = [picture for members in said.pictures.values() for picture in members]
    if not pictures:
        raise DataError(f"{source.name}: there are no pictures with annotations")
    sizes = _sizes(pictures, fingerprint)
    numbers = objects.class_numbers(names)
    splits: dict[str, list[FileEntry]] = {}
    for split, members in said.pictures.items():
        entries = splits.setdefault(split, [])
        for picture in members:
            stored = sizes[picture.path]
            judged = objects.judge(picture, stored, numbers, len(names))
            found += judged.found
            if judged.kept is not None:
                size = stored.width, stored.height
                entries.append(FileEntry(picture.path, 0, picture.path, objects=judged.kept, size=size))
    faults = [one for one in found if one.is_fault]
    first = "; ".join(f"{one.where} {one.message}" for one in faults[:3])
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    if faults and source.on_object == "fail":
        help = "'archspec data check' lists them all; on_object: skip leaves them out"
        count = "1 annotation is" if len(faults) == 1 else f"{len(faults)} annotations are"
        raise DataError(f"{count} bad: {first}{more}", help=help)
    most = max((len(entry.objects) for entries in splits.values() for entry in entries), default=0)
    if not most:
        why = f": {first}{more}" if first else ""
        raise DataError(f"{source.name}: none of the {len(pictures)} pictures has an object that can be used{why}")
    is_divided = set(splits) == {""}
    if is_divided:
        every = splits[""]
        splits = stratified_split(every, [0] * len(every), source.holdout, source.seed)
    if source.most is not None and most > source.most:
        splits = {split: [_fewer(entry, source.most, found) for entry in members] for split, members in splits.items()}
    return Listing(
        names,
        splits,
        said.strays,
        tuple(Fault(one.kind, one.where, one.message) for one in [*found, *_without(names, splits)]),
        is_divided,
        most=source.most or most,
    )


def _fewer(entry: FileEntry, most: int, found: list[Judged]) -> FileEntry:
    """The entry with its ``most`` largest objects: what an image has too many of are small ones of a crowd."""
    if len(entry.objects) <= most:
        return entry
    found.append(Judged("too many objects", entry.name, f"has {len(entry.objects)} objects; the {most} largest stay"))
    largest = sorted(entry.objects, key=lambda one: one.size, reverse=True)[:most]
    return entry._replace(objects=tuple(one for one in entry.objects if one in largest))


def _without(names: Sequence[str], splits: Mapping[str, Sequence[FileEntry]]) -> list[Judged]:
    """Classes of which training sees no object."""
    there = {one.label for entry in splits.get(TRAIN, ()) for one in entry.objects}
    return [
        Judged("class without objects", name, f"has no object in {TRAIN}", False)
        for number, name in enumerate(names)
        if number not in there
    ]


def _sizes(pictures: Sequence[Picture], fingerprint: str) -> dict[str, StoredImage]:
    """Of every picture, what its file says; 0×0 where it cannot be read, which decoding it tells more of."""
    paths = sorted({picture.path for picture in pictures})
    path = cache_path("sizes", ".json", fingerprint)
    known = load_or_compute(path, lambda: {name: stored_size(name) for name in paths})
    return {name: StoredImage(*known[name]) for name in paths}


def small_file(path: str | os.PathLike[str], most: int = 1 << 24) -> bytes:
    """The bytes of a file of annotations. Raises DataError where it cannot be read, or is larger than ``most``."""
    try:
        with opened(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise unreadable(os.fspath(path), error) from None
    if len(data) > most:
        raise DataError(f"{shown(os.fspath(path), 400)[1:-1]} is larger than {most >> 10} KiB")
    return data


def unreadable(path: str, error: OSError) -> DataError:
    """What a file of annotations that cannot be read comes to."""
    return DataError(f"{shown(path, 400)[1:-1]} cannot be read: {error.strerror or error}")
