"""Preprocessing as it is kept: with all that was fitted to the training data, and the files that it reads beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from archspec.data.transform import Transform
from archspec.storage.atomic import write_atomically


def kept_files(steps: Iterable[Transform]) -> dict[Path, Path]:
    """Every file that transforms read → where it is kept beside what names it: ``preprocessing/NAME.npy``, and
    ``NAME-2.npy`` for the next one of that name."""
    out: dict[Path, Path] = {}
    for owner, path in _files(steps):
        if path not in out:
            taken = sum(kept.name.startswith(owner) for kept in out.values())
            out[path] = Path("preprocessing", f"{owner}{f'-{taken + 1}' if taken else ''}{path.suffix}")
    return out


def _files(steps: Iterable[Transform]) -> Iterator[tuple[str, Path]]:
    for step in steps:
        for field in type(step).model_fields:
            value = getattr(step, field)
            if isinstance(value, Path):
                yield step.name, value
            elif isinstance(value, tuple):
                yield from _files(item for item in value if isinstance(item, Transform))


def with_files(step: Transform, files: Mapping[Path, Path]) -> Transform:
    """The same transform, its files at other places."""

    def moved(value: object) -> Any:
        if isinstance(value, Path):
            return files.get(value, value)
        if isinstance(value, Transform):
            return with_files(value, files)
        return tuple(map(moved, value)) if isinstance(value, tuple) else value

    return step.model_copy(update={name: moved(getattr(step, name)) for name in type(step).model_fields})


def write_files(files: Mapping[Path, Path], folder: Path) -> None:
    """Copy the files to where they are kept below ``folder``. Raises OSError."""
    for path, kept in files.items():
        place = folder / kept
        if place.exists() and os.path.samefile(path, place):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, partial(shutil.copyfile, path))
