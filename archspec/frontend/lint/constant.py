"""Layers that give the same whatever comes in, or whose weights stay as they are: constants, zeros behind zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.frontend.lint.rule import Rule, Subject, of_each_op, warning
from archspec.ir.diagnostics import Diagnostic
from archspec.ir.graph import Graph, Node
from archspec.ops.base import Op
from archspec.ops.loss import activation_of


def constants(subject: Subject) -> Iterator[Diagnostic]:
    """W16: a layer that gives the same whatever comes in. Of what follows from it nothing is said."""
    seen: set[int] = set()
    for graph in _graphs(subject):
        for node in graph.nodes:
            # One that variants share is one object.
            if id(node) in seen:
                continue
            seen.add(id(node))
            op = _op(node)
            if op.cancels and len(node.inputs) > 1 and len(set(node.inputs)) == 1:
                what = f"{op.name} of one tensor given twice is the same whatever it is"
                yield warning("W16", what, node.span, "give two different results")
            elif op.is_constant(*node.input_specs) and not _is_told_as_softmax(op):
                what = f"{op.name} of {node.input_specs[0]} gives the same whatever comes in"
                yield warning("W16", what, node.span, _help(op, node))


def zeros_behind_zeros(subject: Subject) -> Iterator[Diagnostic]:
    """W17: a kernel of zeros that is given zeros: neither it nor the one before gets a gradient, ever."""
    starts_at_zero = of_each_op(_starts_at_zero)
    for graph in _graphs(subject):
        zero: set[str] = set()
        for node in graph.nodes:
            is_start = starts_at_zero(node)
            if not is_start and not zero:
                continue
            given = [t.node in zero for t in node.inputs]
            if is_start:
                if given and all(given):
                    what = f"{_op(node).name} starts with zeros and is given zeros: neither learns"
                    help = "zeros are for the last layer of a branch; let the one before start at random"
                    yield warning("W17", what, node.span, help)
                if _has_zero_bias(node) and _activation_keeps_zero(node):
                    zero.add(node.name)
            elif given and all(given) and _keeps_zero(node):
                zero.add(node.name)


def _op(node: Node) -> Op:
    op: Any = node.op
    found: Op = op
    return found


def _is_told_as_softmax(op: Op) -> bool:
    return op.is_activation and op.number.endswith("distribution")


def _help(op: Op, node: Node) -> str:
    if op.hands_on == "scaled":
        return "a factor of 0 leaves the offset alone: another factor, or leave the step out"
    if node.input_specs[0].channels == 1:
        return "it needs more than one channel: more filters, or batch_norm"
    return "it needs more than one value to compare: before the pooling, or batch_norm"


def _starts_at_zero(node: Node) -> bool:
    start = vars(node.op).get("kernel_initializer")
    return start is not None and start.is_zero()


def _has_zero_bias(node: Node) -> bool:
    start = vars(node.op).get("bias_initializer")
    return start is None or start.is_zero()


def _activation_keeps_zero(node: Node) -> bool:
    last = activation_of(node)
    return last is None or last.keeps_zero


def _keeps_zero(node: Node) -> bool:
    op = activation_of(node) or _op(node)
    return op.is_view or op.keeps_zero or op.hands_on in ("elements", "means")


def _graphs(subject: Subject) -> Iterator[Graph]:
    for graph in subject.graphs:
        yield graph
        if graph.training is not None:
            yield graph.training.body


BUILT: tuple[Rule, ...] = (constants, zeros_behind_zeros)
