"""Where a person means that data are, by what was written in the place of a source, and which source reads it."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from archspec.data.errors import DataError
from archspec.data.source import source_for
from archspec.ir.aliases import same

PATHS = ("path", "dir", "directory", "root", "data_dir", "data_path", "folder", "file", "images")
"""Keys below which a person names a path of data without saying what lies there."""


def path_of(value: object) -> str | None:
    """The path that a person names as data, in whatever form; of several, the folder that holds them."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        # Settings of the training that stand among the data's.
        value = {k: v for k, v in value.items() if isinstance(v, str) or k not in ("batch_size", "batch", "shuffle")}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        return None
    if path := next((value[key] for key in PATHS if key in value), None):
        return str(path)
    tops = {os.path.dirname(str(path).rstrip("/")) for path in value.values()}
    splits = {same("evaluate key", key, ("split",)) or str(key) for key in value}
    return (tops.pop() or ".") if len(tops) == 1 and "train" in splits else None


def source_at(place: Path) -> str | None:
    """The source for a path, by what is there; a folder's first thousand entries are looked at."""
    if place.is_file():
        try:
            return source_for(str(place))[0]
        except DataError:
            return None
    from archspec.data.images import SUFFIXES

    try:
        entries = list(islice(os.scandir(place), 1000))
    except OSError:
        return None
    files = [entry.name.lower() for entry in entries if not entry.is_dir()]
    if any(name.endswith(("-ubyte", "-ubyte.gz")) for name in files):
        return "idx"
    if any(name.endswith(".bin") for name in files):
        return "cifar"
    if any(".tfrecord" in name for name in files):
        return "tfds" if "dataset_info.json" in files else "tfrecord"
    if len(entries) > len(files):
        below = (name for e in entries if e.is_dir() for name in islice(_names(Path(e.path)), 100))
        return "text" if any(name.endswith(".txt") for name in islice(below, 1000)) else "folder"
    return "pictures" if any(name.endswith(SUFFIXES) for name in files) else "folder"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name.lower() for entry in islice(os.scandir(folder), 100)]
    except OSError:
        return []
