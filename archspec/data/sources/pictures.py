"""Pictures without classes: of one kind, or of two kinds that do not belong together one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.data import files
from archspec.data.errors import DataError
from archspec.data.example import HELD_OUT, IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.files import FileEntry, Listing, MaxPixels, OnBad
from archspec.data.images import MAX_PIXELS, SUFFIXES
from archspec.data.layout import SPLITS, files_below, split_of, stratified_split
from archspec.data.source import ENCODED, TRAIN, DataPath, DataSource, Holdout, Seed, in_order, stamp
from archspec.data.sources.image_files import ImageFiles
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

Channels = Literal[1, 3]


class Pictures(ImageFiles, name="pictures", main="path"):
    """JPEG, PNG, BMP, GIF, WebP, TIFF and PNM files anywhere in a folder, without classes. Where it has a folder
    ``train``, and ``val`` or ``test`` (or what else these are usually called), these are the splits; else a share is
    held out as ``val``.

    Of an animation the first picture counts. Hidden files and files of other kinds are left out.
    """

    path: DataPath
    """The folder."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        return Example(
            {IMAGE: Image(TensorSpec((None, None, self.channels), "uint8"))},
            {split: len(entries) for split, entries in self.listing().splits.items()},
            is_divided=self.listing().is_divided,
        )

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.encoded(self, split, order).map(_unlabelled)

    def fingerprint(self) -> str:
        names = sorted({entry.path for entries in self.listing().splits.values() for entry in entries})
        return stamp(self, names)

    def listing(self) -> Listing:
        """Every picture by split. Raises DataError."""
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder")
        names = files_below(self.path)
        pictures = [name for name in names if name.lower().endswith(SUFFIXES)]
        strays = tuple(name for name in names if not name.lower().endswith(SUFFIXES))
        found: dict[str, list[str]] = {split: [] for split in SPLITS}
        for name in pictures:
            if (top := name.partition("/")[0]) != name and (split := split_of(top)):
                found[split].append(name)
        if is_divided := not (found[TRAIN] and any(found[split] for split in HELD_OUT)):
            if len(pictures) < 2:
                raise DataError(
                    f"{self.path} holds {len(pictures)} pictures", help=f"files that end in {SUFFIXES[0]} …"
                )
            found = stratified_split(pictures, [0] * len(pictures), self.holdout, self.seed)
        entries = {
            split: [FileEntry(path := os.path.join(self.path, name), 0, path) for name in members]
            for split, members in found.items()
            if members
        }
        return Listing((), entries, strays, is_divided=is_divided)


class Unpaired(DataSource, name="unpaired"):
    """Two folders of pictures that do not belong together one by one, as ``a`` and ``b``. An epoch is as long as the
    larger one; to each picture of ``a`` comes one of ``b`` at random, in every epoch another (the smaller folder's come
    several times)."""

    a: DataPath
    """The folder of one kind."""
    b: DataPath
    """The folder of the other."""
    test_a: DataPath | None = None
    """A folder of pictures to evaluate on; all of ``a`` is then trained on. It goes with ``test_b``."""
    test_b: DataPath | None = None
    """The same for ``b``."""
    channels: Channels = 3
    """Grey or colour; images of the other kind are converted."""
    holdout: Holdout = 0.2
    """Share of each that is held out where no folders to evaluate on are given."""
    seed: Seed = 0
    """Seed of that division, and of what comes together."""
    on_bad: OnBad = "fail"
    """Where files cannot be decoded: ``fail`` stops before training, ``skip`` takes others instead."""
    max_pixels: MaxPixels = MAX_PIXELS
    """Most pixels of an image: what has more is taken for a decompression bomb, a broken file."""

    @property
    def made_of(self) -> Mapping[str, DataSource]:
        a, b = self._kinds()
        found = {"a": a.train, "b": b.train, "test_a": a.test, "test_b": b.test}
        return {name: source for name, source in found.items() if source is not None}

    def features(self) -> Example:
        a, b = (kind.listing().splits for kind in self._kinds())
        one = Image(TensorSpec((None, None, self.channels), "uint8"))
        return Example({"a": one, "b": one}, {split: max(len(a[split]), len(b[split])) for split in a})

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        kinds = self._kinds()
        counts = [len(kind.listing().splits[split]) for kind in kinds]

        def places(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            epoch = tf.cast(at.get("epoch", 0), tf.int64) if split == TRAIN else tf.constant(0, tf.int64)
            seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
            most = max(counts)
            mixed = tf.random.experimental.index_shuffle(at["index"], seed, tf.constant(most - 1, tf.int64))
            return {**at, "place": at["index"], "a": at["index"] % counts[0], "b": mixed % counts[1]}

        examples = (in_order(max(counts)) if order is None else order).map(places)
        for name, kind in zip(("a", "b"), kinds, strict=True):
            asked = examples.map(lambda at, name=name: {**at, "index": at[name]})
            examples = files.opened(kind, split, asked).map(lambda one, name=name: _renamed(one, name))
        return examples.map(lambda one: {**{k: v for k, v in one.items() if k != "place"}, "index": one["place"]})

    def describe(self, split: str, position: int) -> str:
        kind = self._kinds()[0]
        return kind.describe(split, position % len(kind.listing().splits[split]))

    def fingerprint(self) -> str:
        return sha256("".join(kind.fingerprint() for kind in self._kinds()).encode()).hexdigest()

    def _kinds(self) -> tuple[_Divided, _Divided]:
        if (self.test_a is None) != (self.test_b is None):
            missing = "test_a" if self.test_a is None else "test_b"
            raise DataError(f"unpaired: test_a and test_b go together, {missing} is missing")
        a, b = (_Divided(self, path, test) for path, test in ((self.a, self.test_a), (self.b, self.test_b)))
        return a, b


class _Divided:
    """One kind of two: its pictures by split."""

    def __init__(self, pair: Unpaired, path: Path, test: Path | None):
        self.channels, self.on_bad, self.max_pixels = pair.channels, pair.on_bad, pair.max_pixels
        same: dict[str, Any] = {"channels": pair.channels, "on_bad": pair.on_bad, "max_pixels": pair.max_pixels}
        self.train = Pictures(path=path, holdout=pair.holdout, seed=pair.seed, **same)
        self.test = None if test is None else Pictures(path=test, **same)

    def listing(self) -> Listing:
        """Its pictures: those of the folder and those to evaluate on, or the folder's own splits."""
        if self.test is None:
            return self.train.listing()
        return Listing((), {TRAIN: _all(self.train.listing().splits), "test": _all(self.test.listing().splits)})

    def describe(self, split: str, position: int) -> str:
        return self.listing().splits[split][position].name

    def fingerprint(self) -> str:
        return self.train.fingerprint() + ("" if self.test is None else f"/{self.test.fingerprint()}")

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODED: data}

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        return self.train.labelled(entries, listing)

    def unfit(self, entry: FileEntry) -> str | None:
        return self.train.unfit(entry)


def _all(splits: Mapping[str, Any]) -> list[FileEntry]:
    return sorted((entry for entries in splits.values() for entry in entries), key=lambda e: e.name)


def _unlabelled(one: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: value for name, value in one.items() if name != LABEL}


def _renamed(one: dict[str, tf.Tensor], name: str) -> dict[str, tf.Tensor]:
    return {**{k: v for k, v in one.items() if k not in (IMAGE, LABEL)}, name: one[IMAGE]}
