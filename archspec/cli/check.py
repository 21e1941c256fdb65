"""Check specs and run files: errors with their location, likely mistakes, and expected figures.

Without --variant, every variant is checked. A catalogue name shared by a spec and a run checks both.
Warnings are printed and leave the exit code at 0; with --strict it is 1. 'archspec train' prints only their number, and
other verbs do not report them. --format github writes GitHub Actions annotations, sarif a report for code scanning.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.cli import _arguments
from archspec.cli._files import STDIN, files_of, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archspec.ir.diagnostics import Diagnostic, Source


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
        help="paths, folders or patterns of specs and run files, names of specs or variants, or - for stdin",
    )
    _arguments.add_settings(parser)
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings, too")
    _arguments.add_findings_format(parser)


def run(args: argparse.Namespace) -> int:
    """Check each spec; say all that is wrong."""
    from archspec.cli._output import print_diagnostics, write, write_findings

    found: list[Diagnostic] = []
    for given in args.specs:
        if not (paths := files_of(given)):
            found.append(_nothing_in(given))
            if args.format == "text":
                print_diagnostics(found[-1:])
        for checked in (one for path in paths for one in _checked(path, args)):
            found += checked.diagnostics
            if args.format == "text":
                print_diagnostics(checked.diagnostics)
                if not checked.is_wrong:
                    is_failed = args.strict and bool(checked.diagnostics)
                    write(f"{checked.what}: {'fails by --strict' if is_failed else 'ok'}{checked.rest}")
    if args.format != "text":
        write_findings(found, args.format)
    return int(any(args.strict or d.severity == "error" for d in found))


def _nothing_in(folder: str) -> Diagnostic:
    """The error of a folder without specs."""
    from archspec.ir.diagnostics import Diagnostic, shown, typed

    message = f"no spec or run file is in the folder {shown(folder)}, or below it"
    return Diagnostic("F01", message, typed("", folder), "files end in .yaml and say archspec: 1, or archspec_run: 1")


class _Checked(NamedTuple):
    """What a person named, what is to be said of it, and how the line goes on that says that it is well."""

    what: str
    diagnostics: list[Diagnostic]
    rest: str = ""

    @property
    def is_wrong(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)


def _checked(spec: str, args: argparse.Namespace) -> Iterator[_Checked]:
    """A spec, or a run; of a name of the catalogue that is both, the spec and, if that is well, the run."""
    from archspec.analysis.expect import unmet
    from archspec.cli import _run_check
    from archspec.frontend import analyse, catalogue
    from archspec.ir.diagnostics import in_order
    from archspec.runs.request import reported, run_file

    settings = dict(args.set)
    name, data = (spec, None) if spec != STDIN else ("stdin", typed())
    source = _run_check.source_of(spec) if data is None else _typed_run(name, data)
    if source is not None:
        folder = Path(spec).parent if data is None else Path()
        found = _run_check.faults(source, folder, variant=args.variant, settings=settings)
        yield _Checked(spec, found, _counted(found))
        return
    run = run_file(spec)
    if run is None or catalogue.find(spec) is not None:
        analysis = analyse(name, variant=args.variant, set=settings, data=data)
        figures = [d for graph in analysis.graphs for d in unmet(graph)]
        found = list(in_order([*analysis.diagnostics, *figures]))
        graphs = len(analysis.graphs)
        checked = _Checked(spec, found, (f", {graphs} variants" if graphs > 1 else "") + _counted(found))
        yield checked
        if run is None or checked.is_wrong:
            return
    found, has_data = _run_check.recipe(run, variant=args.variant, settings=settings)
    without = "" if has_data else ", but for its data, which are not here"
    yield _Checked(reported(run), found, _counted(found) + without)


def _typed_run(name: str, data: bytes) -> Source | None:
    """What came on stdin, if that is a run file."""
    from archspec.cli._run_check import is_run
    from archspec.frontend.reading import decoded
    from archspec.ir.diagnostics import SpecError

    try:
        source = decoded(data, name)
    except SpecError:
        return None
    return source if is_run(source) else None


def _counted(warnings: list[Diagnostic]) -> str:
    from archspec.ir.diagnostics import amount

    return f", {amount(len(warnings), 'warning')}" if warnings else ""
