"""How much memory a network needs, to run and to be trained.

At inference the schedule is the graph's order, a tensor lives from where it is made to where it is last read, and views
(flatten, reshape, dropout) are the tensor that they look at. The peak is between two figures: with every elementwise op
written over its input where that is read no more, and with none.

For training, what a gradient is computed from stays until it is: the inputs of convolutions, dense layers, products,
normalisations and pools, the outputs of ReLU, sigmoid, tanh and softmax, the inputs of other activations, masks of
dropout, and 8 bytes for each maximum of a pool, each tensor once. The backward pass frees it from the last node to the
first, and makes the gradients of weights on the way: the peak is where both together are most, with the gradients by
activations that are in hand. To that come weights and what an optimiser keeps. Of a spec with ``train:``, each update
needs the nodes that its losses are computed from and the gradients of the networks that it changes; the largest counts,
or all as one where they are made at the same time. What a framework needs for itself, scratch memory of kernels, and
second derivatives of gradient penalties are not counted: all figures are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from archspec.analysis.backward import differentiable, takes_part
from archspec.analysis.traffic import size_in_bytes
from archspec.ir.graph import Graph, Node, Tensor, reachable
from archspec.ir.tensors import POLICIES, TensorSpec, UnknownSize, bytes_each
from archspec.ops.base import Op
from archspec.ops.reach import POINT


class Peak(NamedTuple):
    """Bytes of the activations that live at once, at most, and the node where they do; ``in_place`` where elementwise
    ops overwrite their inputs."""

    bytes: int
    node: str
    in_place: int


class Moment(NamedTuple):
    """Bytes that a training step holds at one moment beside weights and the optimiser's: whatever the batch is, and for
    each sample."""

    fixed: int
    each: int


class Memory(NamedTuple):
    """Bytes for ``batch`` samples. ``weights`` are all weights, ``gradients`` those that one update makes, ``slots``
    what is kept for all that are trained; ``saved`` and ``transient`` (gradients by activations) are the most of one
    update. The ``moments`` are those of a training step at which the peak may be, by the batch."""

    batch: int
    weights: int
    peak: Peak
    gradients: int
    slots: int
    saved: int
    transient: int
    moments: tuple[Moment, ...]

    @property
    def inference(self) -> int:
        """Weights and the peak of the activations."""
        return self.weights + self.peak.bytes

    @property
    def training(self) -> int:
        """Weights, what the optimiser keeps, and the most that gradients and what is saved for them take at once."""
        step = max((moment.fixed + self.batch * moment.each for moment in self.moments), default=0)
        return self.weights + self.slots + step


def memory(graph: Graph, batch: int = 1, *, policy: str = "float32", slots: int = 2) -> Memory:
    """What the graph needs; of its train-only heads, training alone does. ``slots`` are the numbers that the optimiser
    keeps for each weight (Adam 2). Raises UnknownSize where a size is open, ValueError for an unknown policy."""
    each, kept = types(policy)
    runs = graph.inference()
    lives = [batch * n for n in live(runs, each)]
    where = max(range(len(lives)), key=lives.__getitem__, default=None)
    in_place = max((batch * n for n in live(runs, each, in_place=True)), default=0)
    name = "" if where is None else runs.nodes[where].name
    peak = Peak(max(lives, default=0), name, in_place)
    updates = [Update(step, trained, each, kept) for step, trained in _updates(graph)]
    trained = {layer: count for update in updates for layer, count in update.trained.items()}
    return Memory(
        batch=batch,
        weights=sum(node.params for node in graph.owners()) * bytes_each(kept),
        peak=peak,
        gradients=max(sum(update.trained.values()) for update in updates),
        slots=sum(trained.values()) * slots,
        saved=batch * max(sum(update.saved) for update in updates),
        transient=batch * max(max(update.in_hand, default=0) for update in updates),
        moments=tuple(dict.fromkeys(moment for update in updates for moment in update.moments())),
    )


def largest_batch(one: Memory, budget: int, *, training: bool) -> int | None:
    """The most samples that ``budget`` bytes hold at once; 0 if not one fits, None if samples need none."""
    if training:
        left, moments = budget - one.weights - one.slots, one.moments
    else:
        left, moments = budget - one.weights, (Moment(0, one.peak.bytes // one.batch),)
    if any(moment.fixed > left for moment in moments):
        return 0
    return min(((left - moment.fixed) // moment.each for moment in moments if moment.each), default=None)


def types(policy: str) -> tuple[str, str]:
    """Types of activations and of weights. Raises ValueError."""
    if policy not in POLICIES:
        raise ValueError(f"the types of numbers are {', '.join(POLICIES)}, got {policy!r}")
    return (policy.removeprefix("mixed_"), "float32") if policy.startswith("mixed_") else (policy, policy)


def peak_bytes(graph: Graph) -> int | None:
    """The most bytes of activations that live at once, of a sample in float32; None where a size is open."""
    try:
        return max(live(graph), default=0)
    except UnknownSize:
        return None


def live(graph: Graph, dtype: str = "float32", *, in_place: bool = False) -> list[int]:
    """Bytes per sample of the tensors that live while each node runs, in the graph's order: its inputs, its outputs and
    what is read later. Raises UnknownSize."""
    root = _roots(graph, is_training=False)
    sizes = {root[t]: size_in_bytes(graph.spec(root[t]), dtype) for t in root}
    last = {root[t]: position for position, node in enumerate(graph.nodes) for t in node.inputs}
    last |= dict.fromkeys((root[output.tensor] for output in graph.outputs), len(graph.nodes))
    held = sum(sizes[t] for t in map(Tensor, graph.inputs) if t in last)
    alive = {t for t in map(Tensor, graph.inputs) if t in last}
    out = []
    for position, node in enumerate(graph.nodes):
        made = {root[t] for t in node.tensors} - alive
        held += sum(sizes[t] for t in made)
        alive |= made
        read = {root[t] for t in node.inputs}
        over = [t for t in read if last[t] == position and sizes[t] == sum(sizes[m] for m in made)]
        out.append(held - (sizes[over[0]] if in_place and over and _is_elementwise(node) else 0))
        for t in [*read, *made]:
            if t in alive and last.get(t, position) <= position:
                alive.discard(t)
                held -= sizes[t]
    return out


def saved(graph: Graph, dtype: str = "float32") -> list[int]:
    """Bytes per sample that each node keeps for the backward pass and no node before it does. Raises UnknownSize."""
    return Update(graph, None, dtype, dtype).saved


class Update:
    """One update of weights: a graph, and the networks whose weights change, None for all. For each node the bytes per
    sample that it keeps, and of the gradients by its outputs and inputs; by layer those of its gradients. Raises
    UnknownSize."""

    def __init__(self, graph: Graph, networks: tuple[str, ...] | None, dtype: str, kept: str):
        self.nodes = graph.nodes
        self._networks = networks
        needed = differentiable(graph, self._is_trained)
        self._takes_part = [takes_part(node, needed, self._is_trained) for node in graph.nodes]
        self.saved = list(self._saved(graph, dtype))
        self.in_hand = [
            sum(
                size_in_bytes(spec, dtype)
                for spec in (*(graph.spec(t) for t in node.inputs if t in needed), *node.outputs)
            )
            if is_part
            else 0
            for node, is_part in zip(graph.nodes, self._takes_part, strict=True)
        ]
        self.trained = {
            node.layer: node.trainable_params * bytes_each(kept) for node in graph.nodes if self._is_trained(node)
        }

    def _is_trained(self, node: Node) -> bool:
        """Whether the update changes a weight of the node."""
        return node.is_trained and (self._networks is None or node.layer.partition(".")[0] in self._networks)

    def _saved(self, graph: Graph, dtype: str) -> Iterator[int]:
        root = _roots(graph, is_training=True)
        kept: set[Tensor] = set()
        for node, is_part in zip(graph.nodes, self._takes_part, strict=True):
            count = 0
            if is_part:
                for tensor in _saved_tensors(node):
                    if root[tensor] not in kept:
                        kept.add(root[tensor])
                        count += size_in_bytes(graph.spec(root[tensor]), dtype)
                count += sum(size_in_bytes(spec, dtype) for spec in _saved_within(node))
            yield count

    def moments(self) -> list[Moment]:
        """Those of the backward pass at which no later one needs as much for each sample, and its end."""
        made, left, passed = 0, sum(self.saved), []
        ahead = dict(self.trained)
        for node, kept, in_hand in zip(reversed(self.nodes), self.saved[::-1], self.in_hand[::-1], strict=True):
            made += ahead.pop(node.layer, 0)
            passed.append(Moment(made, left + in_hand))
            left -= kept
        out = [Moment(made, 0)]
        for moment in reversed(passed):
            if moment.each > out[-1].each:
                out.append(moment)
        return out


def _updates(graph: Graph) -> Iterable[tuple[Graph, tuple[str, ...] | None]]:
    """The graphs whose losses are minimised, each with the networks that are changed by it; None for all there are."""
    training = graph.training
    if training is None or training.is_of_one:
        return [(graph.with_training(), None)]
    steps = [(step.update, [step]) for step in training.steps]
    if training.together:
        steps = [(tuple(name for update, _ in steps for name in update), list(training.steps))]
    out = []
    for networks, parts in steps:
        names = [name for step in parts for term in step.minimize for name in term.results]
        nodes = reachable(training.body.nodes, [training.results[name] for name in names])
        out.append((replace(training.body, nodes=nodes), networks))
    return out


def _saved_tensors(node: Node) -> Iterator[Tensor]:
    op, activation = node.op.computed, node.op.applied
    if not (op.is_view or op.moves_data) and op.saves == "inputs":
        yield from node.inputs
    if op.saves == "output" or (activation is not None and activation.saves == "output"):
        yield Tensor(node.name)


def _saved_within(node: Node) -> Iterator[TensorSpec]:
    op, activation = node.op.computed, node.op.applied
    yield from op.saved_within(node.outputs[0] if len(node.outputs) == 1 else node.outputs, *node.input_specs)
    if activation is not None and activation.saves == "inputs" and not activation.is_view:
        yield node.output


def _roots(graph: Graph, *, is_training: bool) -> dict[Tensor, Tensor]:
    """Tensors by those whose memory they are."""
    root = {tensor: tensor for tensor in map(Tensor, graph.inputs)}
    for node in graph.nodes:
        op: Any = node.op
        is_view = op.is_view and not (is_training and op.is_random())
        for tensor in node.tensors:
            root[tensor] = root[node.inputs[0]] if is_view and node.inputs else tensor
    return root


def _is_elementwise(node: Node) -> bool:
    op = node.op
    if not isinstance(op, Op) or not node.inputs:
        return False
    axes = op.reach(*node.input_specs)[0]
    return axes is not None and all(along == POINT for along in axes)


__all__ = [
    "POLICIES",
    "Memory",
    "Peak",
    "UnknownSize",
    "largest_batch",
    "live",
    "memory",
    "peak_bytes",
    "saved",
    "types",
]
