"""Export a trained network: SavedModel, ONNX, LiteRT or .keras.

ONNX needs tf2onnx and onnx; its outputs are compared with the network's if onnxruntime is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

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
    parser.add_argument("--format", choices=("onnx", "litert", "keras", "saved_model"), help="default: by the name")
    parser.add_argument(
        "--with-preprocessing",
        action="store_true",
        help="the file takes examples as the data have them, prepares them as evaluation does, and gives probabilities",
    )
    parser.add_argument("--best", action="store_true", help="export the best weights instead of the last")


def run(args: argparse.Namespace) -> int:
    """Load, write, compare."""
    from archspec.cli import FAILED, USAGE
    from archspec.cli._output import failed
    from archspec.runs.export import export
    from archspec.training.errors import Misused, RunError

    try:
        done = export(
            args.logdir,
            args.output,
            form=args.format,
            best=args.best,
            with_preprocessing=args.with_preprocessing,
        )
    except Misused as error:
        return failed(str(error), USAGE)
    except RunError as error:
        return failed(str(error), FAILED)
    print(f"archspec: wrote {done.path}{f'; {done.note}' if done.note else ''}", file=sys.stderr)
    if done.preprocessing:
        steps = ", ".join(done.transforms)
        said = f"what is done to an example before it ({steps})" if steps else "its classes"
        if done.within:
            said = f"its classes, and what it does to an example itself ({', '.join(done.within)})"
        print(f"archspec: wrote {done.preprocessing}: {said}", file=sys.stderr)
    return 0
