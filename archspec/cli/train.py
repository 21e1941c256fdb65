"""Train a network: a run file, or a spec with data. Logs for TensorBoard, checkpoints, the model and the result.

A run file of the catalogue goes by its name; a spec's name means the run file of that name, if there is one.
Flags override the run file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from archspec.cli import _arguments
from archspec.cli._output import failed, print_diagnostics, write
from archspec.ir.diagnostics import Span, advised, amount, typed

if TYPE_CHECKING:
    from archspec.runs.run import Run
    from archspec.training.outcome import Result

EXAMPLES = (
    "archspec train net.yaml --data digits",
    "archspec train run.yaml --epochs 5 --logdir runs/first",
    "archspec train run.yaml --from trunk=pretrained.npz",
    "archspec train run.yaml --dry-run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN or SPEC, data, and the settings that are changed most."""
    parser.add_argument("run", metavar="RUN|SPEC", help="a run file or a spec: a path, or a name of the catalogue")
    _arguments.add_settings(parser)
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="a source's name, a data set of Keras such as mnist, a .npz file, or a folder of class folders",
    )
    parser.add_argument("--epochs", type=_arguments.positive, metavar="N", help="passes over the training split")
    parser.add_argument("--batch", type=_arguments.positive, metavar="N", help="batch size")
    parser.add_argument(
        "--seed", type=_arguments.whole, metavar="N", help="of weights, order, augmentation and dropout"
    )
    parser.add_argument(
        "--devices",
        type=_arguments.positive,
        metavar="N",
        help="number of devices that each batch is split over; default: 1",
    )
    parser.add_argument(
        "--from",
        dest="weights",
        type=_origin,
        action=_Origins,
        metavar="[LAYER=]FILE",
        help="weights to start from; a head for other classes is initialised at random. With LAYER they are those of "
        "the layers below that name; may be repeated",
    )
    parser.add_argument("--logdir", type=Path, metavar="DIR", help="run directory; default: runs/NAME/1, 2, …")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, build the network, run one batch, and write nothing"
    )
    add_distributed(parser)
    add_output(parser)


def add_distributed(parser: argparse.ArgumentParser) -> None:
    """``[--distributed]``."""
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="run as one of several processes that SLURM, torchrun, Kubernetes or ARCHSPEC_* variables configure",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """``[--format FORM] [--quiet]``."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the result; default: text")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def flags(key: str, value: object) -> Span:
    """How a key of a run file is typed."""
    if key != "weights":
        return typed(f"--{key}", str(value))
    origins = value.items() if isinstance(value, dict) else [("", value)]
    return typed("--from", " --from ".join(f"{name}={path}" if name else str(path) for name, path in origins))


def _origin(text: str) -> str | dict[str, str]:
    """A file, or the layers that it is for, before an equals sign. A path that exists is a file."""
    name, _, path = text.partition("=")
    is_named = path and all(part.isidentifier() or part.isdigit() for part in name.split("."))
    return {name: path} if is_named and not Path(text).exists() else text


class _Origins(argparse.Action):
    """One file, or files by layers."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest)
        if before is None:
            setattr(namespace, self.dest, values)
            return
        if not isinstance(before, dict) or not isinstance(values, dict):
            raise argparse.ArgumentError(self, "several files need the layers that each is for: --from G=FILE")
        if twice := next((name for name in values if name in before), None):
            raise argparse.ArgumentError(self, f"{twice} has two files")
        setattr(namespace, self.dest, {**before, **values})


def run(args: argparse.Namespace) -> int:
    """Plan, refuse or train, print the result."""
    from archspec.runs.request import changed, requested
    from archspec.runs.run import Run

    keys = ("data", "variant", "epochs", "batch", "seed", "devices", "weights")
    changes = {"set": dict(args.set) or None, **{key: getattr(args, key) for key in keys}}
    run = Run(changed(requested(args.run), changes, flags))
    run.plan(distributed=args.distributed)
    if not args.quiet:
        print_diagnostics(run.warnings())
        if said := run.spec_warnings():
            print(said, file=sys.stderr)
    if not args.dry_run:
        return finished(run, args, lambda stream: run.train(args.logdir, progress=stream, distributed=args.distributed))
    if args.distributed:
        return failed("--dry-run is for one process: leave out --distributed", 2)
    return _rehearsed(run, args)


def _rehearsed(run: Run, args: argparse.Namespace) -> int:
    """Try a run with one batch, and say what it would do; the exit code."""
    from dataclasses import asdict
    from json import dumps

    from archspec.cli import FAILED, NOT_A_NUMBER, USAGE
    from archspec.data.errors import DataError
    from archspec.training.errors import Misused, RunError

    try:
        logdir = run.new_logdir(args.logdir)
        found = run.rehearse(progress=None if args.quiet else sys.stderr)
    except DataError as error:
        return failed(advised(error.message, error.help), FAILED)
    except Misused as error:
        return failed(str(error), USAGE)
    except RunError as error:
        return failed(str(error), FAILED)
    if args.format == "json":
        write(dumps({**asdict(found), "logdir": str(logdir)}, indent=1, ensure_ascii=False))
    else:
        variant = f" ({found.variant})" if found.variant else ""
        loss = f"loss {found.figures['loss']:.4f}" if "loss" in found.figures else "done"
        memory = "" if found.memory is None else f", memory {found.memory / 1e6:,.0f} MB at most"
        write(
            f"{found.spec}{variant} on {found.data}: {found.params:,} parameters, {found.trainable:,} trained\n"
            f"{amount(found.epochs, 'epoch')} of {amount(found.steps, 'step')}, {found.batch} examples each\n"
            f"one step: {loss}, {found.seconds:.1f} s with compilation{memory}\n"
            f"dry run: nothing is written; the run would go to {logdir}"
        )
    return 0 if found.is_finite else failed("the loss of the first batch is not finite", NOT_A_NUMBER)


def finished(run: Run, args: argparse.Namespace, train: Callable[[TextIO | None], Result]) -> int:
    """Train, and say what came out; the exit code. A process that leaves its peers before the end does not come back:
    it would wait for them."""
    code = _trained(run, args, train)
    if code and args.distributed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _trained(run: Run, args: argparse.Namespace, train: Callable[[TextIO | None], Result]) -> int:
    from archspec.cli import FAILED, NOT_A_NUMBER, USAGE
    from archspec.data.errors import DataError
    from archspec.runs.run import peers
    from archspec.training.errors import Misused, RunError
    from archspec.training.interrupts import Interrupted
    from archspec.training.outcome import NotFinite

    try:
        with _results_only() if args.distributed else nullcontext():
            result = train(None if args.quiet else sys.stderr)
    except NotFinite as error:
        return failed(error.message, NOT_A_NUMBER)
    except Interrupted as stop:
        return failed(f"{stop}; 'archspec resume {run.logdir}' goes on", stop.code)
    except DataError as error:
        kept = f"; 'archspec resume {run.logdir}' then goes on" if run.has_checkpoints else ""
        return failed(advised(error.message, error.help) + kept, FAILED)
    except Misused as error:
        return failed(str(error), USAGE)
    except RunError as error:
        return failed(str(error), FAILED)
    except OSError as error:
        if not error.strerror:
            raise
        place = f"{error.filename}: " if error.filename else ""
        kept = f"; 'archspec resume {run.logdir}' continues from the last checkpoint" if run.has_checkpoints else ""
        return failed(f"{place}{error.strerror}{kept}", FAILED)
    if not args.distributed or peers().rank == 0:
        _show(result, args.format)
    return 0


@contextmanager
def _results_only() -> Iterator[None]:
    """Meanwhile what is written past Python goes to stderr: JAX's peers tell on stdout that they have met."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _unmeasured(result: Result) -> str:
    """Why a run has no figures of held-out examples."""
    if result.split and not result.epochs:
        return f"no epoch, after which {result.split} is evaluated: 'archspec evaluate {result.logdir}' evaluates it"
    return "nothing was evaluated"


def _show(result: Result, form: str) -> None:
    """Print what came out of a run."""
    from dataclasses import asdict
    from json import dumps

    if form == "json":
        write(dumps(asdict(result), indent=1, ensure_ascii=False))
        return
    figures = "  ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
    lines = [
        f"{result.run}: {amount(result.epochs, 'epoch')}, {amount(result.steps, 'step')}, "
        f"{result.params:,} parameters, seed {result.seed}",
        f"{result.split} ({result.examples:,} examples): {figures}" if figures else _unmeasured(result),
        *(f"{amount(n, 'example')} of {split} could not be read: left out" for split, n in result.left_out.items()),
        f"{result.cpu_seconds:.0f} CPU seconds, {result.seconds:.0f} s; all of it in {result.logdir}",
    ]
    write("\n".join(lines))
