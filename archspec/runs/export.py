"""A trained network for other programs, and beside it what is done to an image before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runs.directory import preparation, without_data

if TYPE_CHECKING:
    from archspec.data.example import Example
    from archspec.data.transform import Transform

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".keras": "keras"}
FORMATS = (*SUFFIXES.values(), "saved_model")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the network's file or folder, and ``note``, what a comparison with the network says of it, or
    what it needs to be run. Of networks of images, or of rows, ``preprocessing`` is the file of what
    is done to one before it: ``transforms``, by name."""

    path: Path
    note: str = ""
    preprocessing: Path | None = None
    transforms: tuple[str, ...] = ()


def export(logdir: Path, output: Path, *, form: str | None, best: bool) -> Exported:
    """Load, write, compare. Raises NotTrained, NotExported, SpecError, OSError."""
    from archspec.backend import export as files
    from archspec.backend.installation import quiet_start
    from archspec.backend.onnx import ExportError
    from archspec.data.transform import valued
    from archspec.training.errors import NotExported
    from archspec.training.record import recorded_features
    from archspec.training.trained import trained, weights_file

    form = chosen(output, form)
    weights = weights_file(logdir, best=best)
    if form == "onnx" and (missing := _missing("tf2onnx", "onnx")):
        raise NotExported(missing)
    found, features = without_data(logdir), recorded_features(logdir)
    graph = found.graph()
    quiet_start()
    steps = preparation(logdir, found) if valued(features.features) is not None else None
    model = trained(graph, weights)
    note = ""
    try:
        if form == "onnx":
            note = _written_as_onnx(model, output)
        else:
            files.export(model, output, form)
            note = _needed(output) if form == "litert" else ""
    except ExportError as error:
        raise NotExported(str(error)) from None
    if steps is None:
        return Exported(output, note)
    path = _with_preprocessing(output, features, steps)
    return Exported(output, note, path, tuple(step.name for step in steps))


def chosen(output: Path, form: str | None) -> str:
    """The form that is written, by the name where none is asked for. Raises Misused where the two do not fit."""
    from archspec.training.errors import Misused

    by_name = SUFFIXES.get(output.suffix.lower(), "saved_model")
    if by_name == "saved_model" and output.suffix:
        raise Misused(f"{output.name} must end in {', '.join(SUFFIXES)}, or in nothing for a SavedModel")
    if form not in (None, by_name):
        ending = next((suffix for suffix, name in SUFFIXES.items() if name == form), "nothing")
        raise Misused(f"{output.name} must end in {ending} to be of the format {form}")
    return by_name


def _with_preprocessing(output: Path, features: Example, steps: tuple[Transform, ...]) -> Path:
    """Write beside a network what is done to an image before it, with all that was fitted to the training data, and
    what its outputs stand for; mean images lie beside that. Raises OSError."""
    from archspec.data.arguments import written
    from archspec.data.preprocessing import kept_files, with_files, write_files
    from archspec.data.transform import valued
    from archspec.storage.atomic import write_json

    part = valued(features.features)
    assert part is not None

    name = output.name.removesuffix(output.suffix) if output.suffix.lower() in SUFFIXES else output.name
    files = {path: Path(f"{name}.{kept.name}") for path, kept in kept_files(steps).items()}
    write_files(files, output.parent)
    described = {
        part: list(features.parts[part].shape),
        "dtype": features.parts[part].dtype,
        "transforms": [written(with_files(step, files)) for step in steps],
        "classes": list(features.class_names),
        **({"columns": list(features.columns[part])} if part in features.columns else {}),
    }
    path = output.with_name(f"{name}.preprocessing.json")
    write_json(path, described)
    return path


def _missing(*packages: str) -> str | None:
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        return f"ONNX needs {' and '.join(missing)}, not installed here: pip install 'archspec-keras[onnx]'"
    return None


def _written_as_onnx(model: Any, path: Path) -> str:
    """What a comparison says. Raises ExportError, OSError."""
    from archspec.backend.onnx import write_onnx

    distance = write_onnx(model, path)
    if distance is None:
        return "not compared: onnxruntime is not installed"
    return f"onnxruntime's outputs are within {distance:.1e} of the network's"


def _needed(path: Path) -> str:
    """What a LiteRT file needs to be run besides LiteRT itself."""
    import tensorflow as tf

    from archspec.backend.installation import quiet

    try:
        with quiet():
            tf.lite.Interpreter(str(path)).allocate_tensors()
    except RuntimeError as error:
        if "Select TensorFlow op" not in str(error):
            raise
        return "it is run only by a LiteRT that has TensorFlow's own ops (the Flex delegate)"
    return ""
