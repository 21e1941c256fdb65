"""Write a trained network for other programs: SavedModel, ONNX, LiteRT or .keras.

ONNX needs tf2onnx and onnx; it is compared with the network where onnxruntime is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".keras": "keras"}
FORMATS = (*SUFFIXES.values(), "saved_model")


EXAMPLES = ("archspec export runs/net/1 -o net.onnx --format onnx",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory and where to write."""
    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help="NAME.onnx, NAME.tflite, NAME.keras, or a folder for a SavedModel",
    )
    parser.add_argument("--format", choices=FORMATS, help="default: by the name")
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")


def run(args: argparse.Namespace) -> int:
    """Load, write, compare."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.data.source import IMAGE
    from archspec.training.trained import NotTrained, trained, weights_file

    by_name = SUFFIXES.get(args.output.suffix.lower(), "saved_model")
    form = args.format or by_name
    if by_name == "saved_model" and args.output.suffix:
        known = ", ".join(SUFFIXES)
        return _runs.failed(f"{args.output.name} must end in {known}, or in nothing for a SavedModel", 2)
    if form != by_name:
        ending = next((suffix for suffix, name in SUFFIXES.items() if name == form), "nothing")
        return _runs.failed(f"{args.output.name} must end in {ending} to be of the format {form}", 2)
    try:
        path = weights_file(args.logdir, best=args.best)
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    if form == "onnx" and (missing := _missing("tf2onnx", "onnx")):
        return _runs.failed(missing, 1)
    found, features = _runs.remembered(args.logdir)
    graph = _runs.spec_graph(found)
    quiet_start()
    steps = _runs.preparation(args.logdir, found) if IMAGE in features.parts else None
    model = trained(graph, path)
    from archspec.backend.export import export
    from archspec.backend.onnx import ExportError

    said = ""
    try:
        if form == "onnx":
            said = _written_as_onnx(model, args.output)
        else:
            export(model, args.output, form)
            said = _needed(args.output) if form == "litert" else ""
    except ExportError as error:
        return _runs.failed(str(error), 1)
    print(f"archspec: wrote {args.output}{said}", file=sys.stderr)
    if steps is not None:
        path = _with_preprocessing(args.output, features, steps)
        done = f"what is done to an image before it ({', '.join(s.name for s in steps)})" if steps else "its classes"
        print(f"archspec: wrote {path}: {done}", file=sys.stderr)
    return 0


def _with_preprocessing(output: Path, features: Any, steps: tuple[Any, ...]) -> Path:
    """Write beside a network what is done to an image before it, with all that was fitted to the training data, and
    what its outputs stand for; mean images lie beside that. Raises OSError."""
    from archspec.data.arguments import written
    from archspec.data.preprocessing import kept_files, with_files, write_files
    from archspec.data.source import IMAGE
    from archspec.storage.atomic import write_json

    name = output.name.removesuffix(output.suffix) if output.suffix.lower() in SUFFIXES else output.name
    files = {path: Path(f"{name}.{kept.name}") for path, kept in kept_files(steps).items()}
    write_files(files, output.parent)
    described = {
        "image": list(features.parts[IMAGE].shape),
        "dtype": features.parts[IMAGE].dtype,
        "transforms": [written(with_files(step, files)) for step in steps],
        "classes": list(features.class_names),
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
        return "; not compared: onnxruntime is not installed"
    return f"; onnxruntime's outputs are within {distance:.1e} of the network's"


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
        return "; it is run only by a LiteRT that has TensorFlow's own ops (the Flex delegate)"
    return ""
