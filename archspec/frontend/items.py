"""``each: items``: a step that is done to every item of what it is given, along the first axis, with one set of
weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from archspec.frontend.references import anchor_of, given_to
from archspec.frontend.refusal import ADD_FROM, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, Scope, StepResult
from archspec.frontend.steps import Step
from archspec.frontend.walk import Place, Walk
from archspec.ir.diagnostics import Span
from archspec.ir.graph import Tensor
from archspec.ops.per_item import PerItem, all_of, one_of

OPEN = "give all sizes, in inputs or with --set"


def each_item(walk: Walk, step: Step, place: Place) -> Any:
    """The step is elaborated on one item, as any other; then its nodes become those of all items."""
    at = step.modifier_span("each")
    if step.merge is not None and step.op not in ("branches", "residual"):
        raise Refusal("S05", "each: items stacks what comes out: there is nothing to merge", at, "leave merge out")
    given = given_to(step, place)
    if given is None:
        raise Refusal("N01", "there is no previous step here", step.span, ADD_FROM)
    whole = list(_results(given))
    if any(value is POISON for value in whole):
        raise Poisoned
    count = _count(whole, at)
    one = _each(given, lambda result: StepResult(result.tensor, one_of(result.spec)))
    anchor = anchor_of(step, place, looped=False)
    scope, first = Scope(place.scope.frame, place.scope), len(walk.nodes)
    turn = Place(scope, one if isinstance(one, StepResult) else place.prev, place.names)
    split = {result.tensor: result.spec.rank - 1 for result in whole}
    scope.items = {**scope.items, **{r.tensor: StepResult(r.tensor, one_of(r.spec)) for r in whole}}
    try:
        result = walk.apply(step, turn, one, anchor, place.names if anchor is None else None)
    finally:
        _stack(walk, first, split, count, at)

    def stacked(result: StepResult) -> StepResult:
        if result.tensor not in split or result.spec.rank != split[result.tensor]:
            return result
        ports = {name: _each(value, stacked) for name, value in result.ports.items()}
        return StepResult(result.tensor, all_of(result.spec, count), ports)

    if any(isinstance(r, StepResult) and r.tensor not in split for r in _results(result)):
        raise Refusal("H04", "what comes out does not depend on the items", at, "leave each: items out")
    _export(walk, scope, place, lambda value: _each(value, stacked))
    return _each(result, stacked)


def _results(given: object) -> Iterator[Any]:
    """All results that a value holds."""
    if isinstance(given, Bundle):
        yield from given.flat()
    elif isinstance(given, (list, Mapping)):
        for value in given.values() if isinstance(given, Mapping) else given:
            yield from _results(value)
    else:
        yield given


def _each(given: object, change: Callable[[StepResult], StepResult]) -> Any:
    """The value with every result in it changed."""
    if isinstance(given, StepResult):
        return change(given)
    if isinstance(given, Bundle):
        ports = {name: _each(value, change) for name, value in given.ports.items()}
        return Bundle({key: _each(value, change) for key, value in given.elements.items()}, ports, given.origin)
    if isinstance(given, dict):
        return {name: _each(value, change) for name, value in given.items()}
    return [_each(value, change) for value in given] if isinstance(given, list) else given


def _count(results: list[StepResult], at: Span) -> int:
    """How many items there are. Raises Refusal where that, or the size of one, is not known."""
    for result in results:
        if None in result.spec.shape or not result.spec.shape:
            said = "has an open size" if result.spec.shape else "has no axis"
            raise Refusal("H01", f"each: items takes the first axis, and {result.spec} {said}", at, OPEN)
    counts = dict.fromkeys(result.spec.shape[0] for result in results)
    if len(counts) > 1:
        shapes = ", ".join(dict.fromkeys(str(result.spec) for result in results))
        hint = "from: names what has items; what is the same for all of them, steps within do take by name"
        raise Refusal("H01", f"each: items needs as many items of all that it is given, got {shapes}", at, hint)
    (count,) = counts
    assert count is not None
    return count


def _stack(walk: Walk, first: int, split: dict[Tensor, int], count: int, at: Span) -> None:
    """Make the nodes from ``first`` on, which are those of one item, nodes of all items; ``split`` are tensors that
    have items, with the rank of one, and become those that are made of them. Raises Refusal."""
    for i in range(first, len(walk.nodes)):
        node = walk.nodes[i]
        op: Any = node.op
        has = tuple(split.get(t) == spec.rank for t, spec in zip(node.inputs, node.input_specs, strict=True))
        if not any(has):
            continue
        if any(None in spec.shape for spec in (*node.input_specs, *node.outputs)):
            raise Refusal("H01", f"{node.op.name} has an open size within each: items", at, OPEN)
        if op.is_held:
            raise Refusal("H04", f"{node.op.name} holds a whole batch, and no items of it", node.span)
        split |= {tensor: spec.rank for tensor, spec in zip(node.tensors, node.outputs, strict=True)}
        specs = zip(node.input_specs, has, strict=True)
        made: Any = PerItem(op, has)
        walk.nodes[i] = replace(
            node,
            op=made,
            input_specs=tuple(all_of(spec, count) if is_split else spec for spec, is_split in specs),
            outputs=tuple(all_of(spec, count) for spec in node.outputs),
        )


def _export(walk: Walk, scope: Scope, place: Place, change: Callable[[Any], Any]) -> None:
    """Names that steps within give are seen outside, as those within ``do`` are."""
    for name, value in scope.names.items():
        if (why := place.scope.conflict(name)) is not None:
            walk.report("N02", why, scope.places[name], f"call it {name}_2, or another word")
            continue
        place.scope.names[name] = change(value)
        if name in scope.places:
            place.scope.places[name] = scope.places[name]
