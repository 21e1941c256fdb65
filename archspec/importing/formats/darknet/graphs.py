"""The layers of a graph as Darknet stores those of a network: in their order, each with its normalisation."""

from __future__ import annotations

from typing import Any

from archspec.importing.formats.darknet.layers import StoredSection
from archspec.importing.network import refused
from archspec.ir.graph import Graph, Node

NORM = {"gamma", "beta", "moving_mean", "moving_variance"}


def stored(graph: Graph) -> list[StoredSection]:
    """The layers that a .weights file has numbers for. Raises SpecError (I05) for one that Darknet has not."""
    norms = {node.inputs[0].node: node for node in graph.owners() if {w.name for w in node.weights} == NORM}
    taken = {node.name for node in norms.values()}
    return [
        _section(graph, node, norms.get(node.name))
        for node in graph.owners()
        if node.weights and node.name not in taken
    ]


def _section(graph: Graph, node: Node, norm: Node | None) -> StoredSection:
    shapes = {w.name: w.shape for w in node.weights}
    kernel, out = shapes.get("kernel", ()), node.output.channels
    wanted = {"kernel"} if norm is not None else {"kernel", "bias"}
    if set(shapes) != wanted or len(kernel) not in (2, 4) or (norm is not None and norm.output != node.output):
        said = f"a .weights file has no layer such as '{node.name}' ({node.op.name})"
        mend = "Darknet's have a kernel, and either a bias or a normalisation right behind them"
        raise refused("I05", said, node.span, mend)
    at, name = node.span, norm.layer if norm is not None else None
    if len(kernel) == 2:
        return StoredSection(at, node.layer, name, (kernel[1], kernel[0]), places=_places(graph, node))
    height, width, channels, filters = kernel
    if filters == out:
        return StoredSection(at, node.layer, name, (filters, channels, height, width))
    return StoredSection(at, node.layer, name, (channels * filters, 1, height, width), channels)


def _places(graph: Graph, node: Node) -> tuple[int, int, int] | None:
    """Height, width and channels of the map that a dense layer reads as one vector; None where it reads none."""
    while (before := graph.by_name.get(node.inputs[0].node)) is not None:
        op: Any = before.op
        shape = before.input_specs[0].shape
        if op.is_flattening() and len(shape) == 3:
            height, width, channels = (int(n or 0) for n in shape)
            return height, width, channels
        if not (op.is_view or op.hands_on == "elements"):
            break
        node = before
    return None
