"""Graph → one chain of steps, with skips as residuals and parts that run side by side as branches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archspec.ir.graph import Graph, Tensor
from archspec.writing.prelude import with_conv_bn
from archspec.writing.regions import GraphPart, items_of
from archspec.writing.step import STRUCTURES, WrittenStep, of_op


class UnsaidItems(ValueError):
    """A graph in which an op is done for every item with something that is the same for all of them."""


@dataclass(slots=True, eq=False)
class _Item:
    """A step with the tensors that it takes and gives. ``op`` is None for a part of the graph that is one step.
    ``words`` are what several results go by, where numbers do not."""

    step: WrittenStep
    inputs: tuple[Tensor, ...]
    output: Tensor
    ports: int
    op: Any
    words: tuple[str, ...] = ()


def chain(
    graph: Graph, networks: Sequence[GraphPart] = (), names: set[str] | None = None, *, has_structures: bool = True
) -> tuple[list[WrittenStep], list[str]]:
    """The steps of a graph, in an order in which each takes what is there, and what gives its outputs: nothing where
    the last step gives the only one. Names are given where they are needed; without structures, to all operands.

    ``networks`` are the calls of networks, and ``names`` those that are given elsewhere. Raises UnsaidItems.
    """
    names = set() if names is None else names
    items = _items(graph, networks, names, has_structures)
    order = _with_structures(graph, items) if has_structures else items
    return _named(graph, order, names)


def _items(graph: Graph, networks: Sequence[GraphPart], names: set[str], has_structures: bool) -> list[_Item]:
    within = {node.name for region in networks for node in region.nodes}
    each = items_of(graph, [node for node in graph.nodes if node.name not in within])
    if each is None:
        raise UnsaidItems("an op takes what is the same for every item")
    parts = {node.name: region for region in (*networks, *each) for node in region.nodes}
    out = []
    for node in graph.nodes:
        region = parts.get(node.name)
        if region is not None and region.last is not node:
            continue
        first = node.input_specs[0] if node.input_specs else None
        inputs = node.inputs
        if region is not None and (region.network is not None or len(region.nodes) > 1):
            first, inputs = graph.spec(region.taken[0]), region.taken
        channels = first.shape[-1] if first is not None and first.shape else None
        channels = channels if isinstance(channels, int) else None
        if region is None:
            step = of_op(node.op.computed, channels)  # type: ignore[arg-type]
        elif region.network is not None:
            step = WrittenStep(region.network, channels=channels)
        elif len(region.nodes) > 1:
            body, _ = chain(region.body(graph, ["item"]), (), names, has_structures=has_structures)
            step = _each(body, channels)
        else:
            step = _of_items(node.op, channels)
        op = None if region is not None else node.op.computed
        out.append(_Item(step, inputs, Tensor(node.name), len(node.outputs), op, node.op.result_names))
    return out


def _of_items(op: Any, channels: int | None) -> WrittenStep:
    """The step of one op that is done for every item, of items of items too."""
    inner = op.op
    return _each(
        [of_op(inner, channels) if hasattr(type(inner), "model_fields") else _of_items(inner, channels)], channels
    )


def _each(body: list[WrittenStep], channels: int | None) -> WrittenStep:
    """Steps that are done for every item, as one."""
    if len(body) == 1 and not body[0].is_each and body[0].op not in STRUCTURES:
        body[0].is_each = True
        return body[0]
    return WrittenStep("do", {}, [body], channels=channels, is_each=True)


def _with_structures(graph: Graph, items: list[_Item]) -> list[_Item]:
    """The items with each merge of chains that begin at one tensor as one item."""
    uses = Counter(tensor for item in items for tensor in item.inputs)
    uses.update(output.tensor for output in graph.outputs)
    made: dict[Tensor, _Item] = {}
    order: dict[int, _Item] = {}
    for item in items:
        made[item.output] = item
        order[id(item)] = item
        op = item.op
        if op is None or not op.is_merge or len(item.inputs) < 2:
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


def _named(graph: Graph, items: list[_Item], given: set[str]) -> tuple[list[WrittenStep], list[str]]:
    """Steps in order: what is not taken by the next one alone gets a name."""
    names: dict[str, str] = {name: name for name in graph.inputs}
    order = {item.output.node: k for k, item in enumerate(items)}
    bundles = {item.output.node: item.words for item in items if item.ports > 1}
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
            step.name = names[item.output.node] = _free(f"x{len(names)}", {*names.values(), *given})
            given.add(names[item.output.node])
        steps.append(step)
        before = "" if item.ports > 1 else item.output.node
    ends = [] if is_last else [_reference(output.tensor, names, bundles) for output in graph.outputs]
    return with_conv_bn(steps), ends


def _free(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    return name


def _reference(tensor: Tensor, names: dict[str, str], bundles: dict[str, tuple[str, ...]]) -> str:
    name, words = names[tensor.node], bundles.get(tensor.node)
    if words is None:
        return name
    return f"{name}.{words[tensor.port]}" if words else f"{name}[{tensor.port}]"
