"""What changed from one graph to another, node by node.

Nodes are the same that stand at one path with one op. Of those that are left between two such, the longest common
sequence of equal ops with equal shapes are renamed, which is no change; then that of ops of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from archspec.ir.graph import Graph, Node
from archspec.ops.per_item import alone


class Change(NamedTuple):
    """A node before and after; None where it was added or taken away. ``arguments`` are those of the op that differ,
    by name, with both values; ``inputs`` what it was and is applied to, where that are other nodes that stayed."""

    before: Node | None
    after: Node | None
    arguments: dict[str, tuple[Any, Any]]
    inputs: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


class Difference(NamedTuple):
    """What changed, in the order of the new graph with what was taken away where it stood; and what only got another
    name, before and after."""

    changes: tuple[Change, ...]
    renamed: tuple[tuple[str, str], ...]


def difference(before: Graph, after: Graph) -> Difference:
    """All that differs between two graphs but names."""
    old, new = before.nodes, after.nodes
    pairs = _paired(old, new, lambda node: (node.name, node.op.name))
    for key in (_same, lambda node: node.op.name):
        pairs = _between(old, new, pairs, key)
    by_new = {j: i for i, j in pairs}
    # Who is who: inputs of the graphs by their names, nodes as they are paired.
    called = {name: name for name in before.inputs if name in after.inputs}
    called |= {old[i].name: new[j].name for i, j in pairs}
    changes: list[Change] = []
    renamed: list[tuple[str, str]] = []
    left = sorted(set(range(len(old))) - {i for i, _ in pairs})
    for j, node in enumerate(new):
        i = by_new.get(j)
        if i is None:
            changes.append(Change(None, node, {}))
            continue
        while left and left[0] < i:
            changes.append(Change(old[left.pop(0)], None, {}))
        if old[i].name != node.name:
            renamed.append((old[i].name, node.name))
        inputs = _rewired(old[i], node, called)
        if inputs or _same(old[i]) != _same(node):
            changes.append(Change(old[i], node, _arguments(old[i].op, node.op), inputs))
    changes += [Change(old[i], None, {}) for i in left]
    return Difference(tuple(changes), tuple(renamed))


def _paired(
    old: tuple[Node, ...], new: tuple[Node, ...], key: Callable[[Node], Hashable], offsets: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """Positions of the longest common sequence by a key."""
    matcher = SequenceMatcher(None, [key(n) for n in old], [key(n) for n in new], autojunk=False)
    return [
        (offsets[0] + a + k, offsets[1] + b + k) for a, b, size in matcher.get_matching_blocks() for k in range(size)
    ]


def _between(
    old: tuple[Node, ...], new: tuple[Node, ...], pairs: list[tuple[int, int]], key: Callable[[Node], Hashable]
) -> list[tuple[int, int]]:
    """The pairs, with those among what is left between them."""
    out: list[tuple[int, int]] = []
    a = b = 0
    for i, j in [*pairs, (len(old), len(new))]:
        if i > a and j > b:
            out += _paired(old[a:i], new[b:j], key, (a, b))
        if i < len(old):
            out.append((i, j))
        a, b = i + 1, j + 1
    return out


def _rewired(before: Node, after: Node, called: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Inputs before and after that are not each other, though both are in both graphs: what was put between, or taken
    from between, is told as such."""
    stayed = set(called.values())
    return tuple(
        (str(a), str(b))
        for a, b in zip(before.inputs, after.inputs, strict=False)
        if a.node in called and b.node in stayed and (called[a.node], a.port) != (b.node, b.port)
    )


def _same(node: Node) -> Hashable:
    """All of a node but its name and what it is applied to."""
    return repr(node.op), node.input_specs, node.outputs


def _arguments(before: object, after: object) -> dict[str, tuple[Any, Any]]:
    before, after = alone(before), alone(after)
    if type(before) is not type(after):
        return {}
    names = dict.fromkeys((*type(before).model_fields, *(before.model_extra or ()), *(after.model_extra or ())))
    values = ((name, getattr(before, name, None), getattr(after, name, None)) for name in names)
    return {name: (old, new) for name, old, new in values if old != new}
