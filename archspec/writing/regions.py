"""Parts of a graph that are one step: calls of a network, whose layers share weights, and what is done for every item.

A part has one node that others take results of. Calls of one network have the same ops, wired in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from archspec.ir.graph import Graph, Node, Output, Tensor
from archspec.ops.per_item import PerItem, one_of

MEETING = 6
"""Steps that there may be behind the last layers of a network until what they give meets."""


@dataclass(frozen=True, slots=True, eq=False)
class GraphPart:
    """Nodes of a graph, what they take from outside in the order in which they do, and the node that gives the result.
    ``network`` is the name of the network that it is a call of, None where it is done for every item."""

    nodes: tuple[Node, ...]
    taken: tuple[Tensor, ...]
    last: Node
    network: str | None = None

    def body(self, graph: Graph, names: Sequence[str]) -> Graph:
        """It as a graph, with inputs of these names; that of one item where it is done for every item."""
        known = {tensor: Tensor(name) for tensor, name in zip(self.taken, names, strict=True)}
        specs = map(graph.spec, self.taken)
        nodes = [replace(node, inputs=tuple(known.get(t, t) for t in node.inputs)) for node in self.nodes]
        if self.network is None:
            specs, nodes = map(one_of, specs), list(map(_of_item, nodes))
        output = Output("output", Tensor(self.last.name))
        return Graph(graph.name, dict(zip(names, specs, strict=True)), tuple(nodes), (output,))


def _of_item(node: Node) -> Node:
    """What a node does for one item."""
    op: Any = node.op
    return replace(node, op=op.op, input_specs=op.of_item(node.input_specs), outputs=tuple(map(one_of, node.outputs)))


class _Wiring:
    """Who takes what of a graph."""

    def __init__(self, graph: Graph):
        self.nodes = graph.by_name
        self.place = {node.name: place for place, node in enumerate(graph.nodes)}
        self.takers: dict[str, list[Node | None]] = {name: [] for name in (*graph.inputs, *self.nodes)}
        for node in graph.nodes:
            for name in dict.fromkeys(tensor.node for tensor in node.inputs):
                self.takers[name].append(node)
        for output in graph.outputs:
            self.takers[output.tensor.node].append(None)

    def ends(self, names: set[str]) -> list[str]:
        """Those of these nodes of which others take results, or that give outputs."""
        return [name for name in names if any(t is None or t.name not in names for t in self.takers[name])]

    def region(self, names: set[str], network: str | None) -> GraphPart | None:
        """The region of these nodes; None where several of them give results, or one gives none."""
        ends = self.ends(names)
        if len(ends) != 1:
            return None
        order: list[Node] = []
        taken: dict[Tensor, None] = {}
        seen: set[str] = set()
        todo = [(Tensor(ends[0]), False)]
        while todo:
            tensor, is_done = todo.pop()
            if tensor.node not in names:
                taken.setdefault(tensor)
            elif is_done:
                order.append(self.nodes[tensor.node])
            elif tensor.node not in seen:
                seen.add(tensor.node)
                todo.append((tensor, True))
                todo.extend((t, False) for t in reversed(self.nodes[tensor.node].inputs))
        return GraphPart(tuple(order), tuple(taken), self.nodes[ends[0]], network) if seen == names else None

    def one_taker(self, name: str) -> Node | None:
        """The only node that takes results of a node or input, and takes nothing else; None where there is none."""
        takers = self.takers[name]
        node = takers[0] if len(takers) == 1 else None
        return node if node is not None and len(node.inputs) == 1 else None


class SharedOtherwise(ValueError):
    """Nodes of one layer that do not compute the same; ``layer`` is its name."""

    def __init__(self, layer: str):
        self.layer = layer
        super().__init__(f"the calls of {layer!r}, which share its weights, do not compute the same")


def networks_of(graph: Graph) -> list[list[GraphPart]]:
    """The calls of each network that a graph must have: of every layer with weights that several nodes are. Raises
    SharedOtherwise."""
    calls: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.weights:
            calls.setdefault(node.layer, []).append(node.name)
    calls = {layer: names for layer, names in calls.items() if len(names) > 1}
    wiring, used = _Wiring(graph), set[str]()
    found: list[list[GraphPart]] = []
    links = _links(graph, calls)
    todo = [(layers, 1) for layers in _together(calls, links[0])]
    while todo:
        layers, level = todo.pop(0)
        made = _calls(wiring, [calls[layer] for layer in layers], f"net{len(found) + 1}", used)
        if made is not None:
            found.append(made)
            used.update(node.name for region in made for node in region.nodes)
        elif len(layers) > 1:
            todo = [(part, level + 1) for part in _together(layers, links[level])] + todo
        else:
            raise SharedOtherwise(layers[0])
    return found


Link = tuple[str, str]
"""Layers of which each call of one has to do with the same call of the other."""


def _links(graph: Graph, calls: dict[str, list[str]]) -> tuple[set[Link], set[Link], set[Link]]:
    """Layers that may be of one network: where what the calls give meets before anything else with weights takes it,
    or one takes what the other gives; where one takes what the other gives; none."""
    turn = {name: (layer, k) for layer, names in calls.items() for k, name in enumerate(names)}
    behind: dict[str, frozenset[str]] = {name: frozenset() for name in graph.inputs}
    counts: tuple[Counter[Link], Counter[Link]] = Counter(), Counter()
    seen: set[tuple[int, str, str]] = set()
    for node in graph.nodes:
        found = frozenset[str]().union(*(behind[tensor.node] for tensor in node.inputs))
        behind[node.name] = frozenset((node.name,)) if node.weights else found
        own = [(node.name, name) for name in found] if node.name in turn else []
        for kind, pairs in enumerate((combinations(sorted(found & turn.keys()), 2), own)):
            for one, other in pairs:
                if one not in turn or other not in turn:
                    continue
                (layer, k), (last, at) = turn[one], turn[other]
                if k == at and layer != last and (kind, one, other) not in seen:
                    seen.add((kind, one, other))
                    counts[kind][min(layer, last), max(layer, last)] += 1
    meet, take = (
        {link for link, count in c.items() if count == len(calls[link[0]]) == len(calls[link[1]])} for c in counts
    )
    return meet | take, take, set()


def _together(layers: Iterable[str], links: set[Link]) -> list[list[str]]:
    """Layers in groups that links connect."""
    group = {layer: [layer] for layer in layers}
    for one, other in sorted(links):
        if one in group and other in group and group[one] is not group[other]:
            group[one] += group[other]
            for moved in group[other]:
                group[moved] = group[one]
    return list({id(part): part for part in group.values()}.values())


def _calls(wiring: _Wiring, calls: list[list[str]], name: str, used: set[str]) -> list[GraphPart] | None:
    """The regions of the calls of a network that has these layers; None where they are not alike."""
    regions = []
    for core in (set(names) for names in zip(*calls, strict=True)):
        within = _between(wiring, core)
        within = within and _to_one_end(wiring, within, used)
        if not within or within & used or (region := wiring.region(within, name)) is None:
            return None
        regions.append(region)
    if not _are_alike(regions):
        return None
    while (wider := _wider(wiring, regions, name, used)) is not None:
        regions = wider
    return regions


def _between(wiring: _Wiring, core: set[str]) -> set[str] | None:
    """The nodes on ways from one of these to another; None where one of them has weights of its own."""
    order = sorted(core, key=wiring.place.__getitem__)
    last = wiring.place[order[-1]]
    after = set(order)
    todo = list(order)
    while todo:
        for node in wiring.takers[todo.pop()]:
            if node is not None and node.name not in after and wiring.place[node.name] < last:
                after.add(node.name)
                todo.append(node.name)
    found, todo = set(order), list(order)
    while todo:
        for tensor in wiring.nodes[todo.pop()].inputs:
            if tensor.node in after and tensor.node not in found:
                if wiring.nodes[tensor.node].weights:
                    return None
                found.add(tensor.node)
                todo.append(tensor.node)
    return found


def _to_one_end(wiring: _Wiring, names: set[str], used: set[str]) -> set[str] | None:
    """The nodes with those without weights behind them until what they give meets in one; None where it does not."""
    for _ in range(MEETING):
        ends = wiring.ends(names)
        if len(ends) == 1:
            return names
        takers = [node for name in ends for node in wiring.takers[name] if node is None or node.name not in names]
        if any(node is None or node.weights or node.name in used for node in takers):
            return None
        names = names | {node.name for node in takers if node is not None}
    return None


def _are_alike(regions: list[GraphPart]) -> bool:
    return len({_key(region) for region in regions}) == 1


def _key(region: GraphPart) -> Any:
    """What a region computes with its own weights, whatever the sizes of what it takes."""
    places = {node.name: place for place, node in enumerate(region.nodes)}

    def said(tensor: Tensor) -> tuple[bool, int, int]:
        inner = places.get(tensor.node)
        return (True, inner, tensor.port) if inner is not None else (False, region.taken.index(tensor), 0)

    return tuple(
        (repr(node.op.computed), node.layer if node.weights else "", len(node.outputs), tuple(map(said, node.inputs)))
        for node in region.nodes
    )


def _wider(wiring: _Wiring, regions: list[GraphPart], name: str, used: set[str]) -> list[GraphPart] | None:
    """The regions with the step behind or before all of them, where it is the same without weights; None for none."""
    own = {node.name for region in regions for node in region.nodes} | used
    behind = [wiring.one_taker(region.last.name) for region in regions]
    before = [wiring.nodes.get(region.taken[0].node) if len(region.taken) == 1 else None for region in regions]
    before = [
        node if node is not None and all(t in region.nodes for t in wiring.takers[node.name]) else None
        for node, region in zip(before, regions, strict=True)
    ]
    for beside in (behind, before):
        names = {node.name for node in beside if node is not None}
        if len(names) < len(regions) or names & own or any(n is None or n.weights or not n.inputs for n in beside):
            continue
        made = [
            wiring.region({*(n.name for n in region.nodes), node.name}, name)
            for region, node in zip(regions, beside, strict=True)
            if node is not None
        ]
        wider = [region for region in made if region is not None]
        if len(wider) == len(regions) and _are_alike(wider):
            return wider
    return None


def items_of(graph: Graph, nodes: Iterable[Node]) -> list[GraphPart] | None:
    """Nodes that are done for every item, those that follow each other together. None where one takes something whole
    beside its items."""
    wiring = _Wiring(graph)
    done = [node for node in nodes if isinstance(node.op, PerItem)]
    ops: list[Any] = [node.op for node in done]
    if not all(all(op.is_split) for op in ops):
        return None
    group: dict[str, set[str]] = {}
    for node in done:
        own = {node.name}
        for tensor in node.inputs:
            if (other := group.get(tensor.node)) is not None and other is not own:
                other |= own
                own = other
        for name in own:
            group[name] = own
    out = []
    for names in {id(names): names for names in group.values()}.values():
        whole = wiring.region(names, None)
        if whole is not None and len(whole.taken) == 1:
            out.append(whole)
            continue
        for name in names:
            one = wiring.region({name}, None)
            assert one is not None
            out.append(one)
    return out
