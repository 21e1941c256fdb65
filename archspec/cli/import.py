"""Convert a network of another program to a spec, with its weights.

FILE is a .cfg of Darknet, a .prototxt of Caffe, a .yaml of Ultralytics, or an .onnx file (extra onnx). Weights come
from it, or from a second file, .weights or .caffemodel. What a spec cannot express is an error with its place; what
only training needs is omitted, with a warning. Neither Keras nor TensorFlow is needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli import _arguments

EXAMPLES = (
    "archspec import net.onnx -o net.yaml --weights net.npz",
    "archspec import net.cfg net.weights -o net.yaml --weights net.npz",
    "archspec import model.yaml -o net.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and where to write."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the file of the network")
    parser.add_argument(
        "numbers", metavar="NUMBERS", type=Path, nargs="?", help="the file of its weights, if they are separate"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="write the spec here instead of to stdout")
    parser.add_argument("--weights", type=_arguments.npz, metavar="OUT", help="write the weights here; ends in .npz")


def run(args: argparse.Namespace) -> int:
    """Read the network, write its spec; nothing is written of one that is refused."""
    from archspec.cli._output import print_diagnostics, refused, write
    from archspec.importing import imported

    if args.numbers is not None and args.weights is None:
        return refused("import", "a file of weights needs a place for its weights: add --weights OUT.npz")
    found = imported(args.file, args.numbers, wants_weights=args.weights is not None)
    print_diagnostics(found.warnings)
    if args.weights is not None and found.weights is not None:
        from archspec.backend.weights import write as write_weights

        write_weights(args.weights, found.weights)
        count = sum(value.size for value in found.weights.values())
        print(f"archspec: wrote {args.weights}: {count:,} parameters", file=sys.stderr)
    if args.output:
        from archspec.storage.atomic import write_text

        write_text(args.output, found.text)
    else:
        write(found.text.removesuffix("\n"))
    for note in found.notes:
        print(f"archspec: note: {note}", file=sys.stderr)
    return 0
