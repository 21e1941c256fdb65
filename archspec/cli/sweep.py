"""Compare the members of a family: every combination of parameters, one row each.

--vary NAME=VALUES may be repeated: VALUES are FIRST:LAST or FIRST:LAST:STEP, the last included, or a list as in a spec.
--where keeps members of which an expression over columns is true; counts may end in k, M, G or T.
--pareto keeps those that no other beats in all of the columns named: smaller is better, of +COLUMN larger.
Members that cannot be built are told on stderr, with the reason, and left out. See 'archspec table --help' for columns.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.cli import _arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archspec.report.grid import Grid

EXAMPLES = (
    "archspec sweep net.yaml --vary width=16:64:16",
    "archspec sweep net.yaml --vary width=16:64:8 --vary 'depths=[[2, 2], [3, 4]]' --where 'macs <= 600M'",
    "archspec sweep net.yaml --vary width=16:64 --pareto params,+receptive_field --format csv",
)
MAX_MEMBERS = 100_000
"""Members of a sweep."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, what is varied, and what is kept."""
    from archspec.report.table import formats

    _arguments.add_spec(parser)
    parser.add_argument(
        "--vary",
        action="append",
        required=True,
        type=_varied,
        metavar="NAME=VALUES",
        help="values of a parameter; may be repeated",
    )
    parser.add_argument("--where", metavar="EXPRESSION", help="keep members for which it is true: 'macs < 600M'")
    parser.add_argument(
        "--pareto", metavar="COLUMN,…", help="keep the members that no other beats in all of these columns"
    )
    parser.add_argument("--columns", metavar="NAME,…", help="what to show (params, macs, activations, memory)")
    parser.add_argument("--sort", metavar="COLUMN", help="the largest first")
    parser.add_argument("--batch", type=_arguments.positive, default=1, metavar="N", help="count for N samples")
    parser.add_argument("--format", choices=formats(), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load every member, keep what is asked for, print."""
    from archspec.cli._output import for_people, refused, write
    from archspec.ir.diagnostics import printable

    try:
        grid, failed = _grid(args)
    except ValueError as error:
        return refused("sweep", str(error))
    for name, reason in failed:
        print(f"archspec sweep: {printable(name)}: {printable(reason)}", file=sys.stderr)
    if grid is None:
        return 1
    write(grid.render(args.format, **for_people(args.format)))
    return 0


def _grid(args: argparse.Namespace) -> tuple[Grid | None, list[tuple[str, str]]]:
    """The members that are kept (None where none could be built), and why others could not be. Raises ValueError."""
    from dataclasses import replace

    from archspec.frontend.expressions import names_in
    from archspec.report.columns import COLUMNS
    from archspec.report.grid import check, in_order, of_networks

    columns = _names(args.columns) or ["params", "macs", "activations", "memory"]
    pareto = _names(args.pareto)
    where = None if args.where is None else _with_units(args.where)
    asked = _needed(names_in, where) if where is not None else []
    sort = [] if args.sort is None else [args.sort]
    needed = list(dict.fromkeys([*columns, *(name.lstrip("+") for name in pareto), *asked, *sort]))
    for name in needed:
        check(name)
        if COLUMNS[name].needs_hardware:
            raise ValueError(f"column {name} needs hardware, which a sweep does not take")
    failed: list[tuple[str, str]] = []
    members = list(_members(args, failed))
    if not members:
        return None, failed
    grid = of_networks(members, needed)
    rows = [(name, dict(zip(needed, values, strict=True))) for name, values in grid.rows]
    if where is not None:
        rows = [row for row in rows if _holds(where, row[1])]
    if pareto:
        rows = _front(rows, pareto)
    if args.sort is not None:
        rows = in_order(rows, args.sort)
    kept = tuple((name, tuple(values[column] for column in columns)) for name, values in rows)
    note = f"{len(kept)} of {len(members) + len(failed)} members" + (f", {len(failed)} not built" if failed else "")
    return replace(grid, first="member", columns=tuple(columns), rows=kept, notes=(*grid.notes, note)), failed


def _members(args: argparse.Namespace, failed: list[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Name and graph of every member that can be built. Raises ValueError for too many, SpecError where none can."""
    from archspec.frontend import load
    from archspec.ir.diagnostics import SpecError, plain, retyped, typed
    from archspec.report.columns import Measured

    varied = dict(args.vary)
    count = prod(len(values) for values in varied.values())
    if count > MAX_MEMBERS:
        raise ValueError(f"{count:,} members are more than {MAX_MEMBERS:,}")
    first: SpecError | None = None
    is_any = False
    for values in product(*varied.values()):
        given = dict(zip(varied, values, strict=True))
        name = " ".join(f"{key}={plain(value)}" for key, value in given.items())
        try:
            graph = load(args.spec, variant=args.variant, set={**dict(args.set), **given})
        except SpecError as error:
            first = first or retyped(
                error, {key: typed("--vary", f"{key}={plain(value)}") for key, value in given.items()}
            )
            failed.append((name, error.diagnostics[0].message))
            continue
        is_any = True
        yield name, Measured(graph.inference(), args.batch)
    if first is not None and not is_any:
        # What is wrong with all of them is told in full, once.
        failed.clear()
        raise first


def _varied(text: str) -> tuple[str, list[Any]]:
    """A parameter and its values out of ``NAME=FIRST:LAST:STEP`` or ``NAME=[…]``."""
    name, _, values = text.partition("=")
    parts = values.split(":")
    if name.strip() and 2 <= len(parts) <= 3 and all(part.strip().isdigit() for part in parts):
        first, last, step = (*map(int, parts), 1)[:3]
        if step and first <= last and (last - first) // step < MAX_MEMBERS:
            return name.strip(), list(range(first, last + 1, step))
        raise argparse.ArgumentTypeError(f"{values} holds no values: FIRST:LAST:STEP, with a step above 0")
    found, value = _arguments.setting(text)
    if isinstance(value, str) and "," in value:
        raise argparse.ArgumentTypeError(f"several values are a list: --vary '{found}=[{', '.join(_names(value))}]'")
    return found, list(value) if isinstance(value, list) and value else [value]


def _names(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",")]


def _with_units(text: str) -> str:
    """An expression with its units worked out: ``5M`` is 5000000. Raises ValueError for a unit in the other case."""
    import re

    from archspec.ir.quantities import BYTES, PREFIXES, byte_size, count

    def number(match: re.Match[str]) -> str:
        units = {unit.lower(): unit for unit in (*BYTES, *PREFIXES)}
        if match[2] not in (*PREFIXES, *BYTES) and (meant := units.get(match[2].lower())):
            raise ValueError(f"--where: {match[0]} has no unit that is known; write {match[1]}{meant}")
        read = count if match[2] in PREFIXES else byte_size if match[2] in BYTES else None
        return match[0] if read is None else str(read(match[0]))

    return re.sub(r"(?<![\w.])(\d[\d.]*)\s?([A-Za-z]+)\b", number, text)


def _needed(names_in: Any, where: str) -> list[str]:
    from archspec.frontend.arithmetic import ExpressionError

    try:
        return sorted(names_in(where))
    except ExpressionError as error:
        raise ValueError(f"--where: {error.message}") from None


def _holds(where: str, values: dict[str, Any]) -> bool:
    """Whether the expression is true of a member. Raises ValueError where it has no truth."""
    from archspec.frontend.arithmetic import ExpressionError
    from archspec.frontend.expressions import evaluate
    from archspec.ir.diagnostics import shown

    def lookup(name: str) -> Any:
        value = values[name]
        if name == "receptive_field" and isinstance(value, str):
            return _size(value)
        return list(value) if isinstance(value, tuple) else value

    try:
        found = evaluate(where, lookup)
    except ExpressionError as error:
        raise ValueError(f"--where: {error.message}") from None
    if type(found) is not bool:
        raise ValueError(f"--where must be true or false of a member, got {shown(found)}")
    return found


def _front(rows: list[tuple[str, dict[str, Any]]], pareto: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """The members that no other beats; one of which a figure is not known is on no front."""
    from archspec.analysis.pareto import front

    def point(values: dict[str, Any]) -> tuple[float, ...] | None:
        out = []
        for name in pareto:
            value = values[name.lstrip("+")]
            value = _size(value) if isinstance(value, str) else value
            if not isinstance(value, (int, float)):
                return None
            out.append(-value if name.startswith("+") else value)
        return tuple(out)

    known = [(row, found) for row in rows if (found := point(row[1])) is not None]
    return [known[i][0] for i in front([found for _, found in known])]


def _size(field: str) -> float:
    """The size of a receptive field as a number; the whole input is larger than any."""
    from archspec.report.columns import extent

    size = extent(field)
    return 2.0**53 if size is None else size
