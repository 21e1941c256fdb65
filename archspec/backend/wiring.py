"""Which layer of one network is which of another, told by how they are wired and by the shapes of their arrays.

Both networks are walked from their outputs back to their inputs in an order that depends on nothing but the wiring:
concatenations keep the order of their operands, sums and products sort theirs by what stands behind them, and whatever
has one input and no arrays (activations, padding, flatten) is looked through. Names and the order of writing play no
part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeVar

from archspec.ir.graph import Graph

Port = tuple[str, int]
T = TypeVar("T")
WHICH = "; state in rules which layer is which\n  names: {layer of the file: layer of the spec}"


class WeightsError(Exception):
    """Weights that do not fit a spec, or fit in more than one way; or a file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One call of a layer. ``arrays`` tells apart what the layer holds; None if it holds nothing."""

    name: str
    layer: str
    inputs: tuple[Port, ...]
    arrays: Hashable = None
    operands: Literal["ordered", "any order", "nested"] = "ordered"
    """What the order of the inputs means, as an op says it."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The calls in topological order, the names of the inputs, and the outputs."""

    vertices: tuple[Vertex, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, graph: Graph) -> Wiring:
        """The wiring of a graph; ``arrays`` are the shapes of its weights."""
        vertices = []
        for node in graph.nodes:
            op = node.op
            arrays = tuple(w.shape for w in node.weights) or None
            taken = without_repeats(tuple((t.node, t.port) for t in node.inputs)) if arrays else node.inputs
            vertices.append(Vertex(node.name, node.layer, tuple((n, port) for n, port in taken), arrays, op.operands))
        return cls(tuple(vertices), tuple(graph.inputs), tuple((o.tensor.node, o.tensor.port) for o in graph.outputs))

    def by_axes(self) -> Wiring:
        """The same with how many axes arrays have for their shapes."""
        return replace(
            self,
            vertices=tuple(
                replace(v, arrays=tuple(map(len, v.arrays))) if isinstance(v.arrays, tuple) else v
                for v in self.vertices
            ),
        )


def marked(wiring: Wiring, marks: Mapping[str, Hashable]) -> Wiring:
    """The same where the arrays of some layers are those of one that is known, by its mark."""
    return replace(
        wiring,
        vertices=tuple(
            replace(v, arrays=(v.arrays, marks[v.layer])) if v.arrays and v.layer in marks else v
            for v in wiring.vertices
        ),
    )


def without_repeats(inputs: tuple[T, ...]) -> tuple[T, ...]:
    """What a layer takes, as one that takes the last for what is not given: queries that are values, values that are
    keys."""
    while len(inputs) > 1 and inputs[-1] == inputs[-2]:
        inputs = inputs[:-1]
    return inputs


def match_graphs(source: Wiring, target: Wiring) -> dict[str, str]:
    """Target layer → source layer, for all layers that hold arrays. Raises WeightsError."""
    _compare_arrays(source, target)
    numbers: dict[Hashable, int] = {}
    walks = _Walk(source, numbers), _Walk(target, numbers)
    pairs: dict[str, str] = {}
    back: dict[str, str] = {}
    rounds = [tuple(walk.layers()) for walk in walks]
    for s, t in zip(*rounds, strict=False):
        if walks[0].number[s.name, 0] != walks[1].number[t.name, 0]:
            raise WeightsError(
                f"the networks are wired differently from {s.layer!r} of the source and {t.layer!r} of the spec on"
            )
        if pairs.setdefault(t.layer, s.layer) != s.layer or back.setdefault(s.layer, t.layer) != t.layer:
            raise WeightsError(f"{s.layer!r} of the source and {t.layer!r} of the spec are shared by different calls")
    lost = {v.layer for v in source.vertices if v.arrays} - set(back)
    if lost or len(rounds[0]) != len(rounds[1]):
        raise WeightsError(f"not on the way to an output: {', '.join(sorted(lost)[:8]) or 'some calls'}")
    # Once more with every layer told apart: equal numbers now mean that the pairs are a true correspondence.
    numbers = {}
    ends = []
    for wiring, names in ((source, back), (target, {t: t for t in pairs})):
        walk = _Walk(wiring, numbers, names)
        ends.append([walk.number[port] for port in wiring.outputs])
    if ends[0] != ends[1]:
        raise WeightsError(f"the wiring fits in more than one way{WHICH}")
    return pairs


def _compare_arrays(source: Wiring, target: Wiring) -> None:
    """Raises WeightsError where one side has arrays that the other lacks."""
    found, wanted = ({v.layer: v.arrays for v in wiring.vertices if v.arrays} for wiring in (source, target))
    surplus, missing = Counter(found.values()), Counter(wanted.values())
    surplus, missing = surplus - missing, missing - surplus
    says = []
    for what, rest, layers in (("the source has", surplus, found), ("the spec has", missing, wanted)):
        if names := [f"{name} {arrays}" for name, arrays in layers.items() if arrays in rest]:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            says.append(f"{what} {', '.join(names[:4])}{more}")
    if says:
        raise WeightsError("the layers differ in shape: " + "; ".join(says))


class _Walk:
    """One network under numbers that are equal where what stands behind a tensor is equal."""

    def __init__(self, wiring: Wiring, numbers: dict[Hashable, int], names: dict[str, str] | None = None):
        self.wiring, self.numbers, self.names = wiring, numbers, names
        self.number: dict[Port, int] = {}
        self.seen_through: dict[Port, Port] = {}
        self.operands: dict[str, tuple[Port, ...]] = {}
        self.vertices = {v.name: v for v in wiring.vertices}
        for position, name in enumerate(wiring.inputs):
            self.number[name, 0] = self._numbered(("input", position))
            self.seen_through[name, 0] = (name, 0)
        for vertex in wiring.vertices:
            self._add(vertex)
        for name, port in wiring.outputs:
            self._port(name, port)

    def _numbered(self, key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _port(self, name: str, port: int) -> Port:
        """The port that ``name:port`` is when looked through; its number is known afterwards."""
        if (name, port) not in self.number:
            self.number[name, port] = self._numbered(("port", port, self.number[name, 0]))
            self.seen_through[name, port] = (name, port)
        return self.seen_through[name, port]

    def _add(self, vertex: Vertex) -> None:
        here = (vertex.name, 0)
        through = tuple(self._port(*port) for port in vertex.inputs)
        if vertex.arrays is None and len(through) == 1:
            self.number[here], self.seen_through[here] = self.number[through[0]], through[0]
            self.operands[vertex.name] = through
            return
        if vertex.operands != "ordered":
            through = tuple(self._unnested(vertex, through))
        self.operands[vertex.name] = through
        behind = [self.number[port] for port in through]
        if vertex.operands == "any order":
            behind.sort()
        kind = vertex.operands if vertex.arrays is None else self.names[vertex.layer] if self.names else vertex.arrays
        self.number[here] = self._numbered((kind, vertex.arrays is None, *behind))
        self.seen_through[here] = here

    def _unnested(self, vertex: Vertex, through: tuple[Port, ...]) -> Iterator[Port]:
        """Sums of sums as one sum; a step in between keeps them apart."""
        for written, port in zip(vertex.inputs, through, strict=True):
            inner = self.vertices.get(port[0])
            if written == port and inner and inner.arrays is None and inner.operands == vertex.operands:
                yield from self.operands[port[0]]
            else:
                yield port

    def layers(self) -> Iterator[Vertex]:
        """The calls that hold arrays, inputs before users. Raises WeightsError where operands can be swapped."""
        done: set[str] = set()
        stack: list[tuple[str, bool]] = [(name, False) for name, _ in reversed(self.wiring.outputs)]
        while stack:
            name, entered = stack.pop()
            vertex = self.vertices.get(name)
            if vertex is None or name in done:
                continue
            if entered:
                done.add(name)
                if vertex.arrays is not None:
                    yield vertex
                continue
            stack.append((name, True))
            operands = self.operands[name]
            if vertex.operands == "any order" and len(operands) > 1:
                operands = tuple(sorted(operands, key=self.number.__getitem__))
                for a, b in pairwise(operands):
                    if self.number[a] == self.number[b] and a != b and not {a[0], b[0]} <= done:
                        raise WeightsError(
                            f"{a[0]!r} and {b[0]!r} are alike in shape and wiring: either could be either" + WHICH
                        )
            stack.extend((operand, False) for operand, _ in reversed(operands))
