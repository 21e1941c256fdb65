"""The one noun that travels: a complete, frozen network graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from archspec.ir.cost import Cost
from archspec.ir.diagnostics import Source, Span
from archspec.ir.tensors import Outputs, TensorSpec, UnknownSize, WeightSpec

if TYPE_CHECKING:
    from archspec.ir.training import Drawn, ObjectsInput, Term, TrainStep


class Operation(Protocol):
    """What the graph needs of an op; ``archspec.ops.base.Op`` is the implementation."""

    name: ClassVar[str]
    is_view: ClassVar[bool]
    moves_data: ClassVar[bool]
    saves: ClassVar[Literal["inputs", "output", "nothing"]]
    operands: ClassVar[Literal["ordered", "any order", "nested"]]
    rows_are: ClassVar[str | None]

    @property
    def result_names(self) -> tuple[str, ...]: ...
    @property
    def called(self) -> str: ...
    @property
    def computed(self) -> Operation: ...
    @property
    def within(self) -> Operation: ...
    @property
    def applied(self) -> Operation | None: ...
    def is_counted(self) -> bool: ...
    def macs(self, out: Outputs, *inputs: TensorSpec) -> int: ...
    def macs_in_bounds(self, out: Outputs, *inputs: TensorSpec) -> int: ...
    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, *inputs: TensorSpec) -> int: ...
    def flops(self, out: Outputs, *inputs: TensorSpec) -> int: ...
    def transcendentals(self, out: Outputs, *inputs: TensorSpec) -> int: ...
    def saved_within(self, out: Outputs, *inputs: TensorSpec) -> tuple[TensorSpec, ...]: ...
    def weights_read(self, out: Outputs, *inputs: TensorSpec) -> int | None: ...
    def elsewhere(self, trace: Any, out: Outputs, *inputs: Any) -> Any: ...
    def lower(self, *inputs: TensorSpec) -> Any: ...
    def lower_unmasked(self, *inputs: TensorSpec) -> Any: ...


class Tensor(NamedTuple):
    """One output of a node, or an input of the graph, by name."""

    node: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.node}:{self.port}" if self.port else self.node


KEPT = 8192
"""Counts that are kept: most networks have the same op on the same shapes many times. What is kept holds what it is
kept under: while it is there, nothing else has that identity."""
_COSTS: dict[tuple[int, int], tuple[Cost, Operation, tuple[TensorSpec, ...], tuple[TensorSpec, ...]]] = {}
_SIZES: dict[int, tuple[int, int, tuple[WeightSpec, ...]]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One op applied to tensors.

    ``name`` is unique in the graph. ``layer`` is the name of the Keras layer that owns the weights: the node's own
    name, or, inside the call of a network, the network's path; nodes with equal ``layer`` share their weights.
    """

    name: str
    op: Operation
    inputs: tuple[Tensor, ...]
    input_specs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    weights: tuple[WeightSpec, ...]
    layer: str
    span: Span

    @property
    def output(self) -> TensorSpec:
        """The first output (most nodes have one)."""
        return self.outputs[0]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All outputs, as other nodes name them."""
        return tuple([Tensor(self.name, port) for port in range(len(self.outputs))])

    @property
    def is_trained(self) -> bool:
        """Whether training changes a weight of the layer."""
        return any(w.trainable for w in self.weights)

    @property
    def params(self) -> int:
        """Scalars in all weights of the layer."""
        return self._sizes()[0] if self.weights else 0

    @property
    def trainable_params(self) -> int:
        """Scalars in the weights that training changes."""
        return self._sizes()[1] if self.weights else 0

    def _sizes(self) -> tuple[int, int, tuple[WeightSpec, ...]]:
        known = _SIZES.get(id(self.weights))
        if known is None:
            if len(_SIZES) >= KEPT:
                _SIZES.clear()
            trained = sum([w.size for w in self.weights if w.trainable])
            known = _SIZES[id(self.weights)] = (sum([w.size for w in self.weights]), trained, self.weights)
        return known

    def cost(self) -> Cost:
        """MACs, FLOPs, transcendentals and activation size per sample; None where a needed size is open, or the op does
        not say what it costs."""
        key = (id(self.op), id(self.outputs))
        known = _COSTS.get(key)
        if known is None or known[2] != self.input_specs:
            if len(_COSTS) >= KEPT:
                _COSTS.clear()
            known = _COSTS[key] = (self._cost(), self.op, self.input_specs, self.outputs)
        return known[0]

    def _cost(self) -> Cost:
        op = self.op
        try:
            activations: int | None = 0 if op.is_view else sum([o.size for o in self.outputs])
        except UnknownSize:
            activations = None
        if not op.is_counted():
            return Cost(None, None, None, activations)
        return Cost(self.count(op.macs), self.count(op.flops), self.count(op.transcendentals), activations)

    def count(self, rule: Callable[..., int]) -> int | None:
        """What a cost rule of the op gives for this node; None where a size that it needs is open."""
        try:
            return rule(self.outputs[0] if len(self.outputs) == 1 else self.outputs, *self.input_specs)
        except UnknownSize:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One output of the model: a head's, or ``output`` for a body without heads.

    ``name`` is the head's name, followed by ``.index`` when the head takes a bundle. ``loss`` is a loss declaration or
    None; ``metrics`` are metric declarations; ``train_only`` heads are absent from the inference graph.
    """

    name: str
    tensor: Tensor
    head: str | None = None
    loss: Any = None
    weight: float = 1.0
    train_only: bool = False
    metrics: tuple[Any, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """What a spec says its graph comes to: figures by name, those with train-only heads, and who says so.

    Only ``check`` asks for it; a graph that is loaded for another purpose has none.
    """

    figures: Mapping[str, Any]
    training: Mapping[str, Any]
    source: str
    span: Span
    spans: Mapping[tuple[str, ...], Span] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Figures of each of several networks."""


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A complete network: every node in topological order, with shapes, weights and source positions. It prints as its
    table.

    ``inputs`` maps input names to specs. For a spec of several networks and no body, ``networks`` holds the graph of
    each, and the nodes here are theirs side by side, inputs and outputs prefixed with the network's name.
    """

    name: str
    inputs: Mapping[str, TensorSpec]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    variant: str | None = None
    doc: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, Graph] = field(default_factory=dict)
    training: Training | None = None
    expect: Expectations | None = None
    sources: tuple[Source, ...] = ()

    def __repr__(self) -> str:
        return f"<Graph {self.variant or self.name}: {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        return str(self._table().render("text"))

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return str(self._table().render("html"))

    def _table(self) -> Any:
        # Formats stand floors above: they are found by text, as declarations are.
        return import_module("archspec.report.table").table(self)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    def spec(self, tensor: Tensor) -> TensorSpec:
        """Shape and dtype of a node's output or of a graph input."""
        node = self.by_name.get(tensor.node)
        return self.inputs[tensor.node] if node is None else node.outputs[tensor.port]

    def owners(self) -> Iterable[Node]:
        """The first node of every layer: each weight exactly once."""
        seen: set[str] = set()
        for node in self.nodes:
            if node.layer not in seen:
                seen.add(node.layer)
                yield node

    def described(self, training: bool) -> Graph:
        """What a description of this graph is about: all that training needs, or what inference does."""
        return self.with_training() if training else self.inference()

    def with_training(self) -> Graph:
        """This graph with the nodes that only its training needs, which no output depends on."""
        if self.training is None or self.networks:
            return self
        beside = tuple(node for node in self.training.body.nodes if node.name not in self.by_name)
        return replace(self, inputs={**self.inputs, **self.training.body.inputs}, nodes=(*self.nodes, *beside))

    def inference(self) -> Graph:
        """This graph without its train-only heads and the nodes that only they need."""
        outputs = tuple(o for o in self.outputs if not o.train_only)
        if len(outputs) == len(self.outputs):
            return self
        nodes = reachable(self.nodes, [o.tensor for o in outputs])
        training = self.training and self.training.within({node.layer for node in nodes})
        return replace(self, outputs=outputs, nodes=nodes, training=training)


def reachable(nodes: tuple[Node, ...], tensors: Iterable[Tensor]) -> tuple[Node, ...]:
    """The nodes that the tensors depend on, in the order given (which must be topological)."""
    wanted = {t.node for t in tensors}
    kept = []
    for node in reversed(nodes):
        if node.name in wanted:
            kept.append(node)
            for tensor in node.inputs:
                wanted.add(tensor.node)
    return tuple(reversed(kept))


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A spec's ``train:`` section: the forward graph of one step over the networks, its named results, the updates.

    The steps of a round run in order and each sees the weights that earlier ones left; ``together`` says that all see
    those of the round's beginning. ``drawn`` are the inputs that are not arrays of the data. ``averages`` are the
    shares of their value that running averages of networks keep in a round.

    Beside a body there is one step, without a name, that updates the whole network; ``body`` has the network's nodes
    too, and ``targets`` are the inputs that heads with a loss are compared with, by the name of the head.
    """

    body: Graph
    results: Mapping[str, Tensor]
    steps: tuple[TrainStep, ...]
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    together: bool = False
    averages: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, ObjectsInput] = field(default_factory=dict)
    """Inputs that are the objects of a picture, each of several tensors, ``NAME.boxes`` and others."""

    @property
    def is_of_one(self) -> bool:
        """Whether it is of one network, not of several."""
        return len(self.steps) == 1 and not self.steps[0].name

    def within(self, layers: Set[str]) -> Training | None:
        """What can be computed of it with the weights of some layers alone; None for nothing."""
        steps = tuple(replace(s, minimize=tuple(t for t in s.minimize if self._is_of(t, layers))) for s in self.steps)
        names = {name for step in steps for term in step.minimize for name in term.results}
        if not names:
            return None
        results = {name: tensor for name, tensor in self.results.items() if name in names}
        nodes = reachable(self.body.nodes, results.values())
        taken = {t.node for node in nodes for t in node.inputs} | {t.node for t in results.values()}
        inputs = {name: spec for name, spec in self.body.inputs.items() if name in taken}
        return replace(
            self,
            body=replace(self.body, inputs=inputs, nodes=nodes),
            results=results,
            steps=steps,
            drawn={name: drawn for name, drawn in self.drawn.items() if name in inputs},
            targets={name: head for name, head in self.targets.items() if name in inputs},
        )

    def _is_of(self, term: Term, layers: Set[str]) -> bool:
        nodes = reachable(self.body.nodes, [self.results[name] for name in term.results])
        return all(node.layer in layers for node in nodes if node.weights)


def calls(body: Graph) -> dict[str, str]:
    """The network that is called, by what the names of the call's nodes in a training step's ``body`` begin with.

    A node with weights has its layer's name in the network behind the call's own name.
    """
    out = {}
    for node in body.nodes:
        network, _, inner = node.layer.partition(".")
        if node.weights and node.name.endswith(f".{inner}"):
            out[node.name.removesuffix(f".{inner}")] = network
    return out


def call_of(name: str, calls: Iterable[str]) -> str | None:
    """The innermost of ``calls`` that a node of the body is within; None for none."""
    return max((c for c in calls if name.startswith(f"{c}.")), key=len, default=None)


def called(name: str, calls: Mapping[str, str]) -> tuple[str | None, str]:
    """The network that a node of the body is of, None for none, and what the node is called in the network's graph."""
    call = call_of(name, calls)
    return (None, name) if call is None else (calls[call], calls[call] + name.removeprefix(call))


def drawable(training: Training) -> list[str]:
    """Named results that need only what is drawn, in their order: what can be sampled."""
    out = []
    for name, tensor in training.results.items():
        needed = {tensor.node}
        for node in reversed(training.body.nodes):
            if node.name in needed:
                needed.update(t.node for t in node.inputs)
        if tensor.node not in training.body.inputs and needed & set(training.body.inputs) <= set(training.drawn):
            out.append(name)
    return out


def must_be_graph(value: object, by: str) -> None:
    """Raises TypeError for a spec that was not loaded, or anything else that is no graph."""
    if not isinstance(value, Graph):
        load = f"archspec.load({value!r})" if isinstance(value, (str, PathLike)) else "archspec.load(…)"
        raise TypeError(f"{by} takes a Graph, which {load} gives; got {type(value).__name__}")
