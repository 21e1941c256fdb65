"""Heads: chains on the trunk, their losses and what the model gives."""

from __future__ import annotations

from typing import Any

from archspec.frontend.document import Document, Head, place
from archspec.frontend.forms import form_hint
from archspec.frontend.naming import Names, key_texts
from archspec.frontend.objectives import declared
from archspec.frontend.references import number, reference, truth
from archspec.frontend.refusal import ADD_FROM, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, Scope, StepResult
from archspec.frontend.walk import Place, Walk
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import Span, shown
from archspec.ir.graph import Output
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, last_activation

_POSITIVE = "a loss is what training makes small: weight: 1"


def heads_of(walk: Walk, document: Document, end: Place) -> tuple[Output, ...]:
    """What the model gives: its heads on the body's end, or the end itself. Every mistake is reported."""
    heads = document.spec.heads
    if not heads:
        if end.prev is POISON:
            return ()
        at = document.key_span("body")
        if end.prev is None:
            walk.report("N01", "the body gives nothing", at)
            return ()
        return outputs_of("output", None, end.prev, at)
    out: list[Output] = []
    for name in heads:
        made = walk.attempt(_head, walk, document, heads, name, end)
        if made is not POISON:
            out += made
    return tuple(out)


def _head(walk: Walk, document: Document, heads: Map, name: str, end: Place) -> tuple[Output, ...]:
    raw, at = heads[name], heads.key_span(name)
    head = Head(body=raw) if isinstance(raw, Seq) else Head.model_validate(raw if raw is not None else {})
    where = raw if isinstance(raw, Map) else heads
    scope = Scope(end.scope.frame, end.scope)
    start = end.prev
    if head.from_ is not None:
        start = walk.attempt(_from, raw, end)
    if start is None:
        raise Refusal("N01", f"head '{name}' has nothing to stand on", at, ADD_FROM)
    inner = Place(
        scope, start, Names(f"{name}.", walk.names_given(head.body) if head.body is not None else frozenset())
    )
    if head.body is not None:
        walk.chain(head.body, inner)
    loss = walk.attempt(declared, Loss, head.loss, where, "loss", end) if head.loss is not None else None
    weight = walk.attempt(number, head.weight, where, "weight", end)
    train_only = walk.attempt(truth, head.train_only, where, "train_only", end)
    metrics = walk.attempt(_metrics, walk, head.metrics, raw, end) if head.metrics is not None else ()
    if weight is not POISON and weight < 0:
        walk.report("T01", f"weight must be 0 or more, got {weight:g}", raw.value_span("weight"), _POSITIVE)
        weight = POISON
    if POISON in (loss, weight, train_only, metrics) or inner.prev is POISON:
        raise Poisoned
    outputs = outputs_of(name, name, inner.prev, at, loss, weight, train_only, metrics)
    if loss is not None:
        try:
            _check(walk, loss, metrics, outputs, _flat(inner.prev))
        except OpError as error:
            at_loss = place(document.tree, ("heads", name, "loss"))
            raise Refusal("H06", f"head '{name}': {error.message}", at_loss, error.help) from None
    return outputs


def _check(
    walk: Walk, loss: Loss, metrics: tuple[Any, ...], outputs: tuple[Output, ...], results: list[StepResult]
) -> None:
    """Whether a loss and metrics suit what a head gives. Raises OpError."""
    nodes = {node.name: node for node in walk.nodes}
    for output, result in zip(outputs, results, strict=True):
        loss.target(result.spec)
        loss.gets_logits(last_activation(nodes, output.tensor))
        for metric in metrics:
            metric.check(result.spec, loss.labels)


def _from(raw: Map, end: Place) -> Any:
    at = raw["from"]
    if isinstance(at, Seq):
        return Bundle({i: reference(r, at, i, end) for i, r in enumerate(at)})
    return reference(at, raw, "from", end)


def _flat(value: Any) -> list[StepResult]:
    return list(value.flat()) if isinstance(value, Bundle) else [value]


def outputs_of(
    name: str,
    head: str | None,
    value: Any,
    at: Span,
    loss: Any = None,
    weight: float = 1.0,
    train_only: bool = False,
    metrics: tuple[Any, ...] = (),
) -> tuple[Output, ...]:
    """One output for each tensor of a result; those of a bundle are called ``name.index``.

    Raises Refusal, Poisoned.
    """
    if isinstance(value, Bundle):
        made: list[Output] = []
        for text, element in zip(key_texts(list(value.elements)), value.elements.values(), strict=True):
            made += outputs_of(f"{name}.{text}", head, element, at, loss, weight, train_only, metrics)
        return tuple(made)
    if value is POISON:
        raise Poisoned
    if value is None:
        raise Refusal("N01", f"'{name}' gives nothing: there is no step in it", at)
    return (Output(name, value.tensor, head, loss, weight, train_only, metrics, at),)


def _metrics(walk: Walk, raw: object, head: Map, end: Place) -> tuple[Any, ...]:
    from archspec.ops.metric import Metric

    if not isinstance(raw, Seq):
        hint = form_hint(("metrics",), raw)
        raise Refusal("T01", f"metrics must be a list, got {shown(raw)}", head.value_span("metrics"), hint)
    found = [walk.attempt(declared, Metric, item, raw, i, end) for i, item in enumerate(raw)]
    if any(metric is POISON for metric in found):
        raise Poisoned
    return tuple(found)
