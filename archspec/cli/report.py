"""Write what is known of a network as one page of HTML, or set several side by side.

The page holds the picture (to zoom, fold and search), the table (to sort, filter and copy), charts of what is where
along the depth, the roofline, what lint finds, and the text with its costs; what is chosen in one is shown in all. It
loads nothing from anywhere. The picture needs Graphviz: pip install 'archspec-keras[diagram]'; without it the page says
so in its place. Several specs make a row each, and two are compared layer by layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.cli import OK, _arguments

EXAMPLES = (
    "archspec report net.yaml -o net.html",
    "archspec report net.yaml --hardware a100 --batch 32 -o net.html",
    "archspec report small.yaml large.yaml -o both.html",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC…, where to write, and what is counted."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="paths of specs, or names of specs or variants")
    _arguments.add_settings(parser)
    parser.add_argument("-o", "--output", type=_file, required=True, metavar="FILE", help="ends in .html")
    _arguments.add_counting(parser)


def run(args: argparse.Namespace) -> int:
    """Load, analyse, write. Raises SpecError, OSError."""
    from archspec.analysis.hardware import hardware
    from archspec.cli._output import refused
    from archspec.report.page.compared import compared
    from archspec.report.page.network import page, reported
    from archspec.storage.atomic import write_text

    try:
        machine = hardware(args.hardware)
        networks = [reported(spec, machine, **_arguments.counting(args)) for spec in args.specs]
        text = page(networks[0]) if len(networks) == 1 else compared(networks)
    except ValueError as error:
        return refused("report", str(error))
    write_text(args.output, text + "\n")
    return OK


def _file(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".html":
        raise argparse.ArgumentTypeError(f"must end in .html, got {text!r}")
    return path
