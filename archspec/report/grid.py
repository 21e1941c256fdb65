"""Tables of chosen columns: of the nodes of a network, or of several networks, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from archspec.analysis.blocks import folded, readable_depth
from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph
from archspec.report.columns import COLUMNS, LOWER_BOUNDS, Column, Measured, extent
from archspec.report.format import lower_bound, quantity

NODES = ("op", "output", "params", "macs")
"""Columns of nodes where none are chosen."""
NETWORKS = ("output", "params", "macs", "activations", "memory", "receptive_field")
"""Columns of networks where none are chosen."""
TIMES = ("output", "macs", "bytes", "intensity", "time", "limit")
"""Columns of nodes where none are chosen, on hardware."""


@dataclass(frozen=True)
class Grid:
    """Named rows of values below columns; ``last`` is the row of totals, None for several networks."""

    title: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Any, ...]], ...]
    last: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()
    bounds: frozenset[str] = frozenset()
    """Names of the rows whose MACs and FLOPs are lower bounds; ``total`` for the last."""

    def written(self) -> list[tuple[str, ...]]:
        """Headers, and every row as people read it."""
        kinds = [COLUMNS[name] for name in self.columns]
        lines = [(self.first, *(kind.header for kind in kinds))]
        for name, values in (*self.rows, *([("total", self.last)] if self.last is not None else ())):
            lines.append((name, *(self._cell(name, *pair) for pair in zip(self.columns, values, strict=True))))
        return lines

    def _cell(self, row: str, column: str, value: object) -> str:
        text = COLUMNS[column].write(value)
        return f"≥ {text}" if row in self.bounds and column in LOWER_BOUNDS else text

    def left(self) -> list[bool]:
        """Which columns stand to the left, as texts do."""
        return [True, *(COLUMNS[name].is_text for name in self.columns)]

    def records(self) -> list[dict[str, Any]]:
        """The rows as programs read them."""
        return [{"name": name, **dict(zip(self.columns, values, strict=True))} for name, values in self.rows]

    def render(self, format: str = "text", **options: Any) -> str:
        """The grid in a format of tables. Raises ValueError for another."""
        from archspec.report.table import formats

        if format not in formats():
            raise ValueError(f"there is no format {shown(format)}; the formats are {', '.join(formats())}")
        # The formats know grids: a grid knows them by name alone, and imports the one that is asked for.
        written: str = import_module(f"archspec.report.formats.{format}").grid(self, **options)
        return written

    def _repr_html_(self) -> str:
        return self.render("html")


def of_nodes(
    measured: Measured,
    columns: Sequence[str] | None = None,
    *,
    title: str = "",
    depth: int | None = None,
    sort: str | None = None,
    lines: int | None = None,
) -> Grid:
    """The nodes of a network, or its blocks where ``depth`` folds them (0 folds nothing; without a depth to at most
    ``lines``, if given), in their order, or the largest of a column first. Raises ValueError for columns that there are
    not, or that need hardware."""
    names = chosen(columns, measured.machine is not None, TIMES if measured.machine else NODES)
    kinds = chosen_kinds(names, sort, measured)
    nodes = [node.name for node in measured.graph.nodes]
    values = {name: kind.of(measured) for name, kind in kinds.items()}
    if depth is None and lines is not None:
        depth = readable_depth(nodes, lines)
    groups = folded(nodes, depth) if depth else {name: [i] for i, name in enumerate(nodes)}
    rows = [
        (name, {c: _of_block(c, kind, [values[c][i] for i in at]) for c, kind in kinds.items()})
        for name, at in groups.items()
    ]
    if sort is not None:
        rows = in_order(rows, sort)
    notes = _notes(measured)
    if depth and len(rows) < len(nodes):
        notes += (f"blocks are folded at depth {depth}: --depth all shows every node",)
    total = tuple(kinds[name].total(measured, values[name]) for name in names)
    bounds = frozenset(["total"] if measured.uncounted else [])
    return Grid(title, "layer", names, tuple((r, tuple(v[n] for n in names)) for r, v in rows), total, notes, bounds)


def told_apart(graphs: Sequence[Graph], typed: Sequence[str]) -> list[str]:
    """Names of networks side by side: of one spec under several settings, or two files of one name, the words that were
    typed."""
    names = [graph.variant or graph.name for graph in graphs]
    return [*typed] if len(set(names)) < len(names) else names


def of_networks(
    networks: Sequence[tuple[str, Measured]], columns: Sequence[str] | None = None, *, sort: str | None = None
) -> Grid:
    """Networks by name, a row each, in their order, or the largest of a column first. Raises ValueError as above."""
    names = chosen(columns, any(m.machine for _, m in networks), NETWORKS)
    rows = []
    for name, measured in networks:
        kinds = chosen_kinds(names, sort, measured)
        rows.append((name, {c: kind.total(measured, kind.of(measured)) for c, kind in kinds.items()}))
    if sort is not None:
        rows = in_order(rows, sort)
    notes = tuple(dict.fromkeys(note for _, measured in networks for note in _notes(measured)))
    bounds = frozenset(name for name, measured in networks if measured.uncounted)
    return Grid("", "network", names, tuple((r, tuple(v[n] for n in names)) for r, v in rows), None, notes, bounds)


def chosen(columns: Sequence[str] | None, has_hardware: bool, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Names of columns. Raises ValueError for what is none."""
    names = tuple(columns) if columns else usual
    for name in names:
        check(name)
        if COLUMNS[name].needs_hardware and not has_hardware:
            raise ValueError(f"column {name} needs hardware: --hardware h100")
    return names


def check(name: str) -> None:
    """Raises ValueError for a column that there is not."""
    if name not in COLUMNS:
        from archspec.ir.diagnostics import did_you_mean

        hint = did_you_mean(name, COLUMNS) or f"the columns are {', '.join(COLUMNS)}"
        raise ValueError(f"there is no column {shown(name)}; {hint}")


def chosen_kinds(names: Iterable[str], sort: str | None, measured: Measured) -> dict[str, Column]:
    """The columns by name, and that which is sorted by."""
    if sort is not None:
        chosen([sort], measured.machine is not None, ())
    return {name: COLUMNS[name] for name in dict.fromkeys([*names, *([] if sort is None else [sort])])}


def in_order(rows: list[tuple[str, dict[str, Any]]], sort: str) -> list[tuple[str, dict[str, Any]]]:
    """Rows, the largest first; those whose value is not known last."""

    def key(row: tuple[str, dict[str, Any]]) -> tuple[bool, Any]:
        value = row[1][sort]
        if isinstance(value, str) and sort != "op":
            size = extent(value)
            value = size if size is not None else float("inf") if value == "global" else -1.0
        if isinstance(value, dict):
            value = [n for shape in value.values() for n in shape]
        if isinstance(value, (tuple, list)):
            value = [n or 0 for n in value]
        return value is None, value

    known = [row for row in rows if row[1][sort] is not None]
    rest = [row for row in rows if row[1][sort] is None]
    return [*sorted(known, key=key, reverse=True), *rest]


def _of_block(name: str, kind: Column, values: list[Any]) -> Any:
    if name == "op" and len(values) > 1:
        return f"{len(values)} nodes"
    if name == "intensity" and len(values) > 1:
        return None
    if name == "limit" and len(set(values)) > 1:
        return "both"
    return kind.folded(values)


def _notes(measured: Measured) -> tuple[str, ...]:
    notes = []
    if names := measured.uncounted:
        notes.append(lower_bound(names))
    if measured.in_bounds:
        notes.append("in bounds: taps that fall on padding are not counted")
    if (machine := measured.machine) is not None:
        dtype = measured.dtype
        if dtype not in machine.peak:
            return tuple(notes)
        ridge = f"{machine.ridge(dtype):.0f} FLOP/B"
        notes.append(
            f"times are lower bounds, not predictions: {machine.name}, at most {quantity(machine.peak[dtype])}FLOP/s "
            f"of {dtype} and {quantity(machine.bandwidth)}B/s (ridge {ridge}; {machine.source})"
        )
    return tuple(notes)
