"""Image files in a folder for each class, in a list, or in a zip archive."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import Field

from archspec.data import files
from archspec.data.files import Entry, Listing, OnBad
from archspec.data.layout import arranged, divided
from archspec.data.source import ENCODED, TRAIN, DataError, DataPath, DataSource, FeatureSpec, stamp
from archspec.ir.diagnostics import did_you_mean, shown

if TYPE_CHECKING:
    import tensorflow as tf

Channels = Literal[1, 3]
Holdout = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0)]


class Folder(DataSource, name="folder", main="path"):
    """JPEG, PNG, BMP, GIF and WebP files in a folder for each class: ``train/cat/…``, ``val/cat/…`` (or ``test/``), or
    ``cat/…``, of which a stratified share is held out as ``val``.

    Classes are numbered in the order of their names. Of an animation the first picture counts. Hidden files and files
    of other kinds are left out.
    """

    suffixes = ("/",)
    is_encoded = True

    path: DataPath
    """The folder."""
    channels: Channels = 3
    """Grey or colour; images of the other kind are converted."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""
    on_bad: OnBad = "fail"
    """Where files cannot be decoded: ``fail`` stops before training, ``skip`` leaves them out of evaluation and in
    training takes another of the class instead."""

    def features(self) -> FeatureSpec:
        return files.features(self)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.opened(self, split, order)

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.encoded(self, split, order)

    def usable(self, split: str) -> Any:
        return files.usable(self, split)

    def describe(self, split: str, position: int) -> str:
        return self.listing().splits[split][position].name

    def fingerprint(self) -> str:
        return _stamped(self)

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODED: data}

    def listing(self) -> Listing:
        """Every image by split. Raises DataError."""
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder")
        found, folders = _walked(self.path)
        names, splits, strays = arranged(str(self.path), found, folders, self.holdout, self.seed)
        entries = {
            split: [Entry(path := os.path.join(self.path, name), label, path) for name, label in members]
            for split, members in splits.items()
        }
        return Listing(names, entries, strays)


class ListFile(DataSource, name="list", main="path"):
    """A table of image paths and labels (CSV, or TSV where the name ends so), with or without a line of headings.

    Paths count from the table's folder. Labels are all whole numbers from 0, or names, numbered in their order. Columns
    are found by their headings, else the first two are path and label; a third, ``split``, may say train, val or test.
    """

    suffixes = (".csv", ".tsv")
    is_encoded = True

    path: DataPath
    """The table."""
    path_column: str = "path"
    """Heading of the paths."""
    label_column: str = "label"
    """Heading of the labels."""
    split_column: str = "split"
    """Heading of the splits."""
    channels: Channels = 3
    """Grey or colour; images of the other kind are converted."""
    holdout: Holdout = 0.2
    """Share held out where the table has no splits."""
    seed: Seed = 0
    """Seed of that division."""
    on_bad: OnBad = "fail"
    """Where files cannot be decoded: ``fail`` stops before training, ``skip`` leaves them out of evaluation and in
    training takes another of the class instead."""

    def features(self) -> FeatureSpec:
        return files.features(self)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.opened(self, split, order)

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.encoded(self, split, order)

    def usable(self, split: str) -> Any:
        return files.usable(self, split)

    def describe(self, split: str, position: int) -> str:
        return self.listing().splits[split][position].name

    def fingerprint(self) -> str:
        return _stamped(self) + stamp(self, [self.path])

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODED: data}

    def listing(self) -> Listing:
        """Every row by split. Raises DataError, with the number of the line."""
        rows, columns = self._rows()
        numeric = all(_is_class(row[columns[1]]) for _, row in rows)
        names = () if numeric else tuple(sorted({row[columns[1]] for _, row in rows}))
        number = {name: i for i, name in enumerate(names)}
        entries, splits = [], []
        for line, row in rows:
            text, label = row[columns[0]], row[columns[1]]
            if not text or "\0" in text:
                raise DataError(f"{self.path}, line {line}: the path is empty")
            if not label:
                raise DataError(f"{self.path}, line {line}: the label is empty")
            path = os.path.join(self.path.parent, text)
            entries.append(Entry(path, int(label) if numeric else number[label], path))
            splits.append(row[columns[2]].strip() if len(columns) > 2 else "")
        if any(splits):
            found: dict[str, list[Entry]] = {}
            for (line, _), entry, split in zip(rows, entries, splits, strict=True):
                if split not in (TRAIN, "val", "test"):
                    hint = did_you_mean(split, (TRAIN, "val", "test"))
                    raise DataError(
                        f"{self.path}, line {line}: split must be train, val or test, got {shown(split)}", help=hint
                    )
                found.setdefault(split, []).append(entry)
            if TRAIN not in found:
                raise DataError(f"{self.path}: no line has the split {TRAIN}")
        else:
            found = divided(entries, [e.label for e in entries], self.holdout, self.seed)
        top = max(e.label for e in entries)
        present = {e.label for e in found[TRAIN]}
        if missing := [n for n in range(top + 1) if n not in present]:
            which = names[missing[0]] if names else str(missing[0])
            raise DataError(
                f"{self.path}: class {shown(which)} has no examples to train on",
                help=None if names else f"labels are whole numbers from 0; the largest is {top}",
            )
        return Listing(names or tuple(str(n) for n in range(top + 1)), found)

    def _rows(self) -> tuple[list[tuple[int, list[str]]], list[int]]:
        """Lines with their numbers, without the headings, and the columns of path, label and perhaps split."""
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        try:
            # utf-8-sig: spreadsheets put a byte order mark before the first heading.
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=delimiter)
                rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not UTF-8 text (byte {error.start})") from None
        except csv.Error as error:
            raise DataError(f"{self.path} is not a table: {error}") from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from None
        if not rows:
            raise DataError(f"{self.path} has no lines")
        head = [cell.strip() for cell in rows[0][1]]
        wanted = [self.path_column, self.label_column]
        if any(w in head for w in wanted):
            for w in wanted:
                if w not in head:
                    raise DataError(
                        f"{self.path} has no column {shown(w)}; it has {', '.join(head)}", help=did_you_mean(w, head)
                    )
            columns = [head.index(w) for w in (*wanted, self.split_column) if w in head]
            rows = rows[1:]
        else:
            columns = [0, 1, 2][: max(2, min(3, len(head)))]
        if not rows:
            raise DataError(f"{self.path} has headings and no lines")
        for line, row in rows:
            if len(row) <= max(columns):
                raise DataError(f"{self.path}, line {line}: {len(row)} columns, at least {max(columns) + 1} are needed")
        return [(line, [cell.strip() for cell in row]) for line, row in rows], columns


class Zip(DataSource, name="zip", main="path"):
    """The same as ``folder``, in a zip archive, which is read where it lies. With ``test`` a second archive, of class
    folders alone, is the held-out split."""

    suffixes = (".zip",)
    is_encoded = True

    path: DataPath
    """The archive."""
    test: DataPath | None = None
    """An archive of examples to evaluate on; all of ``path`` is then trained on."""
    channels: Channels = 3
    """Grey or colour; images of the other kind are converted."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""
    on_bad: OnBad = "fail"
    """Where files cannot be decoded: ``fail`` stops before training, ``skip`` leaves them out of evaluation and in
    training takes another of the class instead."""

    def features(self) -> FeatureSpec:
        return files.features(self)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.opened(self, split, order)

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.encoded(self, split, order)

    def usable(self, split: str) -> Any:
        return files.usable(self, split)

    def describe(self, split: str, position: int) -> str:
        return self.listing().splits[split][position].name

    def fingerprint(self) -> str:
        return stamp(self, [self.path, *([self.test] if self.test else [])])

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {ENCODED: data}

    def listing(self) -> Listing:
        """Every image by split. Raises DataError."""
        if self.test is None:
            return self._listed(self.path)
        train, test = _everything(self._listed(self.path)), _everything(self._listed(self.test))
        if train.class_names != test.class_names:
            odd = sorted(set(train.class_names) ^ set(test.class_names))
            raise DataError(f"{self.path} and {self.test} differ in their classes: {shown(odd[0])} is in one only")
        return Listing(
            train.class_names, {TRAIN: train.splits[""], "test": test.splits[""]}, train.strays + test.strays
        )

    def _listed(self, archive: Path) -> Listing:
        members = _members(archive)
        top = {name.split("/")[0] for name in members}
        # An archive of one folder is taken for that folder.
        cut = f"{next(iter(top))}/" if len(top) == 1 and all(name.count("/") > 1 for name in members) else ""
        found = {name.removeprefix(cut): info for name, info in members.items()}
        folders = {name.rpartition("/")[0] for name in found}
        names, splits, strays = arranged(str(archive), found, folders, self.holdout, self.seed)
        entries: dict[str, list[Entry]] = {}
        with archive.open("rb") as file:
            for split, kept in splits.items():
                entries[split] = [_located(archive, file, found[name], label) for name, label in kept]
        return Listing(names, entries, strays)


def _everything(listing: Listing) -> Listing:
    """One split, in the order of names."""
    entries = sorted((e for members in listing.splits.values() for e in members), key=lambda e: e.name)
    return Listing(listing.class_names, {"": entries}, listing.strays)


def _members(archive: Path) -> dict[str, ZipInfo]:
    try:
        with ZipFile(archive) as file:
            members = [info for info in file.infolist() if not info.is_dir()]
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"{archive} is not a zip archive: {error}") from None
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror}") from None
    for info in members:
        if info.flag_bits & 1:
            raise DataError(f"{archive}: {shown(info.filename)} is encrypted")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise DataError(f"{archive}: {shown(info.filename)} is packed in a way that is not known here")
        if info.file_size > 100 * info.compress_size + 2**20:
            raise DataError(f"{archive}: {shown(info.filename)} unpacks to {info.file_size} bytes, which no image does")
    return {info.filename: info for info in members}


def _located(archive: Path, file: Any, info: ZipInfo, label: int) -> Entry:
    """Where a member's bytes lie: behind a local header, whose length only it tells."""
    file.seek(info.header_offset + 26)
    lengths = file.read(4)
    start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    packed = info.compress_type == ZIP_DEFLATED
    return Entry(str(archive), label, f"{archive}/{info.filename}", start, info.compress_size, packed)


def _walked(root: Path) -> tuple[list[str], list[str]]:
    """All files and folders below, relative, with ``/``. Folders that are links are entered at the first two levels."""
    found, folders = [], []

    def enter(folder: str, depth: int) -> None:
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                inside = list(entries)
        except OSError as error:
            raise DataError(f"{os.path.join(root, folder)} cannot be read: {error.strerror}") from None
        for entry in inside:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry, follow=depth < 2):
                folders.append(name)
                if not entry.name.startswith("."):
                    enter(name, depth + 1)
            elif not _is_folder(entry, follow=True):
                found.append(name)

    enter("", 0)
    return found, folders


def _is_folder(entry: os.DirEntry[str], *, follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False  # A link that leads to itself.


def _is_class(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 7


def _stamped(source: Folder | ListFile) -> str:
    """A fingerprint that also says which files are missing."""
    paths: Iterable[Entry] = (e for entries in source.listing().splits.values() for e in entries)
    return stamp(source, sorted(e.path for e in paths if os.path.exists(e.path)))
