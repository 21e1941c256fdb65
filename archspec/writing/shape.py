"""Graph → one chain of steps, with skips as residuals and parts that run side by side as branches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from archspec.ir.graph import Graph, Tensor
from archspec.writing.prelude import with_conv_bn
from archspec.writing.step import WrittenStep, of_op


@dataclass(slots=True, eq=False)
class _Item:
    """A step with the tensors that it takes and gives."""

    step: WrittenStep
    inputs: tuple[Tensor, ...]
    output: Tensor
    ports: int = 1


def chain(graph: Graph, *, has_structures: bool = True) -> tuple[list[WrittenStep], list[str]]:
    """The steps of a graph, in an order in which each takes what is there, and what gives its outputs: nothing where
    the last step gives the only one. Names are given where they are needed; without structures, to all operands."""
    items = _items(graph)
    order = _with_structures(graph, items) if has_structures else items
    return _named(graph, order)


def _items(graph: Graph) -> list[_Item]:
    out = []
    for node in graph.nodes:
        op: Any = node.op.computed
        first = node.input_specs[0] if node.input_specs else None
        channels = first.shape[-1] if first is not None and first.shape else None
        step = of_op(op, channels if isinstance(channels, int) else None)
        out.append(_Item(step, node.inputs, Tensor(node.name), len(node.outputs)))
    return out


def _with_structures(graph: Graph, items: list[_Item]) -> list[_Item]:
    """The items with each merge of chains that begin at one tensor as one item."""
    uses = Counter(tensor for item in items for tensor in item.inputs)
    uses.update(output.tensor for output in graph.outputs)
    made: dict[Tensor, _Item] = {}
    order: dict[int, _Item] = {}
    kinds = {node.name: node.op.computed for node in graph.nodes}
    for item in items:
        made[item.output] = item
        order[id(item)] = item
        op: Any = kinds[item.output.node]
        if not op.is_merge or len(item.inputs) < 2:
            continue
        paths = [_path(tensor, made, uses) for tensor in item.inputs]
        starts = {start for start, _ in paths}
        if len(starts) > 1 or (op.operands != "ordered" and not any(path for _, path in paths)):
            continue
        (start,) = starts
        bodies = [[made[t].step for t in path] for _, path in paths]
        for _, path in paths:
            for tensor in path:
                del order[id(made[tensor])]
        uses[start] -= len(bodies) - 1
        kind = "branches"
        if len(bodies) == 2 and op.is_projectable and not all(bodies):
            kind = "residual"
            if bodies[0] and op.operands == "any order":
                bodies.reverse()
        elif len(bodies) == 2 and not bodies[0] and bodies[1]:
            kind = "residual"
        elif len(bodies) == 2 and op.operands == "any order":
            kind = "residual"
            if len(bodies[0]) > len(bodies[1]):
                bodies.reverse()
        if kind == "residual" and not bodies[1]:
            kind = "branches"
        for body in bodies:
            body[:] = with_conv_bn(body)
        merge = WrittenStep(item.step.op, item.step.args, main=item.step.main, defaults=item.step.defaults)
        first = bodies[-1][0] if bodies[-1] else item.step
        item.step = WrittenStep(kind, {}, bodies, merge, channels=first.channels)
        item.inputs = (start,)
    return list(order.values())


def _path(tensor: Tensor, made: dict[Tensor, _Item], uses: Counter[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Where the chain that gives a tensor begins, and what it goes through."""
    path: list[Tensor] = []
    while uses[tensor] == 1 and (item := made.get(tensor)) and len(item.inputs) == 1 and item.ports == 1:
        path.append(tensor)
        tensor = item.inputs[0]
    return tensor, path[::-1]


def _named(graph: Graph, items: list[_Item]) -> tuple[list[WrittenStep], list[str]]:
    """Steps in order: what is not taken by the next one alone gets a name."""
    names: dict[str, str] = {name: name for name in graph.inputs}
    order = {item.output.node: k for k, item in enumerate(items)}
    bundles = {item.output.node for item in items if item.ports > 1}
    wanted: set[str] = set()
    last = next(iter(graph.inputs)) if len(graph.inputs) == 1 else ""
    plan: list[tuple[_Item, list[Tensor] | None]] = []
    for item in items:
        if last and item.inputs == (Tensor(last),):
            plan.append((item, None))
        else:
            plan.append((item, list(item.inputs)))
            wanted.update(tensor.node for tensor in item.inputs if tensor.node in order and tensor != Tensor(last))
        last = "" if item.ports > 1 else item.output.node
    is_last = [output.tensor for output in graph.outputs] == [Tensor(last)]
    if not is_last:
        wanted.update(output.tensor.node for output in graph.outputs)
    steps: list[WrittenStep] = []
    before = ""
    for item, taken in plan:
        step = item.step
        if taken is not None:
            step.taken = ["prev" if t == Tensor(before) else _reference(t, names, bundles) for t in taken]
        if item.output.node in wanted:
            step.name = names[item.output.node] = _free(f"x{len(names)}", names)
        steps.append(step)
        before = "" if item.ports > 1 else item.output.node
    ends = [] if is_last else [_reference(output.tensor, names, bundles) for output in graph.outputs]
    return with_conv_bn(steps), ends


def _free(name: str, names: dict[str, str]) -> str:
    while name in names.values():
        name += "_"
    return name


def _reference(tensor: Tensor, names: dict[str, str], bundles: set[str]) -> str:
    name = names[tensor.node]
    return f"{name}[{tensor.port}]" if tensor.node in bundles else name
