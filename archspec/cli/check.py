"""Check specs and run files: every mistake with its place, what is hardly meant, and whether expected figures are met.

Without --variant every variant is checked. Warnings are printed and leave the exit code 0; --strict makes it 1.
'archspec train' says how many there are, other verbs nothing.
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
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings, too")
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
            if all(d.severity == "warning" for d in diagnostics):
                variants = f", {graphs} variants" if graphs > 1 else ""
                warnings = f", {len(diagnostics)} warning{'s' * (len(diagnostics) > 1)}" if diagnostics else ""
                write(f"{spec}: ok{variants}{warnings}")
    if args.format == "json":
        from json import dumps

        write(dumps([d.record() for d in found], indent=1, ensure_ascii=False))
    return int(any(args.strict or d.severity == "error" for d in found))


def _checked(spec: str, args: argparse.Namespace) -> tuple[list[Diagnostic], int]:
    """What is to be said of a spec, and how many graphs it describes."""
    from archspec.analysis.expect import unmet
    from archspec.cli import _run_check
    from archspec.frontend import analyse
    from archspec.ir.diagnostics import in_order

    if _run_check.is_run(spec):
        return _run_check.faults(spec), 1
    analysis = analyse(spec, variant=args.variant, set=dict(args.set))
    figures = [d for graph in analysis.graphs for d in unmet(graph)]
    return list(in_order([*analysis.diagnostics, *figures])), len(analysis.graphs)
