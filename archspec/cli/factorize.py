"""Make a trained network smaller: kernels as products of two, by truncated singular value decomposition.

A dense layer of m × n numbers becomes two, of m × RANK and RANK × n; a convolution likewise, with windows in the first.
--layer NAME=RANK says which; NAME=0.9 takes the smallest rank with that share of the kernel's energy, the sum of its
squared singular values. Without it the layers that can be chosen are listed.

The new spec is written to -o NAME.yaml and its weights beside it to NAME.npz, after they were read again and compared
with the network: of a run on held-out examples, of a spec on random ones. What training alone needs is left out; a run
file with the spec, 'weights: NAME.npz' and 'epochs: 0' makes a run of it that is evaluated and used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli import _arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from archspec.ir.graph import Graph

EXAMPLES = (
    "archspec factorize runs/net/1",
    "archspec factorize runs/net/1 --layer dense=64 --layer dense_2=0.95 -o small.yaml",
    "archspec factorize net.yaml --weights net.npz --layer dense=64 -o small.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to make smaller, where, and where it goes."""
    parser.add_argument("spec", metavar="RUN|SPEC", help=f"a run directory; or {_arguments.PATH_OR_NAME}")
    _arguments.add_settings(parser)
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the spec; see 'archspec weights --help'"
    )
    parser.add_argument("--best", action="store_true", help="take the best weights of the run instead of the last")
    parser.add_argument(
        "--layer",
        action="append",
        default=[],
        type=_rank,
        metavar="NAME=RANK",
        help="a layer, and its rank, or a share of its energy below 1, such as 0.9; may be repeated",
    )
    parser.add_argument("-o", "--output", type=_spec_file, metavar="FILE", help="the new spec; ends in .yaml")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, factorize, compare, write."""
    from archspec.cli import FAILED
    from archspec.cli._output import failed, refused, write
    from archspec.runs.factorization import factorize
    from archspec.training.errors import RunError

    is_run = (Path(args.spec) / "run.yaml").is_file()
    if is_run and (args.variant or args.set or args.weights):
        return refused(
            "factorize", "a run directory says its spec and its weights: --variant, --set and --weights are for specs"
        )
    if args.best and not is_run:
        return refused("factorize", "--best is for a run directory")
    if args.output and not args.layer:
        return refused("factorize", "-o is for layers that are chosen: --layer NAME=RANK")
    try:
        graph, values = _of_run(args) if is_run else _of_spec(args)
        found = factorize(graph, values, dict(args.layer), _held_out(args, graph) if is_run and args.layer else None)
    except ValueError as error:
        return refused("factorize", str(error))
    except RunError as error:
        return failed(str(error), FAILED)
    write(found.json() if args.format == "json" else found.text())
    if args.output and found.spec is not None:
        from archspec.storage.atomic import write_text

        write_text(args.output, found.spec)
        print(f"archspec: wrote {args.output}", file=sys.stderr)
        if found.weights is not None:
            from archspec.backend.weights import write as write_weights

            weights = args.output.with_suffix(".npz")
            write_weights(weights, found.weights)
            print(f"archspec: wrote {weights}: its weights", file=sys.stderr)
    return 0


def _of_run(args: argparse.Namespace) -> tuple[Graph, Mapping[str, np.ndarray]]:
    """Raises RunError, SpecError, WeightsError, OSError."""
    from archspec.backend.weights import read
    from archspec.runs.directory import without_data
    from archspec.training.trained import weights_file

    logdir = Path(args.spec)
    path, graph = weights_file(logdir, best=args.best), without_data(logdir).graph().inference()
    return graph, read(path, graph)[0]


def _of_spec(args: argparse.Namespace) -> tuple[Graph, Mapping[str, np.ndarray] | None]:
    """Raises SpecError, WeightsError, OSError."""
    graph = _arguments.load(args).inference()
    if args.weights is None:
        return graph, None
    from archspec.backend.weights import imported

    found = imported(args.weights, graph)
    for note in found.notes:
        print(f"archspec: note: {note}", file=sys.stderr)
    return graph, found.values


def _held_out(args: argparse.Namespace, graph: Graph) -> tuple[str, Mapping[str, np.ndarray]] | None:
    from archspec.runs.factorization import held_out_examples

    return held_out_examples(Path(args.spec), graph)


def _rank(text: str) -> tuple[str, int | float]:
    name, equals, rank = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"must be NAME=RANK, such as dense=64, got {text!r}")
    try:
        number = int(rank) if rank.isascii() and rank.isdigit() else float(rank)
    except ValueError:
        number = 0
    if not 0 < number < (1 if isinstance(number, float) else 10**9):
        raise argparse.ArgumentTypeError(
            f"{name}: a rank is a whole number from 1, or a share of the energy between 0 and 1, got {rank!r}"
        )
    return name, number


def _spec_file(text: str) -> Path:
    if not text.endswith(".yaml"):
        raise argparse.ArgumentTypeError(f"must end in .yaml, got {text!r}")
    return Path(text)
