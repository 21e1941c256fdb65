"""Networks that cannot learn what their loss asks: limited scores, softmax of softmax, classes at positions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.frontend.lint.rule import Rule, Subject, warning
from archspec.frontend.steps import Step
from archspec.frontend.trace import Trace
from archspec.frontend.yaml_source import Map
from archspec.ir.diagnostics import Diagnostic, Note, Span
from archspec.ir.graph import Graph, Node, Output
from archspec.ops.base import Op, OpError
from archspec.ops.loss import Loss, activated, activation_of, gives_probabilities, probabilities_by

SMALLER = 4
"""How much smaller than the image a map of classes may be."""


def limited_scores(subject: Subject) -> Iterator[Diagnostic]:
    """W01: an activation that limits the scores of classes, before their loss or before the softmax that it gets."""
    for graph, trace, output in _heads(subject):
        node = activated(graph.by_name, output.tensor, through_means=False)
        if node is not None and gives_probabilities(activation_of(node)) and node.op.is_view is False:
            node = _before(graph, node)
        last = None if node is None else activation_of(node)
        if node is None or last is None or last.number != "limited" or not _wants_scores(output.loss, last):
            continue
        at, default = _activation_span(subject, trace, node)
        notes = (Note(f"{last.name} is this file's default for {default[0]}, given", default[1]),) if default else ()
        what = f"{last.name} limits the scores that {output.loss.name} gets from head '{output.head}'"
        own = probabilities_by(output.loss, last)
        assert own is not None
        help = f"activation: {own.name}, or linear: the loss takes raw scores, too"
        yield warning("W01", what, at, help, notes)


def twice(subject: Subject) -> Iterator[Diagnostic]:
    """W02: probabilities of probabilities, or of a single class."""
    for graph in subject.graphs:
        for node in graph.nodes:
            last = activation_of(node)
            if last is None or not gives_probabilities(last):
                continue
            before = _before(graph, node)
            inner = None if before is None else activation_of(before)
            if inner is not None and gives_probabilities(inner):
                what = f"{last.name} of what {inner.name} gives: probabilities are taken for scores"
                yield warning("W02", what, node.span, "one of the two is enough")
            elif last.number == "distribution" and node.output.channels == 1 and _over_channels(node):
                help = "sigmoid gives one probability; softmax needs a channel for each class"
                yield warning("W02", "softmax over one channel is 1 whatever comes in", node.span, help)


def classes_at_positions(subject: Subject) -> Iterator[Diagnostic]:
    """W07: a class for every position of a map that is far smaller than the image, or that a dense layer made."""
    for graph, _, output in _heads(subject):
        spec = graph.spec(output.tensor)
        images = [s for s in graph.inputs.values() if s.rank == 3 and None not in s.shape]
        if spec.rank != 3 or None in spec.shape or not images or output.loss.labels not in ("index", "one_hot"):
            continue
        sides = [n or 0 for n in spec.spatial]
        if any(sides == list(image.spatial) for image in images):
            continue
        wide = max(n or 0 for image in images for n in image.spatial)
        made = graph.by_name.get(output.tensor.node)
        if wide > SMALLER * max(sides) or (made is not None and hasattr(made.op, "units")):
            what = f"head '{output.head}' gives a class for each of {sides[0]}x{sides[1]} positions"
            help = "flatten or global_avg_pool before the last layer gives one for the image"
            yield warning("W07", what, output.span or subject.document.key_span("heads"), help)


def _heads(subject: Subject) -> Iterator[tuple[Graph, Trace, Output]]:
    for graph, trace in zip(subject.graphs, subject.traces, strict=True):
        for output in graph.outputs:
            if output.loss is not None:
                yield graph, trace, output


def _wants_scores(loss: Loss, last: Op) -> bool:
    try:
        return loss.labels != "numbers" and loss.gets_logits(last)
    except OpError:
        return False


def _before(graph: Graph, node: Node) -> Node | None:
    """The activation that an activation is applied to; None for one that is the end of another layer."""
    op: Any = node.op
    is_step = op.is_activation or hasattr(op, "function")
    return activated(graph.by_name, node.inputs[0], through_means=False) if is_step else None


def _over_channels(node: Node) -> bool:
    op: Any = node.op
    op = getattr(op, "activation", None) or (op if op.is_activation else op.function)
    return op.axis in (-1, node.output.rank - 1)


def _activation_span(subject: Subject, trace: Trace, node: Node) -> tuple[Span, tuple[str, Span] | None]:
    """Where a node's activation is written: with the step, or in the ``defaults`` that the file has for its op."""
    step = _step(trace, node)
    if step is not None and step.op is not None and hasattr(node.op, "activation"):
        if isinstance(step.args, Map) and "activation" in step.args:
            return step.args.value_span("activation"), None
        document = subject.document
        defaults = document.spec.defaults.get(step.op)
        if step.container.source is document.source and defaults is not None and "activation" in defaults:
            return node.span, (step.op, defaults.value_span("activation"))
    return node.span, None


def _step(trace: Trace, node: Node) -> Step | None:
    """The innermost step that made a node."""
    index = next((i for i, made in enumerate(trace.nodes) if made is node), None)
    found = None
    for execution in trace.executions:
        if index is not None and execution.first <= index < execution.last:
            found = execution.step
    return found


BUILT: tuple[Rule, ...] = (limited_scores, twice, classes_at_positions)
