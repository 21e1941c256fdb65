"""What works, and costs more or learns worse than it need: ``archspec lint``. Each rule has a code of its own.

Rules look at graphs, not at names of ops: what an op reads, adds, bounds or drops it says itself. A finding stands at
the step of the file that made the node, wherever the op is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from math import inf
from typing import Any

from archspec.analysis.receptive import receptive_fields
from archspec.frontend.findings import Analysis
from archspec.frontend.ignored import heeded
from archspec.frontend.trace import Trace
from archspec.ir.diagnostics import Diagnostic, Source, Span, in_order
from archspec.ir.graph import Graph, Node, Tensor
from archspec.ops.base import Op
from archspec.ops.loss import activated, activation_of

VECTOR = 8
"""Channels that matrix units of 16-bit numbers take at once (NVIDIA, "Deep Learning Performance", tensor core
requirements)."""
HEAVY, MOST = 1_000_000, 0.5
"""Parameters of a dense layer that is worth a word, and its share of all."""


class Family:
    """A graph of a file with the steps that made its nodes; ``source`` is the file's text."""

    def __init__(self, graph: Graph, trace: Trace, source: Source):
        self.graph, self.trace, self.source = graph, trace, source

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """The nodes that read each node or input."""
        out: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            for tensor in node.inputs:
                out.setdefault(tensor.node, []).append(node)
        return out

    @cached_property
    def ends(self) -> frozenset[str]:
        """Nodes that outputs are."""
        return frozenset(output.tensor.node for output in self.graph.outputs)

    @cached_property
    def _places(self) -> dict[int, Span]:
        out: dict[int, Span] = {}
        for execution in self.trace.executions:
            if execution.step.container.source is self.source:
                for index in range(execution.first, min(execution.last, len(self.trace.nodes))):
                    out[id(self.trace.nodes[index])] = execution.step.span
        return out

    def place(self, node: Node) -> Span:
        """The innermost step of the file that made a node."""
        if node.span.source is self.source:
            return node.span
        return self._places.get(id(node), node.span)


Found = Iterator[tuple[Node | Span, str, str]]
"""Where, what, and what to do."""


def bias_before_norm(family: Family) -> Found:
    """L01"""
    for node in family.graph.nodes:
        op = node.op
        after = family.readers.get(node.name, [])
        # A bias that differs from place to place is none of a channel's.
        has_bias = any(w.name == "bias" and w.trainable and w.shape == (node.output.channels,) for w in node.weights)
        is_linear = has_bias and op.applied is None and node.name not in family.ends
        if is_linear and after and all(isinstance(r.op, Op) and r.op.centers_channels for r in after):
            yield node, f"{op.name} adds a bias that {after[0].op.name} takes away again", "bias: false"


def unread_edge(family: Family) -> Found:
    """L02"""
    for node, sizes, out, axes in _windows(family):
        lost = []
        for size, made, axis in zip(sizes, out, axes, strict=True):
            unread = size - 1 - ((made - 1) * axis.stride + axis.after)
            lost.append(unread if 1 < axis.stride <= axis.before + axis.after + 1 and unread > 0 else 0)
        if any(lost):
            shape = "x".join(map(str, sizes))
            last = "x".join(f"{int(n)}" for n in lost)
            what = f"{node.op.name} never reads the last {last} positions of {shape}"
            yield node, what, "padding: same, or an input of another size"


def skipped(family: Family) -> Found:
    """L03"""
    for node, sizes, _, axes in _windows(family):
        gaps = [axis for axis in axes if axis.stride > axis.before + axis.after + 1]
        alone = len(family.readers.get(node.inputs[0].node, ())) == 1
        if gaps and alone and node.weights and max(sizes) > 1:
            axis = gaps[0]
            width = int(axis.before + axis.after + 1)
            what = f"{node.op.name} steps by {axis.stride} and looks at {width}: what is between is never read"
            yield node, what, "a kernel as large as the stride, or the stride in the layer before"


def odd_channels(family: Family) -> Found:
    """L04"""
    for node in family.graph.nodes:
        kernel = next((w for w in node.weights if w.name == "kernel" and len(w.shape) >= 2), None)
        if kernel is None or node.output.channels is None or _ends_in(family, node):
            continue
        channels = node.output.channels
        if channels > VECTOR and channels % VECTOR and kernel.shape[-1] == channels:
            near = channels - channels % VECTOR
            what = f"{channels} channels are no multiple of {VECTOR}: matrix units of 16-bit numbers run part empty"
            yield node, what, f"{near} or {near + VECTOR}"


def blind_average(family: Family) -> Found:
    """L05"""
    for start, spec in family.graph.inputs.items():
        if spec.rank != 3 or None in spec.shape:
            continue
        fields = receptive_fields(family.graph, start)
        for node in family.graph.nodes:
            inner, outer = (
                fields.get(t) for t in (node.inputs[0] if node.inputs else Tensor(start), Tensor(node.name))
            )
            if inner is None or outer is None or inner.is_global or not outer.is_global or node.weights:
                continue
            is_average = isinstance(node.op, Op) and not node.op.is_view and node.input_specs[0].rank == 3
            size = [n or 0 for n in inner.size]
            if (
                is_average
                and node.output.rank < 3
                and all(a < (b or 0) for a, b in zip(size, spec.spatial, strict=True))
            ):
                seen, whole = "x".join(map(str, size)), "x".join(map(str, spec.spatial))
                what = f"no position before this {node.op.name} sees more than {seen} of {whole}"
                yield node, what, "more strides or layers before it, dilation, or a smaller input"


def heavy_dense(family: Family) -> Found:
    """L06"""
    total = sum(node.params for node in family.graph.owners())
    for node in family.graph.owners():
        before = family.graph.by_name.get(node.inputs[0].node) if node.inputs else None
        is_flat = before is not None and isinstance(before.op, Op) and before.op.is_flattening()
        if is_flat and before is not None and node.params > max(HEAVY, MOST * total):
            rank = before.input_specs[0].rank
            what = f"{node.op.name} has {node.params:,} of {total:,} parameters"
            yield node, what, "global_avg_pool in place of flatten" if rank == 3 else "a narrower layer before it"


def dropped_then_normed(family: Family) -> Found:
    """L07"""
    for node in family.graph.nodes:
        op: Any = node.op
        if not (op.is_view and op.is_random()):
            continue
        at: Node | None = node
        for _ in range(4):
            after = family.readers.get(at.name, []) if at is not None else []
            at = after[0] if len(after) == 1 and len(after[0].inputs) == 1 else None
            if at is not None and isinstance(at.op, Op) and at.op.normalizes:
                if at.op.centers_channels:
                    what = f"{op.name} before {at.op.name}, whose averages are then of other numbers than inference has"
                    yield node, what, f"{op.name} behind the last {at.op.name}"
                break


def activated_twice(family: Family) -> Found:
    """L08"""
    idle = [node for node in family.graph.nodes if is_idle(family.graph, node)]
    # What a step does at one of several turns or calls it is needed for.
    idle_names = {node.name for node in idle}
    needed = {node.span.order for node in family.graph.nodes if node.name not in idle_names}
    for node in idle:
        if node.span.order not in needed:
            name = _name(activation_of(node))
            yield node, f"{name} of what {name} gives changes nothing", "leave one of them out"


def is_idle(graph: Graph, node: Node) -> bool:
    """Whether a node gives what it reads: it is the rectifying activation that its numbers come from."""
    op: Any = node.op
    last = activation_of(node)
    if last is None or not last.is_rectifying or not op.computed.is_activation:
        return False
    before = activated(graph.by_name, node.inputs[0], through_draws=False)
    return before is not None and activation_of(before) == last


def only_growing(family: Family) -> Found:
    """L09"""
    for node in family.graph.nodes:
        op: Any = node.op
        if not (op.is_merge and op.is_projectable) or len(node.inputs) < 2:
            continue
        found = [activated(family.graph.by_name, tensor, through_means=False) for tensor in node.inputs]
        last = [None if each is None else activation_of(each) for each in found]
        if all(one is not None and one.is_rectifying for one in last):
            yield (
                node,
                f"{op.name} of results that are all behind {_name(last[0])}: it can only grow",
                "act: linear before it",
            )


def one_turn(family: Family) -> Found:
    """L10"""
    for execution in family.trace.executions:
        step = execution.step
        if type(step.repeat) is int and step.repeat == 1 and step.container.source is family.source:
            yield step.modifier_span("repeat"), "repeat: 1 is the step itself", "leave repeat out"


def has_an_op(family: Family) -> Found:
    """L11"""
    for node in family.graph.nodes:
        op: Any = node.op
        if (ours := op.instead) is not None:
            yield node, f"{op.layer} has an op here, of which costs are known", f"write {ours}"


def _name(op: Op | None) -> str:
    return "" if op is None else op.name


def _ends_in(family: Family, node: Node) -> bool:
    """Whether what a node gives goes to outputs alone, through nodes without weights."""
    todo, seen = [node.name], set[str]()
    while todo:
        name = todo.pop()
        readers = family.readers.get(name, [])
        if name in seen:
            continue
        seen.add(name)
        if any(reader.weights for reader in readers):
            return False
        todo += [reader.name for reader in readers]
    return True


def _windows(family: Family) -> Iterator[tuple[Node, list[int], list[int], Any]]:
    """Nodes that read windows along axes of known size: sizes before and behind, and what is read along each."""
    for node in family.graph.nodes:
        op = node.op
        if not isinstance(op, Op) or len(node.inputs) != 1 or node.input_specs[0].rank < 2:
            continue
        before, behind = node.input_specs[0].spatial, node.output.spatial
        axes = op.reach(*node.input_specs)[0]
        if axes is None or len(before) != len(behind) or None in before or None in behind:
            continue
        axes = axes[: len(before)]
        if all(isinstance(axis.stride, int) and -inf < axis.before and axis.after < inf for axis in axes):
            yield node, [n or 0 for n in before], [n or 0 for n in behind], axes


RULES: dict[str, Callable[[Family], Found]] = {
    "L01": bias_before_norm,
    "L02": unread_edge,
    "L03": skipped,
    "L04": odd_channels,
    "L05": blind_average,
    "L06": heavy_dense,
    "L07": dropped_then_normed,
    "L08": activated_twice,
    "L09": only_growing,
    "L10": one_turn,
    "L11": has_an_op,
}


REMOVABLE = {"L08": "list", "W10": "map", "W11": "list", "W14": "map"}
"""Findings about text that can be taken out where the network stays what it is: items of lists, or entries of maps."""


def findings(analysis: Analysis) -> list[Diagnostic]:
    """What the rules say of a file's networks, of several variants that agree once; none where there are errors."""
    found: dict[tuple[str, tuple[str, int, int]], Diagnostic] = {}
    assert analysis.document is not None
    source = analysis.document.source
    for graph, trace in zip(analysis.graphs, analysis.traces, strict=True):
        family = Family(graph, trace, source)
        for code, rule in RULES.items():
            for where, what, help in rule(family):
                at = where if isinstance(where, Span) else family.place(where)
                found.setdefault((code, at.order), Diagnostic(code, what, at, help, severity="warning"))
    return list(in_order(heeded(found.values())))
