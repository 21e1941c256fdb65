"""What the nodes of a graph cost, and their sum, by the convention of ``archspec.ir.cost``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from archspec.ir.graph import Graph, Node


class Totals(NamedTuple):
    """Sums over nodes; None where a count depends on a size that the text leaves open, and, of a single node, where its
    op does not say what it costs."""

    params: int
    trainable_params: int
    macs: int | None
    flops: int | None
    transcendentals: int | None
    activations: int | None


class NodeCost(NamedTuple):
    """One node's share of the totals.

    ``params`` are counted at the first node of a layer. ``first`` names that node on every later call of the layer,
    where the counts of parameters are 0 and ``shared_params`` says how many weights the call uses.
    """

    node: Node
    first: str | None
    shared_params: int
    counts: Totals


def node_costs(graph: Graph, batch: int = 1, *, in_bounds: bool = False) -> list[NodeCost]:
    """Costs of all nodes in the graph's order; all but the parameters are for ``batch`` samples. ``in_bounds`` leaves
    out the taps that fall on padding."""
    owners: dict[str, Node] = {}
    out = []
    for node in graph.nodes:
        cost = node.cost()
        if in_bounds and cost.macs:
            inside = node.count(node.op.macs_in_bounds) or 0
            flops = None if cost.flops is None else cost.flops - 2 * (cost.macs - inside)
            cost = replace(cost, macs=inside, flops=flops)
        if batch != 1:
            cost = cost.times(batch)
        owner = owners.setdefault(node.layer, node)
        if owner is node:
            first, shared, params, trainable = None, 0, node.params, node.trainable_params
        else:
            first, shared, params, trainable = owner.name, node.params, 0, 0
        counts = Totals(params, trainable, cost.macs, cost.flops, cost.transcendentals, cost.activations)
        out.append(NodeCost(node, first, shared, counts))
    return out


def total(counts: Iterable[Totals]) -> Totals:
    """The sum; a count that is None anywhere is None in it."""
    columns = list(zip(*counts, strict=True)) or [()] * len(Totals._fields)
    return Totals(*(None if None in column else sum(column) for column in columns))  # type: ignore[arg-type]


def totals(graph: Graph, batch: int = 1, *, in_bounds: bool = False) -> Totals:
    """What the whole graph costs, for ``batch`` samples: at least, if some ops are ``uncounted``."""
    return counted(node_costs(graph, batch, in_bounds=in_bounds))


def counted(costs: Iterable[NodeCost]) -> Totals:
    """The sum over nodes whose ops say what they cost, and the parameters and activations of all."""
    return total(
        # Of an op that does not say what it costs, these are None.
        cost.counts
        if cost.counts.macs is not None or cost.node.op.is_counted()
        else cost.counts._replace(macs=0, flops=0, transcendentals=0)
        for cost in costs
    )


def uncounted(graph: Graph) -> tuple[str, ...]:
    """The ops that do not say what they cost, as notes call them."""
    return tuple(dict.fromkeys(node.op.called for node in graph.nodes if not node.op.is_counted()))
