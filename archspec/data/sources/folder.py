"""Image files in a folder for each class, in a list, or in a zip archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import Field

from archspec.data import files
from archspec.data.errors import DataError
from archspec.data.example import VECTOR
from archspec.data.files import Fault, FileEntry, Listing
from archspec.data.layout import scan_class_folders, split_said, stratified_split
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Seed, stamp
from archspec.data.sources.image_files import ImageFiles
from archspec.data.table import Columns, number, table_rows
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.storage.regular import opened


class Folder(ImageFiles, name="folder", main="path"):
    """JPEG, PNG, BMP, GIF, WebP, TIFF and PNM files in a folder for each class: ``train/cat/…``, ``val/cat/…`` (or
    ``test/``; or what else the splits are usually called, in any case), or ``cat/…``, of which a stratified share is
    held out as ``val``.

    Classes are numbered in the order of their names. Of an animation the first picture counts. Hidden files and files
    of other kinds are left out.
    """

    suffixes = ("/",)

    path: DataPath
    """The folder."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""

    def fingerprint(self) -> str:
        return _stamped(self)

    def listing(self) -> Listing:
        """Every image by split. Raises DataError."""
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder")
        found, folders, faults = _walked(self.path)
        names, splits, strays, is_divided = scan_class_folders(str(self.path), found, folders, self.holdout, self.seed)
        entries = {
            split: [FileEntry(path := os.path.join(self.path, name), label, path) for name, label in members]
            for split, members in splits.items()
        }
        return Listing(names, entries, strays, tuple(faults), is_divided)


class ListFile(ImageFiles, name="list", main="path"):
    """A table of image paths and labels (CSV, or TSV where the name ends so), with or without a line of headings.

    Paths count from the table's folder. Labels are all whole numbers from 0, or names, numbered in their order. Columns
    are found by their headings, else the first two are path and label; a third, ``split``, may say train, val or test.
    With ``target`` an image has numbers to predict, for ``regression``, in place of a class, and with ``label_column``
    as well beside one, for ``multitask``. ``inputs`` are numbers that are given beside the image, as ``vector``.
    """

    suffixes = (".csv", ".tsv")

    path: DataPath
    """The table."""
    path_column: str = "path"
    """Heading of the paths."""
    label_column: Annotated[str, Field(min_length=1)] | None = None
    """Heading of the labels; ``label`` where neither it nor ``target`` is given."""
    target: Columns = ()
    """Headings of numbers to predict for an image: the label or, beside a class, the feature ``target``."""
    inputs: Columns = ()
    """Headings of numbers that are given beside the image, for a network with an input ``vector``."""
    split_column: str = "split"
    """Heading of the splits."""
    holdout: Holdout = 0.2
    """Share held out where the table has no splits."""
    seed: Seed = 0
    """Seed of that division."""

    def fingerprint(self) -> str:
        return _stamped(self) + stamp(self, [self.path])

    def listing(self) -> Listing:
        """Every row by split. Raises DataError, with the number of the line."""
        rows, columns = self._rows()
        labels = [row[columns[self._label]] if self._label else "" for _, row in rows]
        numeric = all(_is_class(label) for label in labels)
        names = () if numeric or not self._label else tuple(sorted(set(labels)))
        order = {name: i for i, name in enumerate(names)}
        entries, splits = [], []
        for (line, row), label in zip(rows, labels, strict=True):
            place, text = f"{self.path}, line {line}", row[columns[self.path_column]]
            if not text or "\0" in text:
                raise DataError(f"{place}: the path is empty")
            if self._label and not label:
                raise DataError(f"{place}: the label is empty")
            path = os.path.join(self.path.parent, text)
            numbers, vector = (
                tuple(number(row[columns[name]], place, name) for name in named) for named in (self.target, self.inputs)
            )
            which = 0 if not self._label else int(label) if numeric else order[label]
            entries.append(FileEntry(path, which, path, numbers=numbers, vector=vector))
            splits.append((place, row[columns[self.split_column]] if self.split_column in columns else ""))
        if has_splits := any(said for _, said in splits):
            found: dict[str, list[FileEntry]] = {}
            for (at, said), entry in zip(splits, entries, strict=True):
                found.setdefault(split_said(said, at), []).append(entry)
            if TRAIN not in found:
                raise DataError(f"{self.path}: no line has the split {TRAIN}")
        else:
            found = stratified_split(entries, [e.label for e in entries], self.holdout, self.seed)
        listing = Listing(
            (),
            found,
            is_divided=not has_splits,
            numbers=self.target,
            inputs=self.inputs,
            heading=self.path_column,
        )
        if not self._label:
            return listing
        top = max(e.label for e in entries)
        present = {e.label for e in found[TRAIN]}
        if missing := [n for n in range(top + 1) if n not in present]:
            which_name = names[missing[0]] if names else str(missing[0])
            raise DataError(
                f"{self.path}: class {shown(which_name)} has no examples to train on",
                help=None if names else f"labels are integers from 0; the largest is {top}",
            )
        return replace(listing, class_names=names or tuple(str(n) for n in range(top + 1)))

    @property
    def _label(self) -> str | None:
        """Heading of the labels, if there are any."""
        return self.label_column or (None if self.target else "label")

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> DataSource:
        # Listed in the order that the run had, wherever they stand.
        wanted = tuple(columns.get(VECTOR, ()))
        return self.model_copy(update={"inputs": wanted}) if wanted else self

    def _rows(self) -> tuple[list[tuple[int, list[str]]], dict[str, int]]:
        """Lines with their numbers, without the headings, and the columns by heading: of path, label and numbers, and
        perhaps of split."""
        rows = list(table_rows(self.path, "utf-8"))
        if not rows:
            raise DataError(f"{self.path} has no lines")
        head = [cell.strip() for cell in rows[0][1]]
        wanted = [self.path_column, *((self._label,) if self._label else ()), *self.target, *self.inputs]
        if self.label_column or self.target or self.inputs or any(w in head for w in wanted):
            if twice := next((w for w in wanted if wanted.count(w) > 1), None):
                raise DataError(f"{self.path}: column {shown(twice)} has two uses", help="name it once")
            for w in wanted:
                if w not in head:
                    raise DataError(
                        f"{self.path} has no column {shown(w)}; it has {', '.join(head)}", help=did_you_mean(w, head)
                    )
                if head.count(w) > 1:
                    raise DataError(f"{self.path} has two columns {shown(w)}")
            columns = {w: head.index(w) for w in (*wanted, self.split_column) if w in head}
            rows = rows[1:]
        else:
            columns = dict(zip((*wanted, self.split_column), range(max(2, min(3, len(head)))), strict=False))
        if not rows:
            raise DataError(f"{self.path} has headings and no lines")
        if len(rows[0][1]) <= max(columns.values()):
            line, row = rows[0]
            raise DataError(
                f"{self.path}, line {line}: {len(row)} columns, at least {max(columns.values()) + 1} are needed"
            )
        return [(line, [cell.strip() for cell in row]) for line, row in rows], columns


class Zip(ImageFiles, name="zip", main="path"):
    """The same as ``folder``, in a zip archive, which is read where it lies. With ``test`` a second archive, of class
    folders alone, is the held-out split."""

    suffixes = (".zip",)

    path: DataPath
    """The archive."""
    test: DataPath | None = None
    """An archive of examples to evaluate on; all of ``path`` is then trained on."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""

    def fingerprint(self) -> str:
        return stamp(self, [self.path, *([self.test] if self.test else [])])

    def listing(self) -> Listing:
        """Every image by split. Raises DataError."""
        if self.test is None:
            return self._listed(self.path)
        train, test = _everything(self._listed(self.path)), _everything(self._listed(self.test))
        if train.class_names != test.class_names:
            odd = sorted(set(train.class_names) ^ set(test.class_names))
            raise DataError(f"{self.path} and {self.test} differ in their classes: {shown(odd[0])} is in one only")
        splits = {TRAIN: train.splits[""], "test": test.splits[""]}
        return Listing(train.class_names, splits, train.strays + test.strays, train.faults + test.faults)

    def _listed(self, archive: Path) -> Listing:
        members, folders, faults = _members(archive)
        top = {name.split("/")[0] for name in members}
        # An archive of one folder is taken for that folder.
        cut = f"{next(iter(top))}/" if len(top) == 1 and all(name.count("/") > 1 for name in members) else ""
        found = {name.removeprefix(cut): info for name, info in members.items()}
        below = {name.removeprefix(cut).rstrip("/") for name in folders}
        names, splits, strays, is_divided = scan_class_folders(str(archive), found, below, self.holdout, self.seed)
        entries: dict[str, list[FileEntry]] = {}
        with opened(archive) as file:
            for split, kept in splits.items():
                entries[split] = [_located(archive, file, found[name], label) for name, label in kept]
        return Listing(names, entries, strays, tuple(faults), is_divided)


def _everything(listing: Listing) -> Listing:
    """One split, in the order of names."""
    entries = sorted((e for members in listing.splits.values() for e in members), key=lambda e: e.name)
    return Listing(listing.class_names, {"": entries}, listing.strays, listing.faults)


def _members(archive: Path) -> tuple[dict[str, ZipInfo], list[str], list[Fault]]:
    """Files by name, folders, and what is left out. Raises DataError."""
    try:
        with opened(archive) as data, ZipFile(data) as file:
            listed = file.infolist()
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"{archive} is not a zip archive: {error}") from None
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror}") from None
    members: dict[str, ZipInfo] = {}
    folders: list[str] = []
    faults: list[Fault] = []
    for info in listed:
        name = info.filename
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":":
            faults.append(Fault("leads outside the archive", f"{archive}/{name}", "is left out"))
            continue
        if info.is_dir():
            folders.append(name)
            continue
        if info.flag_bits & 1:
            raise DataError(f"{archive}: {shown(name)} is encrypted")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise DataError(f"{archive}: {shown(name)} is packed in a way that is not known here")
        if info.file_size > files.PACKED * info.compress_size + 2**20:
            raise DataError(f"{archive}: {shown(name)} unpacks to {info.file_size} bytes, which no image does")
        if name in members:
            faults.append(
                Fault("several members of one name", f"{archive}/{name}", "is there again; the last one counts")
            )
        members[name] = info
    return members, folders, faults


def _located(archive: Path, file: Any, info: ZipInfo, label: int) -> FileEntry:
    """Where a member's bytes lie: behind a local header, whose length only it tells."""
    file.seek(info.header_offset + 26)
    lengths = file.read(4)
    start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    packed = info.compress_type == ZIP_DEFLATED
    return FileEntry(str(archive), label, f"{archive}/{info.filename}", start, info.compress_size, packed)


def _walked(root: Path) -> tuple[list[str], list[str], list[Fault]]:
    """All files and folders below, relative, with ``/``, and what is left out. Folders that are links are entered at
    the first two levels, unless they lead back to where they stand."""
    found: list[str] = []
    folders: list[str] = []
    faults: list[Fault] = []

    def enter(folder: str, depth: int, above: tuple[str, ...]) -> None:
        place = os.path.join(root, folder)
        above = (*above, os.path.realpath(place))
        try:
            with os.scandir(place) as entries:
                inside = list(entries)
        except OSError as error:
            raise DataError(f"{place} cannot be read: {error.strerror}") from None
        for entry in inside:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry) and entry.is_symlink():
                to = os.path.realpath(entry.path)
                if any(at == to or at.startswith(to.rstrip(os.sep) + os.sep) for at in above):
                    faults.append(Fault("link to a folder around it", entry.path, f"leads to {to}; it is left out"))
                    continue
                if depth >= 2:
                    faults.append(Fault("link to a folder", entry.path, f"leads to {to}; it is left out"))
                    continue
            if _is_folder(entry):
                folders.append(name)
                if not entry.name.startswith("."):
                    enter(name, depth + 1, above)
            else:
                found.append(name)

    enter("", 0, ())
    return found, folders, faults


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # A link that leads to itself.


def _is_class(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 7


def _stamped(source: Folder | ListFile) -> str:
    """A fingerprint that also says which files are missing."""
    paths: Iterable[FileEntry] = (e for entries in source.listing().splits.values() for e in entries)
    return stamp(source, sorted(e.path for e in paths if os.path.exists(e.path)))
