"""Go on with a run that was stopped or killed, from its last checkpoint, as if nothing had happened."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli import _arguments
from archspec.cli.train import add_distributed, add_output

EXAMPLES = ("archspec resume runs/net/1",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory."""
    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "--epochs",
        type=_arguments.positive,
        metavar="N",
        help="epochs in all, those done included: to train for more",
    )
    add_distributed(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Plan from the record, compare, train on; with ``--epochs``, for more than the record says."""
    from archspec.cli import _runs

    logdir: Path = args.logdir
    if not (logdir / "run.yaml").is_file():
        print(f"archspec resume: error: {logdir} holds no run (there is no run.yaml)", file=sys.stderr)
        return 1
    if (logdir / "model.keras").is_file() and args.epochs is None:
        more = f"'archspec resume {logdir} --epochs N' trains it for more"
        print(f"archspec: {logdir} is finished already; {more}", file=sys.stderr)
        return 0
    peers = _runs.peers() if args.distributed else None
    plan = _runs.recorded(logdir, starts=True, peers=peers, epochs=args.epochs)
    if args.epochs is not None and not (peers and peers.rank) and (refused := _runs.extended(plan, logdir)):
        return _runs.failed(refused, 2)
    return _runs.finished(plan, logdir, resume=True, form=args.format, quiet=args.quiet, peers=peers)
