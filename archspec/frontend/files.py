"""Files: reading them from the catalogue, a path or another file's ``use``, and nothing else."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from archspec.frontend import catalogue
from archspec.frontend.document import Document, document
from archspec.frontend.reading import read_source
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean, listed, shown, typed

MAX_FILES = 256
MAX_NESTING = 16
MAX_TOTAL = 8 << 20
MAX_PATH = 1024
PROJECT = ".archspec"
MARKS = (".git", "pyproject.toml", PROJECT)
"""What a project's folder has: the nearest such folder, the outermost file's or one above, is its project's."""
KEPT = 64
"""Texts that are not read again while they stay as they are, as when members of a family are made one after another."""


class Library:
    """The files of one elaboration, each read once, within the limits."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.folders: dict[str, Path] = {}
        self.outermost: Path | None = None
        self.asked: dict[Path, None] = {}
        """Every file that was looked for, whether it is there or not."""
        self._used: dict[tuple[Document, str], tuple[Document, str | None]] = {}
        self.total = 0

    def open(self, path: Path, name: str) -> Document:
        """The document at ``path``, reported as ``name``. Raises SpecError, OSError."""
        real = os.path.realpath(path)
        self.asked[Path(real)] = None
        if real not in self.documents:
            source = read_source(path, name)
            self.total += len(source.text)
            if len(self.documents) >= MAX_FILES or self.total > MAX_TOTAL:
                message = f"more than {MAX_FILES} files, or {MAX_TOTAL >> 20} MiB, are used"
                raise SpecError([Diagnostic("F03", message, Span(source, 1, 1))])
            if not self.documents:
                self.outermost = Path(real).parent
            self.documents[real] = _document(source.name, source.text)
            self.folders[source.name] = Path(real).parent
        return self.documents[real]

    def lies_in(self, text: Document, folder: Path) -> None:
        """Files that a text which was not read from a file uses are looked for from a folder."""
        self.outermost = self.folders[text.source.name] = Path(os.path.realpath(folder))

    def used(self, by: Document, alias: str) -> tuple[Document, str | None]:
        """What ``use`` names in a file: the document, and the variant if it names one. Raises SpecError.

        Looked for once: a file may be called in hundreds of steps.
        """
        found = self._used.get((by, alias))
        if found is None:
            found = self._used[by, alias] = self._find(by, alias)
        return found

    def _find(self, by: Document, alias: str) -> tuple[Document, str | None]:
        target, at = by.spec.use[alias], by.span("use", alias)
        if not target.endswith((".yaml", ".yml")):
            entry = catalogue.find(target)
            if entry is None:
                hint = did_you_mean(target, catalogue.names()) or "a path ends in .yaml"
                raise SpecError([Diagnostic("F02", f"there is no spec {shown(target)} in the catalogue", at, hint)])
            return self.open(entry.path, catalogue_name(entry.path)), entry.variant
        return self.open(self._within(by, target, at), _beside(by.source.name, target)), None

    def _within(self, by: Document, target: str, at: Span) -> Path:
        """The path of a used file, which lies in the project or in the catalogue."""
        folder = self.folders.get(by.source.name, Path())
        roots = [folder, catalogue.folder()]
        if self.outermost is not None and not folder.is_relative_to(os.path.realpath(catalogue.folder())):
            roots.append(project(self.outermost))
        if "\0" in target or len(target) > MAX_PATH:
            raise SpecError([Diagnostic("F02", f"{shown(target)} is no path", at)])
        path = folder / target
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
            message = f"{shown(target)} lies outside this project and the catalogue"
            marks = f"{', '.join(MARKS[:-1])} or {PROJECT}"
            help = f"use takes a name of the catalogue, or a path below the nearest folder with {marks}"
            raise SpecError([Diagnostic("F02", message, at, help)])
        self.asked[real] = None
        if not real.is_file():
            raise SpecError([Diagnostic("F02", f"there is no file {shown(target)}", at, _by_name(target, folder))])
        return path


def project(folder: Path) -> Path:
    """The folder of the project that a folder is part of; itself, if no folder above has one of ``MARKS``."""
    above = (folder, *folder.parents)
    return next((path for path in above if any((path / mark).exists() for mark in MARKS)), folder)


def _by_name(target: str, folder: Path) -> str | None:
    """What may have been meant by a path that leads nowhere: a name of the catalogue, or a file that is there."""
    from difflib import get_close_matches

    stem = Path(target).stem
    if catalogue.find(stem) is not None:
        return f"the catalogue's go by name: {stem}"
    beside = [path.stem for path in sorted(folder.glob("*.yaml"))[:200]] if folder.is_dir() else []
    near = get_close_matches(stem, beside, n=1, cutoff=0.7)
    return f"did you mean '{near[0]}.yaml'?" if near else None


@lru_cache(maxsize=KEPT)
def _document(name: str, text: str) -> Document:
    return document(Source(name, text))


def catalogue_name(path: Path) -> str:
    """How a file of the catalogue is reported."""
    return f"specs/{path.parent.name}/{path.name}"


def _beside(name: str, target: str) -> str:
    return os.path.normpath(Path(name).parent / target)


@cache
def prelude() -> Document:
    """The prelude, which every file sees."""
    path = Path(__file__).parent / "prelude.yaml"
    return document(Source("prelude.yaml", path.read_text(encoding="utf-8")))


def find(name: str) -> tuple[Path, str, str | None]:
    """Path, reported name and variant of what a person names: a path, or a name of the catalogue. Raises SpecError."""
    try:
        is_path = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        is_path = False
    if not is_path:
        raise SpecError([Diagnostic("F01", f"{shown(name)} is no path", typed("", ascii(name)[1:-1]))])
    if name.endswith((".yaml", ".yml")) or os.sep in name or os.path.isfile(name):
        return Path(name), name, None
    entry = catalogue.find(name)
    if entry is None:
        message = f"there is no spec or variant {shown(name)}"
        raise SpecError([Diagnostic("F01", message, typed("", name), meant(name))])
    return entry.path, catalogue_name(entry.path), entry.variant


def meant(name: str, folder: Path = Path()) -> str:
    """What may have been meant by a name that the catalogue does not have: a file of a folder, or a name like it."""
    if "\n" in name:
        return "archspec.loads reads the text of a spec; archspec.load takes a path, a name or a mapping"
    known: Any = catalogue.names()
    beside = [f"{name}{suffix}" for suffix in (".yaml", ".yml") if name.isprintable() and len(name) < MAX_PATH]
    if file := next((file for file in beside if (folder / file).is_file()), None):
        return f"for the file write {file}; a name alone is one of the catalogue"
    if members := catalogue.family(name):
        return f"'{name}' is a family of the catalogue: {listed(members)}"
    return did_you_mean(name, known) or "'archspec list' shows the catalogue; a path ends in .yaml"
