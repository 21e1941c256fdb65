"""Writing files of models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.backend.installation import quiet
from archspec.storage.atomic import staged, write_atomically

if TYPE_CHECKING:
    import keras


def own_layers(model: keras.Model) -> tuple[str, ...]:
    """Classes of archspec's that a ``.keras`` file of the model names."""
    import json
    import re

    return tuple(sorted(set(re.findall(r'"registered_name": "archspec>(\w+)"', json.dumps(model.get_config())))))


def opened_by(model: keras.Model) -> str:
    """How Keras opens a ``.keras`` file of the model."""
    own = own_layers(model)
    if not own:
        return "Keras opens it as it is"
    return f"Keras opens it after 'import archspec.layers', for {', '.join(own)}"


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
