"""Whether two graphs are one but for the names in them."""

from __future__ import annotations

from collections import Counter

from archspec.ir.graph import Graph, Tensor


def is_same(one: Graph, other: Graph) -> bool:
    """Whether ops, arguments, wiring, shapes and costs are equal. Inputs and outputs go by their order."""
    ids: dict[object, int] = {}
    return _signature(one, ids) == _signature(other, ids)


def _signature(graph: Graph, ids: dict[object, int]) -> object:
    def number(of: object) -> int:
        return ids.setdefault(of, len(ids))

    known: dict[Tensor, int] = {
        Tensor(name): number(("input", place, repr(spec))) for place, (name, spec) in enumerate(graph.inputs.items())
    }
    nodes = Counter[int]()
    for node in graph.nodes:
        taken = [known[tensor] for tensor in node.inputs]
        if node.op.computed.operands == "any order":
            taken.sort()
        computed = number((repr(node.op.computed), tuple(taken), repr(node.outputs), repr(node.weights)))
        nodes[computed] += 1
        known.update((tensor, number((computed, tensor.port))) for tensor in node.tensors)
    return nodes, [known[output.tensor] for output in graph.outputs]
