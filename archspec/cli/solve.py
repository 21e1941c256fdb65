"""Find the value of a parameter with which a network comes nearest to a figure, and its neighbours.

The figure must grow, or fall, with the parameter, as counts do with widths and depths; values that cannot be built are
passed over. --target COLUMN=VALUE takes units: macs=600M, memory=24MiB. See 'archspec table --help' for columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from archspec.cli import _arguments

EXAMPLES = (
    "archspec solve net.yaml --for width --target macs=600M",
    "archspec solve net.yaml --for width --target params=5M --between 8:512",
)
FURTHER = 64
"""So many values in a row that cannot be built end the search."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, the parameter, and the figure."""
    from archspec.report.table import formats

    _arguments.add_spec(parser, stdin=True)
    parser.add_argument("--for", dest="name", required=True, metavar="NAME", help="the parameter, an integer")
    parser.add_argument("--target", required=True, metavar="COLUMN=VALUE", help="the figure to come near to")
    parser.add_argument(
        "--between", type=_range, default=(1, 65536), metavar="LOW:HIGH", help="values that may be taken"
    )
    parser.add_argument("--columns", metavar="NAME,…", help="what to show beside the figure")
    parser.add_argument("--batch", type=_arguments.positive, default=1, metavar="N", help="count for N samples")
    parser.add_argument("--format", choices=formats(), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Search, print the nearest value with its neighbours."""
    from dataclasses import replace

    from archspec.cli._output import for_people, refused, write
    from archspec.report.columns import Measured
    from archspec.report.grid import of_networks

    try:
        column, target = _target(args.target)
        members = _Members(args, column)
        low, high = search(members.figure, target, *args.between)
        if low is None and high is None:
            raise members.error or ValueError(f"no value of {args.name} can be built")
        if members.is_constant():
            raise ValueError(f"{column} does not change with {args.name}")
        near = min((n for n in (low, high) if n is not None), key=lambda n: abs((members.figure(n) or 0) - target))
        shown = [n for n in (members.next(near, -1), near, members.next(near, 1)) if n is not None]
        columns = list(dict.fromkeys([column, *_columns(args.columns)]))
        grid = of_networks([(str(n), Measured(members.graph(n).inference(), args.batch)) for n in shown], columns)
    except ValueError as error:
        return refused("solve", str(error))
    share = 100 * ((members.figure(near) or 0) - target) / target if target else 0.0
    notes = (*grid.notes, f"nearest is {args.name}={near}, {share:+.2f} % of {column}={args.target.partition('=')[2]}")
    if not members.is_steady():
        notes += (f"{column} does not only grow or only fall with {args.name}: another value may come nearer",)
    write(replace(grid, first=args.name, notes=notes).render(args.format, **for_people(args.format)))
    return 0


class _Members:
    """The network for values of one parameter, each made once. ``error`` is that of the first that could not be."""

    def __init__(self, args: argparse.Namespace, column: str):
        self.args, self.column = args, column
        self.figures: dict[int, float | None] = {}
        self.error: Exception | None = None

    def graph(self, value: int) -> Any:
        """Raises SpecError."""
        return _arguments.load(self.args, set={self.args.name: value})

    def figure(self, value: int) -> float | None:
        """The figure; None where the network cannot be built. Raises ValueError where it has no such figure."""
        if value not in self.figures:
            self.figures[value] = self._figure(value)
        return self.figures[value]

    def _figure(self, value: int) -> float | None:
        from archspec.ir.diagnostics import SpecError, retyped, typed
        from archspec.report.columns import COLUMNS, Measured

        try:
            graph = self.graph(value)
        except SpecError as error:
            name = self.args.name
            if any(d.code in ("P01", "V01", "F01") for d in error.diagnostics):
                raise retyped(error, {name: typed("--for", name)}) from None
            error = retyped(error, {name: typed("--for", f"{name}={value}")})
            self.error = self.error or error
            return None
        measured = Measured(graph.inference(), self.args.batch)
        kind = COLUMNS[self.column]
        found = kind.total(measured, kind.of(measured))
        if not isinstance(found, (int, float)):
            open_sizes = "; sizes that a spec leaves open are given by --set" * (None in _sizes(graph))
            raise ValueError(f"{self.column} of the network is no number{open_sizes}")
        return found

    def is_constant(self) -> bool:
        """Whether all of several values that were tried have one figure."""
        found = [figure for figure in self.figures.values() if figure is not None]
        return len(found) > 1 and len(set(found)) == 1

    def is_steady(self) -> bool:
        """Whether the figure only grows, or only falls, over all values that were tried."""
        found = [figure for _, figure in sorted(self.figures.items()) if figure is not None]
        return found == sorted(found) or found == sorted(found, reverse=True)

    def next(self, value: int, step: int) -> int | None:
        """The nearest other value in a direction that can be built, within what may be taken."""
        low, high = self.args.between
        for n in range(value + step, value + step * (FURTHER + 1), step):
            if low <= n <= high and self.figure(n) is not None:
                return n
        return None


def _sizes(graph: Any) -> list[int | None]:
    return [size for spec in graph.inputs.values() for size in spec.shape]


def search(figure: Callable[[int], float | None], target: float, low: int, high: int) -> tuple[int | None, int | None]:
    """Values between which a figure that grows or falls passes ``target``, with none that can be built between them;
    None for one that there is not. ``figure`` gives None where nothing can be built."""

    def built(start: int, stop: int) -> int | None:
        """The first of some values from one towards another."""
        step = 1 if stop >= start else -1
        return next((n for n in range(start, stop + step, step)[:FURTHER] if figure(n) is not None), None)

    first = built(low, high)
    if first is None:
        return None, None
    at, width = first, 1
    begun = figure(first) or 0.0
    sign = 0
    while True:
        if at >= high:
            return at, None
        further = built(min(high, at + width), high) or built(min(high, at + width), at + 1)
        if further is None:
            return at, None
        found = figure(further) or 0.0
        sign = sign or (found > begun) - (found < begun)
        if sign and (found - target) * sign >= 0 and (begun - target) * sign >= 0:
            return None, first
        if sign and (found - target) * sign >= 0:
            break
        at, width = further, width * 2
    lower, upper = at, further
    while upper - lower > 1:
        middle = (lower + upper) // 2
        tried = built(middle, upper - 1) if middle < upper else None
        tried = tried if tried is not None else built(middle, lower + 1)
        if tried is None:
            break
        if ((figure(tried) or 0.0) - target) * sign >= 0:
            upper = tried
        else:
            lower = tried
    return lower, upper


def _target(text: str) -> tuple[str, float]:
    """Column and value. Raises ValueError."""
    from archspec.ir.quantities import byte_size, count
    from archspec.report.columns import COLUMNS
    from archspec.report.format import binary
    from archspec.report.grid import check

    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign or not value:
        raise ValueError(f"--target is COLUMN=VALUE, such as macs=600M, got {text!r}")
    check(name)
    if COLUMNS[name].is_text or COLUMNS[name].needs_hardware or name in ("receptive_field", "offset"):
        raise ValueError(f"{name} is no figure that can be aimed at")
    try:
        return name, byte_size(value) if COLUMNS[name].write is binary else count(value)
    except ValueError as error:
        raise ValueError(f"--target {name} {error}") from None


def _columns(text: str | None) -> list[str]:
    return ["params", "macs", "memory"] if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _range(text: str) -> tuple[int, int]:
    low, sign, high = text.partition(":")
    if not (sign and low.strip().isdigit() and high.strip().isdigit()) or int(low) > int(high):
        raise argparse.ArgumentTypeError(f"must be LOW:HIGH, got {text!r}")
    return int(low), int(high)
