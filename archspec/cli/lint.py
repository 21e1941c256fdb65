"""Find what works but costs more or learns worse than necessary, and what has no effect.

'archspec explain CODE' gives the reason for each finding. To suppress a finding, write
'# archspec: ignore[L04] a reason' on its line, or on a line of its own for the whole file. --fix removes what has no
effect.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli import _arguments
from archspec.cli._files import files_of

if TYPE_CHECKING:
    from archspec.frontend.findings import Analysis
    from archspec.ir.diagnostics import Diagnostic

EXAMPLES = (
    "archspec lint net.yaml",
    "archspec lint --fix net.yaml",
    "archspec lint --format github specs/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC…, and what is done with what is found."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="paths, folders, patterns, or names of the catalogue")
    help = "remove what has no effect, if the network stays exactly the same; files only"
    parser.add_argument("--fix", action="store_true", help=help)
    _arguments.add_findings_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print all findings; exit 1 where there are any, or errors."""
    from archspec.cli._output import print_diagnostics, write, write_findings
    from archspec.frontend import analyse

    found: list[Diagnostic] = []
    for name in (path for given in args.specs for path in files_of(given, runs=False) or [given]):
        analysis = analyse(name)
        if args.fix and Path(name).is_file() and (count := _fix(Path(name), analysis)):
            write(f"{name}: {count} fixed")
            analysis = analyse(name)
        said = _found(analysis)
        found += said
        if args.format == "text":
            print_diagnostics(said)
            write(f"{name}: {len(said) or 'nothing'} found")
    if args.format != "text":
        write_findings(found, args.format)
    return int(bool(found))


def _found(analysis: Analysis) -> list[Diagnostic]:
    """Errors alone where there are any; else what check warns of, and what this verb adds."""
    from archspec.analysis.practice import findings
    from archspec.ir.diagnostics import in_order

    return list(analysis.errors) or list(in_order([*analysis.warnings, *findings(analysis)]))


def _fix(path: Path, analysis: Analysis) -> int:
    """Rewrite a file without what does nothing; how many entries were taken out."""
    from archspec.analysis.removal import is_same, removed
    from archspec.cli._files import rewrite
    from archspec.frontend import analyse

    if analysis.document is None:
        return 0
    text, count, refused = analysis.document.source.text, 0, set[str]()
    now = analysis
    while now.graphs:
        # From the end, so that places before stay where they are.
        for d in sorted(_found(now), key=lambda d: d.span.order, reverse=True):
            tried = removed(text, d)
            if tried is not None and tried not in refused:
                then = analyse(str(path), data=tried.encode(), folder=path.parent)
                if is_same(analysis, then):
                    text, now, count = tried, then, count + 1
                    break
                refused.add(tried)
        else:
            break
    if count:
        rewrite(path.resolve(), text)
    return count
