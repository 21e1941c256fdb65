"""How much memory a network needs, to run and to be trained.

At inference the schedule is the graph's order, a tensor lives from where it is made to where it is last read, and views
(flatten, reshape, dropout) are the tensor that they look at. The peak is between two figures: with every elementwise op
written over its input where that is read no more, and with none.

For training, what a gradient is computed from stays until it is: the inputs of convolutions, dense layers, products,
normalisations and pools, the outputs of ReLU, sigmoid, tanh and softmax, the inputs of other activations, masks of
dropout, and 8 bytes for each maximum of a pool, each tensor once. To that come weights, gradients, what an optimiser
keeps, and the gradients that are in hand at one time. What a framework needs for itself, and scratch memory of kernels,
is not counted: all figures are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from archspec.analysis.backward import differentiable, takes_part
from archspec.analysis.traffic import size_in_bytes
from archspec.ir.graph import Graph, Node, Tensor
from archspec.ir.tensors import POLICIES, TensorSpec, UnknownSize, bytes_each
from archspec.ops.base import Op
from archspec.ops.reach import POINT


class Peak(NamedTuple):
    """Bytes of the activations that live at once, at most, and the node where they do; ``in_place`` where elementwise
    ops overwrite their inputs."""

    bytes: int
    node: str
    in_place: int


class Memory(NamedTuple):
    """Bytes for ``batch`` samples. ``weights`` are all weights, ``gradients`` and ``slots`` those that are trained."""

    batch: int
    weights: int
    peak: Peak
    gradients: int
    slots: int
    saved: int
    transient: int

    @property
    def inference(self) -> int:
        """Weights and the peak of the activations."""
        return self.weights + self.peak.bytes

    @property
    def training(self) -> int:
        """Weights, gradients, what the optimiser keeps, what is saved, and the gradients in hand."""
        return self.weights + self.gradients + self.slots + self.saved + self.transient


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
    trained = sum(node.trainable_params for node in graph.owners()) * bytes_each(kept)
    return Memory(
        batch=batch,
        weights=sum(node.params for node in graph.owners()) * bytes_each(kept),
        peak=peak,
        gradients=trained,
        slots=trained * slots,
        saved=batch * sum(saved(graph, each)),
        transient=batch * max(_gradients(graph, each), default=0),
    )


def largest_batch(one: Memory, budget: int, *, training: bool) -> int | None:
    """The most samples that ``budget`` bytes hold at once, by what ``one`` of them needs; 0 if not one fits, None if
    samples need none."""
    total, activations = (one.training, one.saved + one.transient) if training else (one.inference, one.peak.bytes)
    return max(0, (budget - (total - activations)) // activations) if activations else None


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
    root, needed = _roots(graph, is_training=True), differentiable(graph)
    kept: set[Tensor] = set()
    out = []
    for node in graph.nodes:
        count = 0
        if takes_part(node, needed):
            for tensor in _saved_tensors(node):
                if root[tensor] not in kept:
                    kept.add(root[tensor])
                    count += size_in_bytes(graph.spec(root[tensor]), dtype)
            count += sum(size_in_bytes(spec, dtype) for spec in _saved_within(node))
        out.append(count)
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


def _gradients(graph: Graph, dtype: str) -> Iterator[int]:
    """Bytes per sample of the gradients by a node's outputs and inputs."""
    needed = differentiable(graph)
    for node in graph.nodes:
        if takes_part(node, needed):
            handed = [spec for t, spec in zip(node.inputs, node.input_specs, strict=True) if t in needed]
            yield sum(size_in_bytes(spec, dtype) for spec in (*handed, *node.outputs))


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
