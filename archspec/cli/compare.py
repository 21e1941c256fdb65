"""Compare trained runs: figures of the last and the best epoch, settings that differ, curves.

A RUN is a run directory, or a folder that contains run directories at any depth. Runs may still be in progress. The
best epoch is by the metric that the run monitors, or by the loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = (
    "archspec compare runs",
    "archspec compare runs/net/1 runs/net/2 --format html -o runs.html",
    "archspec compare runs --format csv --curves",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN, the form and where it goes."""
    from archspec.report.comparison import FORMATS

    parser.add_argument(
        "runs", nargs="+", metavar="RUN", type=Path, help="a run directory, or a folder that contains some"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("--curves", action="store_true", help="with --format csv: a row for each epoch of each run")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")


def run(args: argparse.Namespace) -> int:
    """Read, compare, print."""
    from archspec.cli import FAILED
    from archspec.cli._output import failed, refused, write
    from archspec.runs.comparison import compare
    from archspec.storage.atomic import write_text
    from archspec.training.errors import RunError

    if args.curves and args.format != "csv":
        return refused("compare", "--curves is for --format csv; the other formats show them")
    try:
        found = compare(args.runs)
    except RunError as error:
        return failed(str(error), FAILED)
    text = found.render(args.format, **({"curves": True} if args.curves else {}))
    if args.output:
        write_text(args.output, text + "\n")
    else:
        write(text)
    return 0
