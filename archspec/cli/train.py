"""Train a network: a run file, or a spec with data. Logs for TensorBoard, checkpoints, the model and the result.

A run file of the catalogue goes by its name; a spec's name means the run file of that name, if there is one.
What flags say stands over what the run file says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archspec.cli import _arguments

EXAMPLES = (
    "archspec train net.yaml --data digits",
    "archspec train run.yaml --epochs 5 --logdir runs/first",
    "archspec train run.yaml --dry-run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN or SPEC, data, and the settings that are changed most."""
    parser.add_argument("run", metavar="RUN|SPEC", help="a run file or a spec: a path, or a name of the catalogue")
    _arguments.add_settings(parser)
    parser.add_argument("--data", metavar="DATA", help="a source's name, a .npz file, or a folder of class folders")
    parser.add_argument("--epochs", type=_arguments.positive, metavar="N", help="passes over the training split")
    parser.add_argument("--batch", type=_arguments.positive, metavar="N", help="examples of one step")
    parser.add_argument(
        "--seed", type=_arguments.whole, metavar="N", help="of weights, order, augmentation and dropout"
    )
    parser.add_argument(
        "--devices", type=_arguments.positive, metavar="N", help="devices among which each batch is divided; default: 1"
    )
    parser.add_argument(
        "--from", dest="weights", metavar="FILE", help="weights to start from; a head for other classes starts anew"
    )
    parser.add_argument("--logdir", type=Path, metavar="DIR", help="where all goes; default: runs/NAME/1, 2, …")
    parser.add_argument(
        "--dry-run", action="store_true", help="check all, build the network, try one batch, and write nothing"
    )
    add_distributed(parser)
    add_output(parser)


def add_distributed(parser: argparse.ArgumentParser) -> None:
    """``[--distributed]``."""
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="one of several processes, which SLURM, torchrun, Kubernetes or ARCHSPEC_COORDINATOR tell of each other",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """``[--format FORM] [--quiet]``."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the result; default: text")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def run(args: argparse.Namespace) -> int:
    """Plan, refuse or train, print the result."""
    from archspec.cli import _runs
    from archspec.cli._output import print_diagnostics

    asked = _runs.with_flags(
        _runs.asked(args.run),
        data=args.data,
        variant=args.variant,
        settings=dict(args.set),
        train={
            "epochs": args.epochs,
            "batch": args.batch,
            "seed": args.seed,
            "devices": args.devices,
            "weights": args.weights,
        },
    )
    peers = _runs.peers() if args.distributed else None
    plan = _runs.planned(asked, starts=True, peers=peers)
    if not args.quiet:
        print_diagnostics(_runs.doubted(asked, plan))
        if said := _runs.spec_doubts(asked):
            print(said, file=sys.stderr)
    logdir = args.logdir or _next(Path("runs"), asked.name)
    if (logdir / "run.yaml").exists() and not (peers and peers.rank):
        return _runs.failed(f"{logdir} holds a run already; 'archspec resume {logdir}' goes on with it", 2)
    if args.dry_run:
        if peers is not None:
            return _runs.failed("--dry-run is for one process: leave out --distributed", 2)
        return _runs.rehearsed(plan, logdir, form=args.format, quiet=args.quiet)
    return _runs.finished(plan, logdir, resume=False, form=args.format, quiet=args.quiet, peers=peers)


def _next(root: Path, name: str) -> Path:
    from archspec.training.run import new_logdir

    return new_logdir(root, name)
