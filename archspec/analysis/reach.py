"""How far networks read: what a position of a tensor depends on, along an axis of an input.

The rules are the ops' own (``Op.reach``); here they are composed over a graph. A receptive field is ``before + after +
1`` positions, ``stride`` of them from one output to the next.
"""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.graph import Graph, Node, Tensor
from archspec.ops.base import Op
from archspec.ops.reach import EVERYTHING, POINT, Reach, is_read


def reaches(graph: Graph, start: str, axis: int = 0) -> dict[Tensor, Reach]:
    """What a position of each tensor that depends on input ``start`` reads of it along ``axis``, which stands where it
    stood; everything where an op reads more than a window, or moves the axis."""
    found = {Tensor(start): POINT}
    for node in graph.nodes:
        found.update(_read(node, axis, found))
    return found


def _read(node: Node, axis: int, found: dict[Tensor, Reach]) -> Iterator[tuple[Tensor, Reach]]:
    """The same for the outputs of a node; none where nothing of the input reaches it."""
    taken = [found.get(tensor) for tensor in node.inputs]
    op = node.op
    rules = op.reach(*node.input_specs) if isinstance(op, Op) else (None,) * len(taken)
    total: Reach | None = None
    for inner, axes in zip(taken, rules, strict=True):
        if inner is None or not is_read(axes):
            continue
        outer = EVERYTHING if axes is None or axis >= len(axes) else axes[axis]
        way = outer.of(inner)
        total = way if total is None else total.joined(way)
    if total is None:
        return
    for tensor, spec in zip(node.tensors, node.outputs, strict=True):
        yield tensor, total if spec.rank == node.output.rank else EVERYTHING


def is_causal(reach: Reach) -> bool:
    """Whether a position depends on no later one."""
    return reach.after <= 0 and reach.stride == 1


def non_causal_nodes(graph: Graph, start: str) -> Iterator[Node]:
    """Nodes by which an output of the graph sees later steps of input ``start`` than its own, the first of them first;
    what a network later puts back in its place (a margin before, windows after it) is none."""
    found = reaches(graph, start)
    if all(is_causal(found[o.tensor]) for o in graph.outputs if o.tensor in found):
        return
    for node in graph.nodes:
        if any(not is_causal(found[t]) for t in node.tensors if t in found):
            yield node
