"""Show shapes, parameters, MACs and FLOPs of every node, and their totals.

Text and markdown fold long tables to blocks; --depth all shows every node, --depth N cuts names to N parts.
CSV and JSON have every node unless --depth is given. Several specs make a row each.

--columns chooses what is shown: op, output, params, trainable_params, macs, flops, transcendentals, activations,
backward_macs, bytes, intensity, memory, saved, training_memory, receptive_field, offset, time, limit, source.
--as TOOL prints the number that another tool would, with its terms; --memory SIZE the largest batches that fit.
Times on --hardware are lower bounds, not predictions.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from archspec.cli import FAILED, OK, _arguments

if TYPE_CHECKING:
    from archspec.ir.graph import Graph
    from archspec.report.grid import Grid

EXAMPLES = (
    "archspec table net.yaml",
    "archspec table net.yaml --set width=64 --format markdown",
    "archspec table small.yaml large.yaml --sort macs",
    "archspec table net.yaml --columns output,macs,memory,receptive_field",
    "archspec table net.yaml --hardware h100 --batch 32",
    "archspec table net.yaml --memory 24GiB --optimizer adamw",
    "archspec table net.yaml --as fvcore",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC… and the form of the table."""
    from archspec.ir.tensors import POLICIES
    from archspec.report.table import formats

    parser.add_argument(
        "specs", nargs="+", metavar="SPEC", help="paths of specs, names of specs or variants, or - for stdin"
    )
    _arguments.add_settings(parser)
    _arguments.add_training(parser)
    parser.add_argument("--batch", type=_arguments.positive, default=1, metavar="N", help="count for N samples")
    parser.add_argument("--in-bounds", action="store_true", help="leave out taps that fall on padding")
    parser.add_argument("--columns", metavar="NAME,…", help="what to show, in this order; see above")
    parser.add_argument("--sort", metavar="COLUMN", help="the largest first")
    parser.add_argument(
        "--depth", type=_depth, metavar="N", help="fold nodes to blocks of N name parts; all: no folding"
    )
    parser.add_argument(
        "--as", dest="tool", metavar="TOOL", help="the number that another tool would print: fvcore, torch, thop, …"
    )
    parser.add_argument(
        "--hardware", metavar="NAME", help="lower bounds on times for a profile such as h100, or a YAML file"
    )
    parser.add_argument(
        "--memory",
        type=_arguments.size,
        metavar="SIZE",
        help="the largest batches that fit into this much memory, such as 24GiB",
    )
    parser.add_argument(
        "--optimizer",
        default="adam",
        metavar="NAME",
        help="optimizer whose state counts as training memory; default: adam",
    )
    parser.add_argument(
        "--dtype",
        metavar="DTYPE",
        choices=POLICIES,
        default="float32",
        help=f"of activations and weights: {', '.join(POLICIES)}; default: float32",
    )
    parser.add_argument("--format", choices=formats(), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, tabulate, print."""
    from archspec.cli._output import for_people, refused, write
    from archspec.frontend import catalogue
    from archspec.ir.tensors import UnknownSize

    options = for_people(args.format)
    try:
        args.specs = [member for spec in args.specs for member in catalogue.family(spec) or [spec]]
        graphs = [_arguments.load(args, spec) for spec in args.specs]
        for text in _texts(args, graphs, options):
            write(text)
        return OK if args.memory is None or all(_fits(graph, args) for graph in graphs) else FAILED
    except UnknownSize:
        return refused("table", "a size is open, give it: --set NAME=VALUE")
    except ValueError as error:
        return refused("table", str(error))


def _fits(graph: Graph, args: argparse.Namespace) -> bool:
    """Whether one sample of a network fits into the memory; says it where not."""
    from archspec.cli._output import failed
    from archspec.report.budget import is_enough
    from archspec.report.format import binary

    found = is_enough(graph, args.memory, args.dtype)
    if not found:
        failed(f"{graph.variant or graph.name} does not fit into {binary(args.memory)}", FAILED)
    return found


def _texts(args: argparse.Namespace, graphs: list[Graph], options: dict[str, Any]) -> list[str]:
    """What is printed. Raises ValueError, UnknownSize."""
    if args.tool is not None or args.memory is not None:
        return [text for graph in graphs for text in _figures(args, graph, options)]
    if args.columns is None and args.sort is None and args.hardware is None and len(graphs) == 1:
        from archspec.report.table import table

        made = table(graphs[0], training=args.training, batch=args.batch, depth=args.depth, in_bounds=args.in_bounds)
        return [made.render(args.format, **options)]
    return [_grid(args, graphs).render(args.format, **options)]


def _grid(args: argparse.Namespace, graphs: list[Graph]) -> Grid:
    from archspec.report.captions import title
    from archspec.report.columns import Measured
    from archspec.report.grid import of_networks, of_nodes, told_apart
    from archspec.report.table import READABLE_LINES, table

    machine = None
    if args.hardware is not None:
        from archspec.analysis.hardware import hardware

        machine = hardware(args.hardware)
    slots = _slots(args.optimizer) if args.optimizer != "adam" else 2
    columns = None if args.columns is None else [name.strip() for name in args.columns.split(",")]
    measured = [
        Measured(graph.described(args.training), args.batch, args.in_bounds, args.dtype, slots, machine)
        for graph in graphs
    ]
    if len(graphs) > 1:
        return of_networks(list(zip(told_apart(graphs, args.specs), measured, strict=True)), columns, sort=args.sort)
    made = table(graphs[0], training=args.training, batch=args.batch)
    is_read = args.format not in ("csv", "json") and args.sort is None
    return of_nodes(
        measured[0],
        columns,
        title=title(made),
        depth=args.depth,
        sort=args.sort,
        lines=READABLE_LINES if is_read else None,
    )


def _figures(args: argparse.Namespace, graph: Graph, options: dict[str, Any]) -> list[str]:
    """The number of another tool, and the memory."""
    name, out = graph.variant or graph.name, []
    width = {"width": options["width"]} if options else {}
    if args.format not in ("text", "json"):
        raise ValueError("--as and --memory are written as text or json")
    if args.tool is not None:
        from archspec.analysis.conventions import answer
        from archspec.report import conventions

        if args.batch != 1:
            raise ValueError("--as is what a tool prints of one sample, without --batch")
        found = answer(graph.described(args.training), args.tool)
        out.append(conventions.text(name, found, **width) if options else conventions.json(name, found))
    if args.memory is not None:
        from archspec.report import budget

        how = {"policy": args.dtype, "optimizer": args.optimizer, "slots": _slots(args.optimizer)}
        write = budget.text if options else budget.json
        out.append(write(name, graph, args.memory, **how, **width))
    return ["\n\n".join(out)] if options else out


def _slots(name: str) -> int:
    """Numbers that an optimiser keeps for each weight. Raises ValueError."""
    from archspec.ir.diagnostics import shown
    from archspec.ir.reading import suggested
    from archspec.training.optimizers import Optimizer

    found = Optimizer.find(name)
    if found is None:
        raise ValueError(f"there is no optimizer {shown(name)}; {suggested(name, 'optimizer', Optimizer.names())}")
    return found().slots()


def _depth(text: str) -> int:
    return 0 if text == "all" else _arguments.whole(text)
