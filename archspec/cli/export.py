"""Write a trained network for other programs: SavedModel, ONNX, LiteRT or .keras.

ONNX is compared with the network where onnxruntime is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".keras": "keras"}


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
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")


def run(args: argparse.Namespace) -> int:
    """Load, write, compare."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.training.trained import NotTrained, trained, weights_file

    form = SUFFIXES.get(args.output.suffix.lower(), "saved_model")
    if form == "saved_model" and args.output.suffix:
        known = ", ".join(SUFFIXES)
        return _runs.failed(f"{args.output.name} must end in {known}, or in nothing for a SavedModel", 2)
    try:
        path = weights_file(args.logdir, best=args.best)
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    if form == "onnx" and (missing := _missing("tf2onnx")):
        return _runs.failed(missing, 1)
    found, _ = _runs.remembered(args.logdir)
    graph = _runs.spec_graph(found)
    quiet_start()
    model = trained(graph, path)
    from archspec.backend.export import export

    export(model, args.output, form)
    print(f"archspec: wrote {args.output}{_compared(model, args.output, form)}", file=sys.stderr)
    return 0


def _missing(package: str) -> str | None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        return f"ONNX needs {package}, which is not installed: pip install {package} onnx"
    return None


def _compared(model: Any, path: Path, form: str) -> str:
    """What a comparison says of an ONNX file; the empty text for what is not compared."""
    if form != "onnx":
        return ""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return "; not compared: onnxruntime is not installed"
    import numpy as np

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    x = np.random.default_rng(0).random((2, *model.input_shape[1:]), np.float32)
    (found, *_) = session.run(None, {given.name: x})
    distance = float(np.abs(np.asarray(model(x)) - found).max())
    return f"; onnxruntime's outputs are within {distance:.1e} of the network's"
