"""Check specs and run files: every mistake with its place, what is hardly meant, and whether expected figures are met.

Without --variant every variant is checked. Warnings are printed and leave the exit code 0; --strict makes it 1.
'archspec train' says how many there are, other verbs nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.ir.diagnostics import Diagnostic


STDIN = "-"


EXAMPLES = (
    "archspec check net.yaml",
    "archspec check --strict specs/",
    "archspec check - < net.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC… and the form of the answer."""
    parser.add_argument(
        "specs",
        nargs="+",
        metavar="SPEC",
        help="paths, folders or patterns of specs, names of specs or variants, or - for stdin",
    )
    _arguments.add_settings(parser)
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings, too")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Check each spec; say all that is wrong."""
    from archspec.cli._output import print_diagnostics, write

    found: list[Diagnostic] = []
    for spec in (path for given in args.specs for path in _files(given)):
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


def _files(given: str) -> list[str]:
    """What an argument stands for: specs and runs in a folder and below, those that a pattern matches, or itself."""
    path = Path(given)
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
        return [str(p) for p in below if _is_spec(p)] or [given]
    if any(c in given for c in "*?[") and not path.exists():
        from glob import glob

        return sorted(glob(given, recursive=True)) or [given]
    return [given]


def _is_spec(path: Path) -> bool:
    """Whether a file of a folder says that it is one."""
    with path.open("rb") as file:
        return re.search(rb"^archspec(_run)?\s*:", file.read(1 << 16), re.MULTILINE) is not None


def _checked(spec: str, args: argparse.Namespace) -> tuple[list[Diagnostic], int]:
    """What is to be said of a spec, and how many graphs it describes."""
    from archspec.analysis.expect import unmet
    from archspec.cli import _run_check
    from archspec.frontend import analyse
    from archspec.frontend.yaml_source import MAX_BYTES
    from archspec.ir.diagnostics import in_order

    if spec != STDIN and _run_check.is_run(spec):
        return _run_check.faults(spec), 1
    name, data = (spec, None) if spec != STDIN else ("stdin", sys.stdin.buffer.read(MAX_BYTES + 1))
    analysis = analyse(name, variant=args.variant, set=dict(args.set), data=data)
    figures = [d for graph in analysis.graphs for d in unmet(graph)]
    return list(in_order([*analysis.diagnostics, *figures])), len(analysis.graphs)
