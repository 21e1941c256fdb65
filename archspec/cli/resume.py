"""Resume a run that was stopped or killed from its last checkpoint, with the same result as if uninterrupted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli import _arguments
from archspec.cli.train import add_distributed, add_output, finished

EXAMPLES = ("archspec resume runs/net/1",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory."""
    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "--epochs",
        type=_arguments.positive,
        metavar="N",
        help="total number of epochs, including those already trained",
    )
    add_distributed(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Plan from the record, compare, train on; with ``--epochs``, for more than the record says."""
    from archspec.cli._output import refused
    from archspec.runs.run import Run

    logdir: Path = args.logdir
    if not (logdir / "run.yaml").is_file():
        return refused("resume", f"{logdir} holds no run (there is no run.yaml)", 1)
    if (logdir / "model.keras").is_file() and args.epochs is None:
        more = f"'archspec resume {logdir} --epochs N' trains it for more"
        print(f"archspec: {logdir} is finished already; {more}", file=sys.stderr)
        return 0
    run = Run.open(logdir)
    return finished(
        run, args, lambda stream: run.resume(epochs=args.epochs, progress=stream, distributed=args.distributed)
    )
