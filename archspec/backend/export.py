"""Writing files of models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.backend.installation import quiet
from archspec.storage.atomic import staged, write_atomically

if TYPE_CHECKING:
    import keras

_OWN = "archspec.layers"


def imports(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """What Keras has to import before it opens a ``.keras`` file of the model, with the classes that it is for.

    Those of archspec and of packages with ops of their own; Keras's own classes need nothing.
    """
    found: dict[str, set[str]] = {}
    values: list[object] = [model.get_config()]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            room = str(value.get("module") or "")
            if value.get("registered_name") and room.partition(".")[0] not in ("", "builtins", "keras"):
                found.setdefault(_OWN if room.startswith(f"{_OWN}.") else room, set()).add(value["class_name"])
            values.extend(value.values())
        elif isinstance(value, (list, tuple)):
            values.extend(value)
    return {room: tuple(sorted(found[room])) for room in sorted(found)}


def opened_by(model: keras.Model) -> str:
    """How Keras opens a ``.keras`` file of the model."""
    needed = imports(model)
    if not needed:
        return "Keras opens it as it is"
    each = (f"'import {room}', for {', '.join(classes)}" for room, classes in needed.items())
    return f"Keras opens it after {' and '.join(each)}"


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
        with staged(path) as beside, quiet():
            model.export(str(beside), format="tf_saved_model", verbose=False)
    else:
        with quiet():
            write_atomically(path, lambda beside: model.export(str(beside), format=form, verbose=False))
