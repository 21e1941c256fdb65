"""What the gradients of a network cost: MACs of the backward pass, node by node."""

from __future__ import annotations

from collections.abc import Callable, Set

from archspec.ir.graph import Graph, Node, Tensor


def _is_trained(node: Node) -> bool:
    return node.is_trained


def differentiable(graph: Graph, is_trained: Callable[[Node], bool] = _is_trained) -> set[Tensor]:
    """Tensors by which a loss is differentiated on the way to a trainable weight: those that depend on one."""
    found: set[Tensor] = set()
    for node in graph.nodes:
        if getattr(node.op, "stops_gradient", False):
            continue
        if takes_part(node, found, is_trained):
            found.update(node.tensors)
    return found


def takes_part(node: Node, needed: Set[Tensor], is_trained: Callable[[Node], bool] = _is_trained) -> bool:
    """Whether a node computes gradients, by its weights or by inputs that are ``needed``."""
    return is_trained(node) or any(tensor in needed for tensor in node.inputs)


def backward_macs(graph: Graph, batch: int = 1) -> list[int | None]:
    """MACs of the gradients by weights and inputs, for every node in the graph's order; None where a size is open or
    the op does not say what it costs. Forward and backward together are three times the forward pass, less what the
    first layers need not hand back."""
    needed = differentiable(graph)
    out: list[int | None] = []
    for node in graph.nodes:
        if not node.op.is_counted():
            out.append(None)
        elif not takes_part(node, needed):
            out.append(0)
        else:
            asks = tuple(tensor in needed for tensor in node.inputs)
            macs = node.count(lambda *specs, op=node.op, asks=asks: op.backward_macs(asks, *specs))
            out.append(None if macs is None else batch * macs)
    return out
