"""Calls that were made before: the nodes of a block are copied where its arguments and the shapes of its inputs recur.

A call is a function of its block, its arguments and its inputs' shapes; where it stands changes no more than the names
of its nodes and the tensors that it is applied to. What else a call may depend on is noticed as it happens (ports of an
input, members of a family around it), and such a call is made anew each time.

What a call made is kept for later elaborations of the same text, too, with the parameters of its file that were read on
the way: it is taken where those have the same values, as they mostly have in the members of a family.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from archspec.frontend.expressions import Indexable
from archspec.frontend.scope import Bundle, StepResult
from archspec.frontend.trace import Executed, Trace
from archspec.frontend.walk import Callee, FileContext, Walk
from archspec.ir.graph import Node, Tensor

MOST_NODES = 10_000
"""Nodes of calls that are kept for a text; beyond, all are forgotten."""
MOST_PLACES = 64
"""Places at which the nodes of a call are kept."""


class Watched(StepResult):
    """An input of a block, which tells the walk where more of it is used than its tensor and its shape."""

    __slots__ = ("walk",)

    def __init__(self, given: StepResult, walk: Walk):
        super().__init__(given.tensor, given.spec, given.ports)
        self.family, self.walk = given.family, walk

    def attribute(self, name: str) -> Any:
        """As of any result."""
        if name in self.ports:
            self.walk.entangled += 1
        return super().attribute(name)

    def item(self, index: object) -> Any:
        """As of any result."""
        self.walk.entangled += 1
        return super().item(index)


class BlockCall:
    """One call of a block, from before its body is looked at: ``again`` what an equal one gave, or ``keep`` it."""

    def __init__(self, walk: Walk, callee: Callee, params: Mapping[str, Any], inputs: Mapping[str, Any], path: str):
        self.walk, self.callee, self.path = walk, callee, path
        self._inputs = inputs
        self._tensors: list[Tensor] = []
        self.params = params
        self.key: Hashable = None
        self.kept: Hashable = None
        if walk.network is None and callee.network is None and path:
            self._identify(callee, params, inputs)
        self._before = (len(walk.nodes), walk.told, walk.entangled, walk.steps, walk.foreign)
        self._traced = None if walk.trace is None else walk.trace.mark()
        self._heights = (walk.depth, walk.deepest, len(walk.calls), walk.most_calls)
        walk.deepest, walk.most_calls = walk.depth, len(walk.calls)
        # What is read and called from here on is this call's; it is the calls' around it as well, once it has ended.
        self._constants = callee.file.params
        self._outer_read, self._constants.read = self._constants.read, set()
        self._outer_called, walk.called = walk.called, set()

    def end(self) -> None:
        """The call has ended, in whatever way."""
        walk = self.walk
        self._outer_read |= self._constants.read
        self._constants.read = self._outer_read
        self._outer_called |= walk.called
        walk.called = self._outer_called
        walk.deepest, walk.most_calls = max(self._heights[1], walk.deepest), max(self._heights[3], walk.most_calls)

    def _identify(self, callee: Callee, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        # A subclass of Result is an input of a block around this one: what it tells the walk concerns both.
        for value in inputs.values():
            if not isinstance(value, StepResult):
                return
        tensors = [value.tensor for value in inputs.values()]
        try:
            values = tuple([_frozen(value) for value in params.values()])
        except TypeError:
            return
        self._values = values
        # Inputs that are one tensor here and two there would not be told apart in the nodes.
        same = tuple([tensors.index(tensor) for tensor in tensors])
        self._given = (tuple([v.spec for v in inputs.values()]), same)
        self.key = (id(callee.block), id(callee.file), values, self._given)
        self._tensors = tensors

    @property
    def watched(self) -> dict[str, StepResult]:
        """The inputs, as the body is to see them; none where what it does with them is of no interest."""
        return {} if self.key is None else {name: Watched(value, self.walk) for name, value in self._inputs.items()}

    def again(self) -> Any:
        """The result of an equal call before, with nodes of its own; None where there was none."""
        walk = self.walk
        if self.key is None:
            return None
        made = walk.made.get(self.key)
        if made is None:
            made = self._of_before()
        if made is None or not made.is_apart():
            return None
        placed = made.placed(self.path, self._tensors)
        if not made.fits(walk, placed):
            return None
        self._constants.read.update(made.read)
        walk.called |= made.called
        depth, calls = made.heights
        walk.deepest, walk.most_calls = walk.depth + depth, len(walk.calls) + calls
        walk.made[self.key] = made
        return made.copy(walk, self.path, self._tensors, placed)

    def _of_before(self) -> Made | None:
        """What an equal call made in an elaboration before this one; with its executions, where they are traced."""
        file = self.callee.file
        try:
            self.kept = (id(self.callee.block), _portable(self._values, file, self.walk), self._given)
        except TypeError:
            return None
        for read, members in file.document.made.get(self.kept, {}).items():
            try:
                made: Made | None = members.get(_read(read, file, self.walk))
            except TypeError:
                continue
            if made is not None and (made.is_traced or self.walk.trace is None):
                return made
        return None

    def keep(self, result: object) -> None:
        """Remember what the call gave, if it depended on nothing but what tells it apart."""
        walk = self.walk
        nodes, told, entangled, steps, foreign = self._before
        heights = (walk.deepest - self._heights[0], walk.most_calls - self._heights[2])
        if self.key is None or walk.told != told or walk.entangled != entangled:
            return
        traced = None
        if self._traced is not None:
            assert walk.trace is not None
            traced = Traced(walk.trace, self._traced, walk.trace.mark(), nodes)
        made = Made(walk.nodes[nodes:], self.path, self._tensors, result, traced)
        made.steps, made.heights, made.callee = walk.steps - steps, heights, self.callee
        made.called = frozenset(walk.called)
        made.read = tuple(sorted(self._constants.read))
        walk.made[self.key] = made
        if self.kept is not None and walk.foreign == foreign:
            self._keep_for_later(made)

    def _keep_for_later(self, made: Made) -> None:
        file = self.callee.file
        try:
            values = _read(made.read, file, self.walk)
        except TypeError:
            return
        document = file.document
        document.made_nodes += made.size + 1
        if document.made_nodes > MOST_NODES:
            document.made.clear()
            document.made_nodes = 0
        document.made.setdefault(self.kept, {}).setdefault(made.read, {})[values] = made


def _read(names: Iterable[str], file: FileContext, walk: Walk) -> Hashable:
    """What parameters of a file are, as they would be in every elaboration of its text. Raises TypeError where one
    belongs to this."""
    peek = file.params.peek
    return _portable([_frozen(peek(name)) for name in names], file, walk)


def _portable(values: Iterable[tuple[Any, ...]], file: FileContext, walk: Walk) -> Hashable:
    """Frozen values as they are in every elaboration of a text. Raises TypeError where one belongs to this."""
    return tuple([_of_text(value[1], file, walk) if value[0] is Callee else value for value in values])


def _of_text(callee: Callee, file: FileContext, walk: Walk) -> Hashable:
    if callee.file is file or callee.file is walk.prelude:
        return (Callee, id(callee.block), callee.network)
    raise TypeError


Given = int | tuple[str, int]
"""A tensor of a call: the number of an input, or a node's name without the path before it, and its port."""


def _relative(tensors: Iterable[Tensor], inputs: Mapping[Tensor, int], own: Container[str], length: int) -> list[Given]:
    """The tensors that are inputs or outputs of ``own`` nodes, whose names begin with a path of ``length``."""
    found: list[Given] = []
    for tensor in tensors:
        if tensor in inputs:
            found.append(inputs[tensor])
        elif tensor.node in own:
            found.append((tensor.node[length:], tensor.port))
    return found


class Placed:
    """A call at one place: nodes, which never change and may stand in several graphs, and the result."""

    __slots__ = ("layers", "names", "nodes", "result")

    def __init__(self, nodes: list[Node], result: object):
        self.nodes, self.result = nodes, result
        self.names = frozenset([node.name for node in nodes])
        self.layers = {node.name: node for node in nodes if node.weights}


class Traced(NamedTuple):
    """The part of a trace that a call left, and the number of nodes before it."""

    trace: Trace
    first: tuple[int, int]
    last: tuple[int, int]
    nodes: int


class Made:
    """What a call made: its nodes, and its result.

    Most calls do not recur: how their nodes are called without the path before them is found out once one does.
    """

    def __init__(self, nodes: list[Node], path: str, inputs: list[Tensor], result: object, traced: Traced | None):
        self.size, self.length, self.is_traced = len(nodes), len(path), traced is not None
        self.inputs = {tensor: i for i, tensor in reversed(list(enumerate(inputs)))}
        self.result = result
        self._first: tuple[list[Node], str, list[Tensor], Traced | None] | None = (nodes, path, inputs, traced)
        self._is_apart = False
        self._rows: list[tuple[Any, ...]] = []
        self._placed: dict[tuple[Any, ...], Placed] = {}
        self.callee: Callee | None = None
        """Who was called; kept, since its parts are known by their identities."""
        self.steps = 0
        self.heights = (0, 0)
        """How much deeper chains and calls went within."""
        self.executions: list[Executed] = []
        self.spared: list[Given] = []
        self.called: frozenset[int] = frozenset()
        """Blocks that were called within, by their identities."""
        self.read: tuple[str, ...] = ()
        """Parameters of the file that were read."""

    def is_apart(self) -> bool:
        """Whether the nodes belong to the call alone, which those of a network's call do not, and read nothing but what
        it was given."""
        if self._first is not None:
            (nodes, path, inputs, traced), self._first = self._first, None
            self._is_apart = self._take_apart(nodes, path) and (traced is None or self._take_trace(traced, nodes, path))
            if self._is_apart:
                self._placed[path, *inputs] = Placed(nodes, self.moved(self.result, path, inputs))
        return self._is_apart

    def _take_apart(self, nodes: list[Node], path: str) -> bool:
        length, own = self.length, {node.name for node in nodes}
        for node in nodes:
            if node.layer != node.name or not node.name.startswith(path):
                return False
            given = _relative(node.inputs, self.inputs, own, length)
            if len(given) < len(node.inputs):
                return False
            self._rows.append(
                (node.name[length:], node.op, given, node.input_specs, node.outputs, node.weights, node.span)
            )
        return True

    def _take_trace(self, traced: Traced, nodes: list[Node], path: str) -> bool:
        self.executions, spared = traced.trace.between(traced.first, traced.last, traced.nodes)
        self.spared = _relative(spared, self.inputs, {node.name for node in nodes}, self.length)
        return len(self.spared) == len(spared)

    def placed(self, path: str, inputs: list[Tensor]) -> Placed:
        """The nodes and the result as they are at ``path``, applied to other inputs."""
        key = (path, *inputs)
        found = self._placed.get(key)
        if found is None:
            if len(self._placed) >= MOST_PLACES:
                self._placed.clear()
            nodes = []
            for suffix, op, given, specs, outputs, weights, span in self._rows:
                name = path + suffix
                at = tuple([inputs[t] if type(t) is int else Tensor(path + t[0], t[1]) for t in given])
                nodes.append(Node(name, op, at, specs, outputs, weights, name, span))
            found = self._placed[key] = Placed(nodes, self.moved(self.result, path, inputs))
        return found

    def fits(self, walk: Walk, placed: Placed) -> bool:
        """Whether the nodes can stand there, within the walk's limits. What is wrong is for the walk to say."""
        depth, calls = self.heights
        return (
            walk.steps + self.steps <= walk.max_steps
            and len(walk.nodes) + self.size <= walk.max_layers
            and walk.within(walk.depth + depth, len(walk.calls) + calls)
            and walk.by_name.isdisjoint(placed.names)
        )

    def copy(self, walk: Walk, path: str, inputs: list[Tensor], placed: Placed) -> Any:
        """Add the nodes at ``path``, applied to other inputs; their result."""
        walk.steps += self.steps
        if walk.trace is not None:
            spared = [inputs[t] if isinstance(t, int) else Tensor(path + t[0], t[1]) for t in self.spared]
            walk.trace.add(self.executions, spared, len(walk.nodes))
        walk.nodes += placed.nodes
        walk.by_name |= placed.names
        if walk.layers.keys().isdisjoint(placed.layers):
            walk.layers |= placed.layers
        else:
            walk.layers = placed.layers | walk.layers
        return placed.result

    def moved(self, value: object, path: str, inputs: list[Tensor]) -> Any:
        """A result of the call as it is at ``path``."""
        if isinstance(value, StepResult):
            return StepResult(
                self._tensor(value.tensor, path, inputs), value.spec, _Ports(self, value.ports, path, inputs)
            )
        if isinstance(value, Bundle):
            elements = {key: self.moved(element, path, inputs) for key, element in value.elements.items()}
            return Bundle(elements, _Ports(self, value.ports, path, inputs))
        return value

    def _tensor(self, tensor: Tensor, path: str, inputs: list[Tensor]) -> Tensor:
        position = self.inputs.get(tensor)
        return Tensor(path + tensor.node[self.length :], tensor.port) if position is None else inputs[position]


class _Ports(Mapping[str, Any]):
    """The named steps of a copied call, each moved when it is asked for."""

    __slots__ = ("_inputs", "_made", "_path", "_ports")

    def __init__(self, made: Made, ports: Mapping[str, Any], path: str, inputs: list[Tensor]):
        self._made, self._ports, self._path, self._inputs = made, ports, path, inputs

    def __getitem__(self, name: str) -> Any:
        return self._made.moved(self._ports[name], self._path, self._inputs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def __len__(self) -> int:
        return len(self._ports)

    def __contains__(self, name: object) -> bool:
        return name in self._ports


def _frozen(value: Any) -> tuple[Any, ...]:
    """An argument as part of a key, its type first. Raises TypeError where it cannot be one."""
    kind = type(value)
    if kind in _SCALARS:
        # 1, 1.0 and true are equal, and mean different things.
        return (kind, value)
    if kind is list:
        return (list, *[_frozen(item) for item in value])
    if kind is dict:
        return (dict, *[(name, _frozen(item)) for name, item in value.items()])
    if isinstance(value, Indexable):
        raise TypeError
    return (kind, value)


_SCALARS = frozenset((int, float, str, bool))
