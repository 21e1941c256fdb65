"""Build the Keras model of a spec and write it as a .keras file.

Keras opens the file after 'import archspec.layers', with its safe mode on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli import _arguments

EXAMPLES = (
    "archspec compile net.yaml -o net.keras",
    "archspec compile net.yaml --summary",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, where to write, and what to show."""
    _arguments.add_spec(parser)
    parser.add_argument("-o", "--output", type=_model_file, metavar="FILE", help="write the model here; ends in .keras")
    parser.add_argument("--summary", action="store_true", help="print Keras's own summary of the model")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="give the model these weights; see 'archspec weights --help'"
    )
    parser.add_argument("--training", action="store_true", help="include the heads that only training needs")


def run(args: argparse.Namespace) -> int:
    """Load, build, write."""
    if not (args.output or args.summary):
        from archspec.cli._output import refused

        return refused("compile", "give -o FILE.keras, --summary or both")
    graph = _arguments.load(args)
    values = None
    if args.weights:
        from archspec.backend.weights import imported

        found = imported(args.weights, graph if args.training else graph.inference())
        values = found.values
        for note in found.notes:
            print(f"archspec: note: {note}", file=sys.stderr)
    from archspec.backend.build import compile
    from archspec.backend.installation import quiet_start

    quiet_start()
    model = compile(graph, training=args.training)
    if values:
        from archspec.backend.weights import assign

        assign(model, values)
    if args.summary:
        from archspec.cli._output import write

        lines: list[str] = []
        model.summary(line_length=100, print_fn=lines.append)
        write("\n".join(lines))
    if args.output:
        from archspec.backend.export import opened_by, save

        save(model, args.output)
        print(f"archspec: wrote {args.output}; {opened_by(model)}", file=sys.stderr)
    return 0


def _model_file(text: str) -> str:
    if not text.endswith(".keras"):
        raise argparse.ArgumentTypeError(f"must end in .keras, got {text!r}")
    return text
