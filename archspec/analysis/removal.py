"""Text that does nothing, taken out: the network stays the same to the number."""

from __future__ import annotations

from archspec.analysis.practice import REMOVABLE, is_idle
from archspec.frontend.cutting import without
from archspec.frontend.findings import Analysis
from archspec.ir.diagnostics import Diagnostic
from archspec.ir.graph import Graph, Tensor


def removed(text: str, finding: Diagnostic) -> str | None:
    """The text without what a finding is about; None where that cannot be taken out. Whether the network stays what it
    was is for ``is_same``."""
    kind = REMOVABLE.get(finding.code)
    return without(text, (finding.span.line - 1, finding.span.column - 1), kind) if kind else None


def is_same(one: Analysis, other: Analysis) -> bool:
    """Whether all networks are what they were, but for nodes that give what they read."""
    return [_facts(graph) for graph in one.graphs] == [_facts(graph) for graph in other.graphs]


def _facts(graph: Graph) -> object:
    same: dict[Tensor, object] = {}
    nodes: list[object] = []
    for node in graph.nodes:
        inputs = tuple(same.get(tensor, tensor) for tensor in node.inputs)
        if is_idle(graph, node):
            same[node.tensors[0]] = inputs[0]
            continue
        same |= {tensor: (len(nodes), tensor.port) for tensor in node.tensors}
        nodes.append((node.op, inputs, node.outputs, node.weights, node.layer if node.weights else None))
    outputs = [(output.name, same.get(output.tensor, output.tensor)) for output in graph.outputs]
    return dict(graph.inputs), nodes, outputs, graph.training and _facts(graph.training.body)
