"""Evaluate a trained network, or an ensemble: every figure of its task, such as accuracy, perplexity or AP."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = (
    "archspec evaluate runs/net/1",
    "archspec evaluate runs/net/1 --best --split test",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run directories, data, and how to look at an image."""
    from archspec.cli._arguments import add_looks, positive

    parser.add_argument(
        "logdir", nargs="+", metavar="DIR", type=Path, help="run directories; several are evaluated as an ensemble"
    )
    parser.add_argument(
        "--data", metavar="DATA", help="other data than the run's; classes are those of the run, by their names"
    )
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="a split, or 'all'; default: what the run evaluated, or all of other data without splits of their own",
    )
    add_looks(parser)
    parser.add_argument("--best", action="store_true", help="use the best weights instead of the last")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write the detected objects to this file, as COCO results (JSON)"
    )
    parser.add_argument(
        "--as",
        dest="tool",
        choices=("ultralytics",),
        help="also print detection figures by the definition of another program",
    )
    parser.add_argument("--batch", type=positive, metavar="N", help="batch size; default: as in training")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print."""
    from json import dumps

    from archspec.cli import FAILED
    from archspec.cli._output import failed, write
    from archspec.data.errors import DataError
    from archspec.runs.evaluation import evaluate
    from archspec.training.errors import RunError
    from archspec.training.looking import Looking

    looking = Looking(args.views, tuple(args.scales), args.dense, args.crf)
    try:
        found = evaluate(
            args.logdir,
            looking,
            data=args.data,
            split=args.split,
            batch=args.batch,
            best=args.best,
            results=args.results,
            tool=args.tool,
        )
    except (RunError, DataError) as error:
        return failed(str(error), FAILED)
    if args.format == "json":
        write(dumps(found.record(), ensure_ascii=False))
        return 0
    of = f"{len(args.logdir)} runs" if len(args.logdir) > 1 else str(args.logdir[0])
    print(f"archspec: {of}, {found.data}", file=sys.stderr)
    write(found.text())
    return 0
