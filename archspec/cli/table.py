"""Show shapes, parameters, MACs and FLOPs of every node, and their totals.

Text and markdown fold long tables to blocks; --depth all shows every node, --depth N cuts names to N parts.
CSV and JSON have every node unless --depth is given.
"""

from __future__ import annotations

import argparse
import sys

from archspec.cli import _arguments

EXAMPLES = (
    "archspec table net.yaml",
    "archspec table net.yaml --set width=64 --format markdown",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC and the form of the table."""
    from archspec.report.table import formats

    _arguments.add_spec(parser)
    parser.add_argument("--training", action="store_true", help="include the heads that only training needs")
    parser.add_argument("--batch", type=_arguments.positive, default=1, metavar="N", help="count for N samples")
    parser.add_argument(
        "--depth", type=_depth, metavar="N", help="fold nodes to blocks of N name parts; all: no folding"
    )
    parser.add_argument("--format", choices=formats(), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, tabulate, print."""
    from archspec.cli._output import wants_color, write
    from archspec.report.table import table

    result = table(_arguments.load(args), training=args.training, batch=args.batch, depth=args.depth)
    options = {}
    if args.format == "text":
        from shutil import get_terminal_size

        options = {"width": get_terminal_size().columns, "color": wants_color(sys.stdout)}
    write(result.render(args.format, **options))
    return 0


def _depth(text: str) -> int:
    return 0 if text == "all" else _arguments.whole(text)
