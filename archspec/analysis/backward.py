"""What the gradients of a network cost: MACs of the backward pass, node by node."""

from __future__ import annotations

from archspec.ir.graph import Graph, Tensor


def differentiable(graph: Graph) -> set[Tensor]:
    """Tensors by which a loss is differentiated on the way to a trainable weight: those that depend on one."""
    found: set[Tensor] = set()
    for node in graph.nodes:
        if getattr(node.op, "stops_gradient", False):
            continue
        if any(w.trainable for w in node.weights) or any(tensor in found for tensor in node.inputs):
            found |= {Tensor(node.name, port) for port in range(len(node.outputs))}
    return found


def backward_macs(graph: Graph, batch: int = 1) -> list[int | None]:
    """MACs of the gradients by weights and inputs, for every node in the graph's order; None where a size is open or
    the op does not say what it costs. Forward and backward together are three times the forward pass, less what the
    first layers need not hand back."""
    needed = differentiable(graph)
    out: list[int | None] = []
    for node in graph.nodes:
        asks = tuple(tensor in needed for tensor in node.inputs)
        if not node.op.is_counted():
            out.append(None)
        elif not (any(asks) or any(w.trainable for w in node.weights)):
            out.append(0)
        else:
            macs = node.count(lambda *specs, op=node.op, asks=asks: op.backward_macs(asks, *specs))
            out.append(None if macs is None else batch * macs)
    return out
