"""What the nodes of a graph cost, and their sum, by the convention of ``archspec.ir.cost``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archspec.ir.graph import Graph, Node


class Totals(NamedTuple):
    """Sums over nodes; None where a count depends on a size that the text leaves open."""

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


def node_costs(graph: Graph, batch: int = 1) -> list[NodeCost]:
    """Costs of all nodes in the graph's order; all but the parameters are for ``batch`` samples."""
    owners: dict[str, Node] = {}
    out = []
    for node in graph.nodes:
        cost = node.cost() if batch == 1 else node.cost().times(batch)
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


def totals(graph: Graph, batch: int = 1) -> Totals:
    """What the whole graph costs, for ``batch`` samples."""
    return total(cost.counts for cost in node_costs(graph, batch))
