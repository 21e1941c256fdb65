"""TFRecord files, and the data sets that TensorFlow Datasets has prepared in them.

Records are found by the lengths before them, without TensorFlow, and read by position.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data import files
from archspec.data.errors import DataError
from archspec.data.example import LABEL, Example
from archspec.data.features.label import Label
from archspec.data.files import FileEntry, Listing
from archspec.data.layout import WORDS, split_of, stratified_split
from archspec.data.source import ENCODED, TRAIN, DataPath, Holdout, Seed, stamp
from archspec.data.sources.image_files import ImageFiles
from archspec.data.text import read_text
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import tensorflow as tf

Key = Annotated[str, Field(min_length=1)]


class TfRecord(ImageFiles, name="tfrecord", main="path"):
    """Files of ``tf.train.Example`` with an encoded image and a whole number as label: one file, or a folder of files
    whose names start with ``train``, ``val`` (or ``validation``) and ``test``."""

    suffixes = (".tfrecord", ".tfrecords")

    path: DataPath
    """The file or folder."""
    classes: Annotated[int, Field(gt=0)]
    """Number of classes; labels are below it."""
    image: Key = "image/encoded"
    """Feature of the image: the bytes of a JPEG, PNG, GIF, BMP or WebP file."""
    label: Key = "image/class/label"
    """Feature of the label."""
    first_label: Annotated[int, Field(ge=0)] = 0
    """Label of the first class; 1 if 0 is the background."""
    holdout: Holdout = 0.2
    """Share held out if there are no splits; not stratified, since labels are inside the records."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        return files.features(self, self.classes).with_features(label=Label(self.classes))

    def fingerprint(self) -> str:
        return stamp(self, self._files())

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return _parsed(data, self.image, self.label, self.first_label, self.classes)

    def listing(self) -> Listing:
        """Every record by split. Raises DataError."""
        found: dict[str, list[Path]] = {}
        for file in self._files():
            lower = file.name.lower()
            name = "" if file == self.path else next((split for s, split in WORDS.items() if lower.startswith(s)), "")
            found.setdefault(name, []).append(file)
        if TRAIN in found:
            found.pop("", None)
            return Listing((), {split: _records(members) for split, members in found.items()})
        entries = [e for members in found.values() for e in _records(members)]
        return Listing((), stratified_split(entries, [0] * len(entries), self.holdout, self.seed), is_divided=True)

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        found = sorted(p for p in self.path.iterdir() if "tfrecord" in p.name.lower() and p.is_file())
        if not found:
            raise DataError(f"{self.path} holds no TFRecord files", help="their names contain 'tfrecord'")
        return found


class Tfds(ImageFiles, name="tfds", main="dataset"):
    """An image classification data set that TensorFlow Datasets has prepared as TFRecord files. They are read as they
    lie, without that package; preparing them needs it (``pip install 'archspec-keras[tfds]'``)."""

    dataset: Key
    """Its name, perhaps with configuration and version: ``mnist``, ``cifar10/3.0.2``."""
    data_dir: DataPath | None = None
    """The folder of prepared data sets; TFDS_DATA_DIR, or else ~/tensorflow_datasets, where not given."""
    image: Key = "image"
    """Feature of the image."""
    label: Key = "label"
    """Feature of the label."""

    def features(self) -> Example:
        return files.features(self).with_features(label=Label(*self._classes()))

    def fingerprint(self) -> str:
        return stamp(self, sorted(self._folder().iterdir()))

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return _parsed(data, self.image, self.label, 0, self._classes()[0])

    def listing(self) -> Listing:
        """Every record by split. Raises DataError."""
        folder = self._folder()
        info = _json(folder / "dataset_info.json")
        if info.get("fileFormat", "tfrecord") != "tfrecord":
            raise DataError(f"{folder} is in the format {shown(info['fileFormat'])}", help="prepare it as tfrecord")
        found = {}
        for split in info.get("splits", []):
            name = split_of(split["name"])
            members = sorted(p for p in folder.iterdir() if f"-{split['name']}.tfrecord" in p.name)
            if name and members:
                found[name] = _records(members)
        if TRAIN not in found:
            raise DataError(f"{folder} has no split {TRAIN}")
        return Listing(self._classes()[1], found)

    def _folder(self) -> Path:
        """The newest prepared version of the data set."""
        root = self.data_dir or Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
        place = root / self.dataset
        found = sorted(p.parent for p in place.glob("**/dataset_info.json")) if place.is_dir() else []
        if not found:
            known = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
            raise DataError(
                f"{shown(self.dataset)} is not prepared in {root}",
                help=did_you_mean(self.dataset, known) or f"where there is a network: tfds build {self.dataset}",
            )
        return max(found, key=lambda p: [int(n) if n.isdigit() else -1 for n in p.name.split(".")])

    def _classes(self) -> tuple[int, tuple[str, ...]]:
        folder = self._folder()
        described = _json(folder / "features.json").get("featuresDict", {}).get("features", {})
        for key in (self.image, self.label):
            if key not in described:
                raise DataError(f"{self.dataset} has no feature {shown(key)}", help=did_you_mean(key, described))
        label = described[self.label].get("classLabel")
        if not label:
            raise DataError(f"{self.dataset}: the feature {shown(self.label)} is no class")
        try:
            names = tuple((folder / f"{self.label}.labels.txt").read_text(encoding="utf-8").split("\n"))
        except OSError:
            names = ()
        count = int(label.get("numClasses") or len(names))
        return count, names if len(names) == count else tuple(n for n in names if n)[:count]


def _parsed(data: tf.Tensor, image: str, label: str, first: int, classes: int) -> dict[str, tf.Tensor]:
    import tensorflow as tf

    wanted = {image: tf.io.FixedLenFeature((), tf.string), label: tf.io.FixedLenFeature((), tf.int64)}
    found = tf.io.parse_single_example(data, wanted)
    number = found[label] - first
    with tf.control_dependencies(
        [
            tf.debugging.assert_less(
                tf.where(number < 0, tf.int64.max, number), tf.constant(classes, tf.int64), "label out of range"
            )
        ]
    ):
        return {ENCODED: tf.identity(found[image]), LABEL: tf.cast(number, tf.int32)}


def _records(paths: Sequence[Path]) -> list[FileEntry]:
    out: list[FileEntry] = []
    for path in paths:
        found = os.stat(path)
        out += [
            FileEntry(str(path), 0, f"{path}, record {i}", offset, length)
            for i, (offset, length) in enumerate(_index(str(path), found.st_size, found.st_mtime_ns))
        ]
    return out


@lru_cache(maxsize=4096)
def _index(path: str, size: int, time: int) -> tuple[tuple[int, int], ...]:
    """Offset and length of each record: a length (8 bytes), its checksum (4), the record, its checksum (4)."""
    out: list[tuple[int, int]] = []
    at = 0
    with opened(path) as file:
        while at < size:
            file.seek(at)
            head = file.read(12)
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or at + 16 + length > size:
                raise DataError(f"{path} is cut off in record {len(out)}")
            if _masked_crc32c(head[:8]) != int.from_bytes(head[8:], "little"):
                raise DataError(f"{path}: record {len(out)} has a wrong checksum, or this is not a TFRecord file")
            out.append((at + 12, length))
            at += 16 + length
    if not out:
        raise DataError(f"{path} holds no records")
    return tuple(out)


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    """CRC-32C (Castagnoli) of each byte."""
    out: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        out.append(byte)
    return tuple(out)


def _masked_crc32c(data: bytes) -> int:
    """The checksum that TFRecord keeps of a length: CRC-32C, turned and moved."""
    crc, table = 0xFFFFFFFF, _table()
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(read_text(path, "utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is not what TensorFlow Datasets writes")
    return found
