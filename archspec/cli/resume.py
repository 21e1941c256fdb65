"""Go on with a run that was stopped or killed, from its last checkpoint, as if nothing had happened."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli.train import add_distributed, add_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory."""
    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    add_distributed(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Plan from the record, compare, train on."""
    from archspec.cli import _runs

    logdir: Path = args.logdir
    if not (logdir / "run.yaml").is_file():
        print(f"archspec resume: error: {logdir} holds no run (there is no run.yaml)", file=sys.stderr)
        return 1
    if (logdir / "model.keras").is_file():
        print(f"archspec: {logdir} is finished already", file=sys.stderr)
        return 0
    peers = _runs.peers() if args.distributed else None
    plan = _runs.recorded(logdir, starts=True, peers=peers)
    return _runs.finished(plan, logdir, resume=True, form=args.format, quiet=args.quiet, peers=peers)
