"""The parameter and MAC table of a graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NamedTuple

from archspec.analysis.blocks import folded, readable_depth
from archspec.analysis.cost import Totals, counted, node_costs, total, uncounted
from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph, must_be_graph
from archspec.ir.tensors import Size, TensorSpec
from archspec.ir.validation import must_be_integer

READABLE_LINES = 60
"""Tables of more lines are folded to blocks where a person reads them, unless a depth is asked for."""


class Row(NamedTuple):
    """One node, or the nodes of one block. Counts are None where they depend on a size that the text leaves open.

    ``shared`` names the node that the parameters are counted with, on later calls of shared weights: there ``params``
    is 0 and ``shared_params`` the number of weights in use. A folded block has the op ``block`` and several ``nodes``.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    output_shape: tuple[Size, ...]
    params: int
    trainable_params: int
    macs: int | None
    flops: int | None
    transcendentals: int | None
    activations: int | None
    source: str
    layer: str
    shared: str | None = None
    shared_params: int = 0
    nodes: int = 1

    @property
    def counts(self) -> Totals:
        """The row's share of the totals."""
        return Totals(*self[4:10])

    @property
    def kind(self) -> str:
        """The op, or how many nodes a folded block holds."""
        return self.op if self.nodes == 1 else f"{self.nodes} nodes"


@dataclass(frozen=True, repr=False, eq=False)
class Table:
    """What every node of a graph is and costs. Shows itself in a terminal (``str``) and a notebook.

    ``rows`` are nodes in the graph's order, or blocks where ``depth`` folds them; ``totals`` is over the whole graph,
    for ``batch`` samples. ``depth`` is None (all rows; folded for reading when long), 0 (all rows) or a number of parts
    that names are cut to.
    """

    name: str
    variant: str | None
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    rows: tuple[Row, ...]
    totals: Totals
    training: bool = False
    batch: int = 1
    depth: int | None = None
    in_bounds: bool = False
    uncounted: tuple[str, ...] = ()
    """Names of ops that do not say what they cost: the totals of MACs, FLOPs and transcendentals are lower bounds."""

    def fold(self, depth: int) -> Table:
        """The table with the names cut to ``depth`` parts and the rows that fall together summed; 0 folds nothing."""
        return replace(self, rows=fold_rows(self.rows, depth), depth=depth)

    def readable(self) -> Table:
        """This table, folded to the depth that leaves at most ``READABLE_LINES`` lines when none was asked for."""
        if self.depth is None and (depth := readable_depth([r.name for r in self.rows], READABLE_LINES)):
            return self.fold(depth)
        return self

    def render(self, format: str = "text", **options: Any) -> str:
        """The table in a format: ``text`` (options ``width``, 80 columns unless given, and ``color``), ``markdown``,
        ``html``, ``csv`` or ``json``. Raises ValueError for another."""
        if format not in formats():
            raise ValueError(f"there is no format {shown(format)}; the formats are {', '.join(formats())}")
        # The formats know tables: a table knows them by name alone, and imports the one that is asked for.
        written: str = import_module(f"archspec.report.formats.{format}").render(self, **options)
        return written

    def __str__(self) -> str:
        from shutil import get_terminal_size

        return self.render("text", width=get_terminal_size().columns)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.render("html")

    def _repr_markdown_(self) -> str:
        return self.render("markdown")


def formats(folder: str = "formats") -> tuple[str, ...]:
    """Names of all formats, sorted: the modules of a folder beside this file."""
    names = os.listdir(os.path.join(os.path.dirname(__file__), folder))
    return tuple(sorted(name[:-3] for name in names if name.endswith(".py") and not name.startswith("_")))


def table(
    graph: Graph, training: bool = False, batch: int = 1, depth: int | None = None, *, in_bounds: bool = False
) -> Table:
    """Tabulate a graph: shapes, parameters, MACs, FLOPs and activations of every node, and their totals.

    ``training`` includes what only training needs: its heads, and the chain of a train section. ``batch`` is the number
    of samples that MACs, FLOPs and activations are counted for; ``in_bounds`` leaves out the taps that fall on padding.
    ``depth`` folds nodes into blocks by the parts of their names. Raises ValueError if ``batch`` is not positive or
    ``depth`` is negative, TypeError for what is no graph, or no integer.
    """
    must_be_graph(graph, "archspec.table")
    batch = must_be_integer("batch", batch)
    depth = None if depth is None else must_be_integer("depth", depth)
    if batch < 1:
        raise ValueError(f"batch must be a positive integer, got {batch}")
    if depth is not None and depth < 0:
        raise ValueError(f"depth must not be negative, got {depth}")
    graph = graph.described(training)
    costs = node_costs(graph, batch, in_bounds=in_bounds)
    rows = tuple(
        Row(
            node.name,
            node.op.name,
            tuple([str(tensor) for tensor in node.inputs]),
            node.outputs[0].shape,
            *counts,
            str(node.span),
            node.layer,
            first,
            shared_params,
        )
        for node, first, shared_params, counts in costs
    )
    return Table(
        name=graph.name,
        variant=graph.variant,
        inputs=graph.inputs,
        outputs={output.name: graph.spec(output.tensor) for output in graph.outputs},
        rows=fold_rows(rows, depth) if depth else rows,
        totals=counted(costs),
        training=training,
        batch=batch,
        depth=depth,
        in_bounds=in_bounds,
        uncounted=uncounted(graph),
    )


def fold_rows(rows: tuple[Row, ...], depth: int) -> tuple[Row, ...]:
    """Rows summed by block; a block's inputs come from outside it, its shape is its last node's. 0 folds nothing."""
    if depth == 0:
        return rows
    groups = folded([row.name for row in rows], depth)
    block_of = {rows[p].name: name for name, positions in groups.items() for p in positions}
    return tuple(_summed(name, [rows[p] for p in positions], block_of) for name, positions in groups.items())


def _summed(name: str, rows: list[Row], block_of: Mapping[str, str]) -> Row:
    inputs: dict[str, None] = {}
    for row in rows:
        for tensor in row.inputs:
            node = tensor.partition(":")[0]
            source = block_of.get(node)
            if source != name:
                inputs[tensor if source in (None, node) else source] = None
    first, last = rows[0], rows[-1]
    if len(rows) == 1:
        return first._replace(inputs=tuple(inputs))
    sums = total(row.counts for row in rows)
    shared = {block_of[row.shared] for row in rows if row.shared} - {name}
    return Row(
        name,
        "block",
        tuple(inputs),
        last.output_shape,
        *sums,
        first.source,
        name,
        shared.pop() if len(shared) == 1 else None,
        sum(row.shared_params for row in rows),
        sum(row.nodes for row in rows),
    )
