"""Writing files of models, so that a crash leaves the previous file or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def save(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write ``model`` as ``.keras``: architecture, weights and, where compiled, the optimiser.

    Keras opens the file after ``import archspec.layers`` (``keras.saving.load_model``, safe mode on). archspec itself
    never does: it builds the model from its spec. Raises ValueError for another suffix, OSError.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"the name of a model file must end in .keras, got {path.name!r}")
    write_atomically(path, lambda beside: model.save(beside))


def export(model: keras.Model, path: str | os.PathLike[str], form: str) -> None:
    """Write ``model`` for other programs: ``saved_model`` (a new folder), ``litert`` or ``keras``. (ONNX: onnx.py.)

    Raises FileExistsError for a folder that is there already, OSError.
    """
    path = Path(path)
    if form == "keras":
        save(model, path)
    elif form == "saved_model":
        if path.exists():
            raise FileExistsError(17, "is there already", str(path))
        beside = path.parent / f".{os.getpid()}-{path.name}"
        model.export(str(beside), format="tf_saved_model", verbose=False)
        os.replace(beside, path)
    else:
        write_atomically(path, lambda beside: model.export(str(beside), format=form, verbose=False))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` make a file beside ``path``, bring it to the disk, then put it in its place. Raises OSError."""
    folder = path.parent
    # The whole name comes last: Keras goes by suffixes, ``.weights.h5`` among them.
    beside = folder / f".{os.getpid()}-{path.name}"
    try:
        write(beside)
        _sync(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    _sync(folder)


def _sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle on a folder.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
