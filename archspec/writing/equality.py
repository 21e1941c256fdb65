"""Whether two graphs are one but for the names in them, and which node of the one is which of the other."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from archspec.ir.graph import Graph, Node, Tensor


def is_same(one: Graph, other: Graph) -> bool:
    """Whether ops, arguments, wiring, shapes and costs are equal. Inputs and outputs go by their order."""
    return pairs(one, other) is not None


def pairs(one: Graph, other: Graph) -> dict[str, str] | None:
    """Node of the one → the same node of the other, for all of both; None where the graphs differ."""
    ids: dict[object, int] = {}
    mine, theirs = _numbers(one, ids), _numbers(other, ids)
    ends = [[known[output.tensor] for output in graph.outputs] for graph, known in ((one, mine), (other, theirs))]
    if ends[0] != ends[1] or Counter(_of_nodes(one, mine)) != Counter(_of_nodes(other, theirs)):
        return None
    found = _paired(one, other, mine, theirs)
    return found if _is_exact(one, other, found) else None


def _of_nodes(graph: Graph, known: Mapping[Tensor, int]) -> list[int]:
    return [known[node.tensors[0]] for node in graph.nodes]


def _numbers(graph: Graph, ids: dict[object, int]) -> dict[Tensor, int]:
    """A number for every tensor, by all that it is computed from: equal ones compute the same from equal weights."""

    def number(of: object) -> int:
        return ids.setdefault(of, len(ids))

    known = {
        Tensor(name): number(("input", place, repr(spec))) for place, (name, spec) in enumerate(graph.inputs.items())
    }
    calls = Counter(node.layer for node in graph.nodes)
    for node in graph.nodes:
        taken = [known[tensor] for tensor in node.inputs]
        if node.op.computed.operands == "any order":
            taken.sort()
        computed = number(
            (
                repr(node.op.computed),
                tuple(taken),
                repr(node.outputs),
                repr(node.weights),
                node.weights and calls[node.layer],
            )
        )
        known.update((tensor, number((computed, tensor.port))) for tensor in node.tensors)
    return known


def _paired(one: Graph, other: Graph, mine: Mapping[Tensor, int], theirs: Mapping[Tensor, int]) -> dict[str, str]:
    """Nodes paired from the outputs backwards. Equal operands in any order are paired last: by then it may be known
    from elsewhere which is which, and where it is not, either will do."""
    out: dict[str, str] = {}
    todo = deque((a.tensor, b.tensor) for a, b in zip(one.outputs, other.outputs, strict=True))
    alike: deque[tuple[list[Tensor], list[Tensor]]] = deque()
    rest = reversed(one.nodes)
    taken: set[str] = set()
    by_number: dict[int, list[str]] = {}
    for node in other.nodes:
        by_number.setdefault(theirs[node.tensors[0]], []).append(node.name)
    while True:
        while todo:
            a, b = todo.popleft()
            if a.node in out or a.node not in one.by_name or b.node not in other.by_name or b.node in taken:
                continue
            out[a.node] = b.node
            taken.add(b.node)
            x, y = one.by_name[a.node], other.by_name[b.node]
            if x.op.computed.operands != "any order":
                todo.extend(zip(x.inputs, y.inputs, strict=False))
                continue
            groups: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
            for side, (inputs, known) in enumerate(((x.inputs, mine), (y.inputs, theirs))):
                for tensor in inputs:
                    groups.setdefault(known[tensor], ([], []))[side].append(tensor)
            for ours, those in groups.values():
                if len(ours) == 1:
                    todo.append((ours[0], those[0]))
                else:
                    alike.append((ours, those))
        if alike:
            ours, those = alike.popleft()
            used = {out[t.node] for t in ours if t.node in out}
            free = [t for t in those if t.node not in used and t.node not in taken]
            todo.extend(zip((t for t in ours if t.node not in out), free, strict=False))
            continue
        # What no output depends on.
        for node in rest:
            if node.name not in out:
                names = [name for name in by_number.get(mine[node.tensors[0]], []) if name not in taken]
                if names:
                    todo.append((node.tensors[0], other.by_name[names[-1]].tensors[0]))
                    break
        if not todo:
            return out


def _is_exact(one: Graph, other: Graph, found: Mapping[str, str]) -> bool:
    """Whether each node of a pair takes what the other takes, and nodes share weights where those of the other do."""
    if len(found) != len(one.nodes) or len({*found.values()}) != len(other.nodes):
        return False
    inputs = dict(zip(one.inputs, other.inputs, strict=True))
    layers = {(node.layer, other.by_name[found[node.name]].layer) for node in one.nodes if node.weights}
    if not len(layers) == len({ours for ours, _ in layers}) == len({theirs for _, theirs in layers}):
        return False

    def there(tensor: Tensor) -> Tensor:
        return Tensor(found.get(tensor.node) or inputs[tensor.node], tensor.port)

    def takes_the_same(node: Node) -> bool:
        ours, theirs = [there(t) for t in node.inputs], [*other.by_name[found[node.name]].inputs]
        return ours == theirs or (node.op.computed.operands == "any order" and Counter(ours) == Counter(theirs))

    return all(map(takes_the_same, one.nodes)) and [there(o.tensor) for o in one.outputs] == [
        o.tensor for o in other.outputs
    ]
