"""Print the text of a spec, or of a run file: of the catalogue by name, or a path.

A variant's name prints the file that it is a variant of. A name that is a spec's and a run's prints the spec; --run the
run file. 'archspec init NEW --from NAME' writes a copy to change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = (
    "archspec show net",
    "archspec show net --run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to print."""
    parser.add_argument("name", metavar="NAME", help="a spec, a variant or a run of the catalogue, or a path")
    parser.add_argument("--run", action="store_true", help="the run file of this name")


def run(args: argparse.Namespace) -> int:
    """Print the text as it is. Raises SpecError, OSError."""
    from archspec.cli._output import write

    write(_text(args.name, of_run=args.run).rstrip("\n"))
    return 0


def _text(name: str, *, of_run: bool) -> str:
    from archspec.frontend import catalogue
    from archspec.frontend.files import find
    from archspec.frontend.reading import read_source
    from archspec.ir.diagnostics import Diagnostic, SpecError, did_you_mean, shown, typed
    from archspec.runs.request import run_file

    found = run_file(name)
    if of_run and found is None and not Path(name).is_file():
        known = [path.stem for path in catalogue.folder().glob("runs/*/*.yaml")]
        hint = did_you_mean(name, known) or "'archspec show' without --run prints a spec"
        raise SpecError([Diagnostic("F01", f"there is no run file {shown(name)}", typed("", name), hint)])
    if found is not None and (of_run or catalogue.find(name) is None):
        return read_source(found, str(found)).text
    path, reported, _ = find(name)
    return read_source(path, reported).text
