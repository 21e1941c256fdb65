"""Draw a network: SVG, a page to zoom and fold (.html), Mermaid (.mmd) or Graphviz (.dot).

Blocks are groups, a block that repeats is drawn once with its count, edges carry shapes, colour is the share of
MACs. A large network is folded to some forty boxes; --depth 0 draws every node, --depth N folds blocks of N name parts,
--fold NAME one block. Inside a repeat the numbers of channels are those of the first; costs are of all.
SVG and HTML need Graphviz: pip install 'archspec-keras[diagram]'. .mmd and .dot need nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.cli import _arguments

EXAMPLES = (
    "archspec diagram net.yaml -o net.svg",
    "archspec diagram net.yaml -o net.mmd --depth 2",
    "archspec diagram net.yaml -o net.dot --fold encoder",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, where to write, what to fold."""
    _arguments.add_spec(parser, stdin=True)
    parser.add_argument(
        "-o", "--output", type=_file, required=True, metavar="FILE", help="ends in .svg, .html, .mmd or .dot"
    )
    parser.add_argument("--depth", type=_arguments.whole, metavar="N", help="fold blocks of N name parts; 0: none")
    parser.add_argument("--fold", action="append", default=[], metavar="NAME", help="fold a block; may be repeated")
    _arguments.add_training(parser)


def run(args: argparse.Namespace) -> int:
    """Load, describe, write. Raises SpecError, OSError."""
    from archspec.cli import FAILED
    from archspec.cli._output import failed, refused
    from archspec.report.drawing import diagram
    from archspec.report.picture import LayoutError
    from archspec.storage.atomic import write_text

    graph = _arguments.load(args, args.spec)
    try:
        drawn = diagram(graph, depth=args.depth, fold=args.fold, training=args.training)
        text = drawn.render(args.output.suffix[1:])
    except ValueError as error:
        return refused("diagram", str(error))
    except LayoutError as error:
        return failed(str(error), FAILED)
    write_text(args.output, text + "\n")
    return 0


def _file(text: str) -> Path:
    from archspec.report.table import formats

    path = Path(text)
    *others, last = (f".{name}" for name in reversed(formats("pictures")))
    if path.suffix not in (*others, last):
        raise argparse.ArgumentTypeError(f"must end in {', '.join(others)} or {last}, got {text!r}")
    return path
