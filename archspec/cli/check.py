"""Check specs: every mistake with its place, and that the figures they expect are so.

Without --variant every variant is checked. Exit code 0 when all are well, 1 otherwise.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.ir.diagnostics import Diagnostic


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC… and the form of the answer."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="paths of specs, or names of specs or variants")
    _arguments.add_settings(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Check each spec; say all that is wrong."""
    from archspec.cli._output import print_diagnostics, write

    found: list[Diagnostic] = []
    for spec in args.specs:
        diagnostics, graphs = _checked(spec, args)
        found += diagnostics
        if args.format == "text":
            print_diagnostics(diagnostics)
            if not diagnostics:
                write(f"{spec}: ok" + (f", {graphs} variants" if graphs > 1 else ""))
    if args.format == "json":
        from json import dumps

        write(dumps([d.record() for d in found], indent=1, ensure_ascii=False))
    return int(any(d.severity == "error" for d in found))


def _checked(spec: str, args: argparse.Namespace) -> tuple[list[Diagnostic], int]:
    """What is wrong with a spec, and how many graphs it describes."""
    from archspec.analysis.expect import unmet
    from archspec.frontend import check
    from archspec.ir.diagnostics import SpecError

    try:
        graphs = check(spec, variant=args.variant, set=dict(args.set))
    except SpecError as error:
        return list(error.diagnostics), 0
    return [d for graph in graphs for d in unmet(graph)], len(graphs)
