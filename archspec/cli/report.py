"""Write a report of a network as one HTML page, or compare several networks.

For a run directory the report also has curves, an evaluation of the trained network with pictures such as the confusion
matrix, the worst predictions, the run file and the environment.

The page holds the picture (to zoom, fold and search), the table (to sort, filter and copy), charts of costs over the
depth, the roofline, the findings of lint, and the text with its costs; a selection in one is highlighted in all. It
loads no external resources. The picture needs Graphviz: pip install 'archspec-keras[diagram]'; without it the page says
so in its place. Several specs make a row each, and two are compared layer by layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli import OK, _arguments

if TYPE_CHECKING:
    from archspec.analysis.hardware import Hardware

EXAMPLES = (
    "archspec report net.yaml -o net.html",
    "archspec report net.yaml --hardware a100 --batch 32 -o net.html",
    "archspec report small.yaml large.yaml -o both.html",
    "archspec report runs/net/1 -o run.html",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC…, where to write, and what is counted."""
    help = "paths of specs, or names of specs or variants; or one run directory"
    parser.add_argument("specs", nargs="+", metavar="SPEC", help=help)
    _arguments.add_settings(parser)
    parser.add_argument("-o", "--output", type=_file, required=True, metavar="FILE", help="ends in .html")
    _arguments.add_counting(parser)
    help = "of a run directory: only what its files say, without TensorFlow and the data"
    parser.add_argument("--no-evaluate", action="store_true", help=help)


def run(args: argparse.Namespace) -> int:
    """Load, analyse, write. Raises SpecError, RunError, OSError."""
    from archspec.analysis.hardware import hardware
    from archspec.cli._output import refused
    from archspec.report.page.compared import compared
    from archspec.report.page.network import page, reported
    from archspec.storage.atomic import write_text

    runs = [spec for spec in args.specs if (Path(spec) / "run.yaml").is_file()]
    if wrong := _misused(args, runs):
        return refused("report", wrong)
    try:
        machine = hardware(args.hardware)
        if runs:
            text = _of_run(args, machine)
        else:
            networks = [reported(spec, machine, **_arguments.counting(args)) for spec in args.specs]
            text = page(networks[0]) if len(networks) == 1 else compared(networks)
    except ValueError as error:
        return refused("report", str(error))
    write_text(args.output, text + "\n")
    return OK


def _of_run(args: argparse.Namespace, machine: Hardware) -> str:
    from archspec.runs.page import run_page

    evaluates = not args.no_evaluate
    return run_page(Path(args.specs[0]), machine, evaluates=evaluates, training=args.training, batch=args.batch)


def _misused(args: argparse.Namespace, runs: list[str]) -> str | None:
    """What does not go together."""
    if not runs:
        return "--no-evaluate is of a run directory" if args.no_evaluate else None
    if len(args.specs) > 1:
        return f"{runs[0]} is a run directory, which has a page by itself; 'archspec compare' sets several side by side"
    if args.set or args.variant:
        return f"{runs[0]} is a run directory, which says --set and --variant itself"
    return None


def _file(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".html":
        raise argparse.ArgumentTypeError(f"must end in .html, got {text!r}")
    return path
