"""A trained network for other programs, and beside it what is done to an image before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runs.directory import preparation, without_data

if TYPE_CHECKING:
    import keras

    from archspec.data.example import Example
    from archspec.data.transform import Transform
    from archspec.ir.graph import Graph
    from archspec.runs.request import RunRequest
    from archspec.training.task import Task

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".keras": "keras"}
FORMATS = (*SUFFIXES.values(), "saved_model")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the network's file or folder, and ``note``, what a comparison with the network says of it, or
    what it needs to be run. Of networks of images, or of rows, ``preprocessing`` is the file of what
    is done to one before it: ``transforms``, by name; ``within`` are those that the network's file does itself."""

    path: Path
    note: str = ""
    preprocessing: Path | None = None
    transforms: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


def export(logdir: Path, output: Path, *, form: str | None, best: bool, with_preprocessing: bool = False) -> Exported:
    """Load, write, compare. Raises Misused, NotTrained, NotExported, SpecError, OSError."""
    from archspec.backend import export as files
    from archspec.backend.installation import quiet_start
    from archspec.backend.onnx import ExportError
    from archspec.data.transform import valued
    from archspec.training.errors import Misused, NotExported
    from archspec.training.planning import task_of
    from archspec.training.record import recorded_features
    from archspec.training.trained import trained, weights_file

    form = chosen(output, form)
    if with_preprocessing and form == "keras":
        raise Misused("a .keras file cannot hold preprocessing: export a SavedModel, ONNX or LiteRT file")
    weights = weights_file(logdir, best=best)
    if form == "onnx" and (missing := _missing("tf2onnx", "onnx")):
        raise NotExported(missing)
    found, features = without_data(logdir), recorded_features(logdir)
    graph = found.graph()
    quiet_start()
    steps = preparation(logdir, found) if valued(features.features) is not None else None
    model = trained(graph, weights)
    within: tuple[Transform, ...] = ()
    if with_preprocessing:
        model, within = _prepared(model, graph, found, features, steps), steps or ()
    note, described = "", None if steps is None else _described(output, features, steps, within)
    if (
        described is not None
        and not with_preprocessing
        and (units := task_of(found.run, graph).units(graph.inference()))
    ):
        described["units"] = {head: dict(zip(("mean", "deviation"), said, strict=True)) for head, said in units.items()}
    try:
        if form == "onnx":
            listed = task_of(found.run, graph, features).listed
            note = _written_as_onnx(model, output, described, 256 if within else 8, listed)
        else:
            files.export(model, output, form)
            note = _needed(output) if form == "litert" else files.opened_by(model) if form == "keras" else ""
    except ExportError as error:
        raise NotExported(str(error)) from None
    if described is None or steps is None:
        return Exported(output, note)
    boxes = boxes_note(task_of(found.run, graph, features), graph.inference(), is_prepared=with_preprocessing)
    note = "; ".join(filter(None, (note, boxes)))
    before = () if within else steps
    path = _with_preprocessing(output, described, steps)
    return Exported(output, note, path, *(tuple(step.name for step in some) for some in (before, within)))


def _prepared(
    model: keras.Model, graph: Graph, found: RunRequest, features: Example, steps: tuple[Transform, ...] | None
) -> Any:
    """The network behind the transforms of evaluation. Raises NotExported."""
    from archspec.data.errors import DataError
    from archspec.data.transform import valued
    from archspec.runs.serving import Lying, with_preprocessing
    from archspec.training.errors import NotExported
    from archspec.training.planning import task_of

    part = valued(features.features)
    if part is None or steps is None:
        raise NotExported("preprocessing can be exported for networks of images or of rows of numbers only")
    inference = graph.inference()
    task = task_of(found.run, graph, features)
    activations = task.shared_by(inference, found.run.train, features)
    try:
        units = task.units(inference)
        lying = Lying(task.located, task.filling, task.numbered, task.scored(inference))
        return with_preprocessing(model, features.parts[part], steps, activations, units, lying)
    except DataError as error:
        raise NotExported(error.message) from None


def boxes_note(task: Task, graph: Graph, *, is_prepared: bool) -> str:
    """Where the boxes of a file lie, whether it prepares images itself or not; empty where a task finds none."""
    if not task.located:
        return ""
    if is_prepared:
        return "boxes are in pixels of the image given"
    height, width = (n or "?" for n in next(iter(graph.inputs.values())).shape[:2])
    asked = "with --with-preprocessing they are in those of the image given"
    return f"boxes are in pixels of the prepared image of {height}×{width}; {asked}"


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


def _described(
    output: Path, features: Example, steps: tuple[Transform, ...], within: tuple[Transform, ...]
) -> dict[str, Any]:
    """What is done to an image or a row before the network, with all that was fitted to the training data, or within
    its file, and what its outputs stand for."""
    from archspec.data.arguments import written
    from archspec.data.objects import object_names
    from archspec.data.preprocessing import with_files
    from archspec.data.transform import valued

    part = valued(features.features)
    assert part is not None
    done = [written(with_files(step, _files(output, steps))) for step in steps]
    return {
        part: list(features.parts[part].shape),
        "dtype": features.parts[part].dtype,
        "transforms": [] if within else done,
        **({"within": done} if within else {}),
        "classes": list(object_names(features) or features.class_names),
        **({"columns": list(features.columns[part])} if part in features.columns else {}),
    }


def _files(output: Path, steps: tuple[Transform, ...]) -> dict[Path, Path]:
    """Where the files that transforms read are kept: beside the network, under its name."""
    from archspec.data.preprocessing import kept_files

    return {path: Path(f"{_stem(output)}.{kept.name}") for path, kept in kept_files(steps).items()}


def _stem(output: Path) -> str:
    return output.name.removesuffix(output.suffix) if output.suffix.lower() in SUFFIXES else output.name


def _with_preprocessing(output: Path, described: dict[str, Any], steps: tuple[Transform, ...]) -> Path:
    """Write beside a network what is done before it; mean images lie beside that. Raises OSError."""
    from archspec.data.preprocessing import write_files
    from archspec.storage.atomic import write_json

    write_files(_files(output, steps), output.parent)
    path = output.with_name(f"{_stem(output)}.preprocessing.json")
    write_json(path, described)
    return path


def _missing(*packages: str) -> str | None:
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        return f"ONNX needs {' and '.join(missing)}, not installed here: pip install 'archspec-keras[onnx]'"
    return None


def _written_as_onnx(
    model: keras.Model, path: Path, described: dict[str, Any] | None, open_size: int, listed: Sequence[str]
) -> str:
    """What a comparison says. Raises ExportError, OSError."""
    from archspec.backend.onnx import write_onnx

    metadata = {key: json.dumps(value, ensure_ascii=False) for key, value in (described or {}).items()}
    distance = write_onnx(model, path, metadata=metadata, open_size=open_size, listed=listed)
    if distance is None:
        return "not compared: onnxruntime is not installed"
    return f"onnxruntime's outputs are within {distance:.1e} of the network's"


def _needed(path: Path) -> str:
    """What a LiteRT file needs to be run besides LiteRT itself: its operations that TensorFlow alone has."""
    import re

    names = sorted({name.decode() for name in re.findall(rb"\0Flex([A-Z]\w+)\0", path.read_bytes())})
    if not names:
        return ""
    return f"it is run only by a LiteRT that has TensorFlow's own ops (the Flex delegate), for {', '.join(names)}"
