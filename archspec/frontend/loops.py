"""``repeat`` and ``each``: the turns of a step, and what their names mean outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, floor, isfinite
from typing import Any

from archspec.frontend.document import NAME
from archspec.frontend.expressions import written
from archspec.frontend.naming import Names, key_texts
from archspec.frontend.references import anchor_of, evaluated, given_place, given_to
from archspec.frontend.refusal import LimitExceeded, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, Scope, StepResult
from archspec.frontend.steps import Step
from archspec.frontend.structure import merge, merge_op
from archspec.frontend.walk import MANY, MAX_STEPS, Loop, Place, Walk
from archspec.frontend.yaml_source import Map, written_at
from archspec.ir.diagnostics import Span, shown


def _turns(step: Step, modifier: str, place: Place) -> list[tuple[Any, str, dict[str, Any]]]:
    """Key, path text and variables of every turn."""
    raw = getattr(step, modifier)
    at = step.modifier_span(modifier)
    variables: dict[str, list[Any]] = {}
    try:
        if type(raw) is Map:
            for name in raw:
                if why := (None if NAME.match(name) else f"'{name}' is not a name") or place.scope.conflict(name):
                    raise Refusal("N02", f"a loop variable: {why}", raw.key_span(name))
                values = evaluated(raw[name], raw, name, place)
                variables[name] = _loop_values(values, raw.value_span(name))
        else:
            values = _loop_values(evaluated(raw, step.given, modifier, place), at)
            keys = _keys(values)
            return [(k, text, {}) for k, text in zip(keys, key_texts(keys), strict=True)]
    except Poisoned:
        names = list(raw) if type(raw) is Map else []
        return [(0, "0", dict.fromkeys(names, POISON))]
    if not variables:
        raise Refusal("T03", f"{modifier}: needs a count or variables", at)
    lengths = {name: len(values) for name, values in variables.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        common = max(lengths.values(), key=lambda n: (list(lengths.values()).count(n), -n))
        odd = next(name for name, n in lengths.items() if n != common)
        raise Refusal(
            "T05",
            f"loop variables advance together, but their lengths differ: {said}",
            raw.value_span(odd) if type(raw) is Map else at,
            f"give {odd} {common} element{'s' * (common != 1)}, or the others {lengths[odd]}",
        )
    keys = _keys(next(iter(variables.values())))
    texts = key_texts(keys)
    return [(key, texts[i], {name: values[i] for name, values in variables.items()}) for i, key in enumerate(keys)]


def _keys(values: list[Any]) -> list[Any]:
    """What the turns are known by: the values themselves, or their positions where two are equal or one is a list."""
    try:
        return values if len(set(values)) == len(values) else list(range(len(values)))
    except TypeError:
        return list(range(len(values)))


def _loop_values(value: object, at: Span) -> list[Any]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int:
        if value < 0:
            text = written_at(at).strip("\"'")
            hint: str | None = "0 or more"
            if text[:1] == "=":
                hint = f"0 or more: {written(f'max(0, {text[1:].strip()})')} never falls below"
            raise Refusal("T02", f"repeat count is negative: {value}", at, hint)
        if value > MAX_STEPS:
            raise LimitExceeded("B01", f"more than {MAX_STEPS:,} steps and turns", at, MANY)
        return list(range(value))
    if isinstance(value, list):
        return value
    if isinstance(value, float) and isfinite(value):
        near = dict.fromkeys((max(0, floor(value)), ceil(value)))
        whole = f"a count is an integer: {' or '.join(map(str, near))}"
        raise Refusal("T03", f"a loop takes a count, a list or variables, got {shown(value)}", at, whole)
    hint = f"an expression starts with =: ={value}" if isinstance(value, str) and NAME.match(value) else None
    raise Refusal("T03", f"a loop takes a count, a list or variables, got {shown(value)}", at, hint)


def _run(walk: Walk, step: Step, modifier: str, place: Place, *, sequential: bool) -> Iterator[tuple[Any, Any]]:
    """Key and result of every turn; names given within are visible from outside under the key."""
    turns = _turns(step, modifier, place)
    walk.loops.append(Loop(len(turns), *_places(walk, step, modifier, place)))
    try:
        yield from _in_turn(walk, step, turns, place, sequential)
    finally:
        walk.loops.pop()


def _places(walk: Walk, step: Step, modifier: str, place: Place) -> tuple[Span, dict[str, Span]]:
    """Where the number of turns is given, and where the values of each loop variable are."""
    raw = getattr(step, modifier)
    if type(raw) is not Map:
        return given_place(raw, step.modifier_span(modifier), place, walk.loops), {}
    places = {name: given_place(raw[name], raw.value_span(name), place, walk.loops) for name in raw}
    return next(iter(places.values()), step.modifier_span(modifier)), places


def _check_room(walk: Walk, made: int, left: int) -> None:
    """Refuse a loop whose turns to come, each of which makes as many layers, pass the limit. Raises LimitExceeded."""
    if len(walk.nodes) + made * left > walk.max_layers:
        limit = LimitExceeded("B02", f"more than {walk.max_layers:,} layers", walk.loops[-1].span)
        walk.give_up(limit)
        raise limit


def _in_turn(
    walk: Walk, step: Step, turns: list[tuple[Any, str, dict[str, Any]]], place: Place, sequential: bool
) -> Iterator[tuple[Any, Any]]:
    anchor = anchor_of(step, place, looped=True)
    result = given_to(step, place) if sequential else None
    started = []
    for n, (key, text, variables) in enumerate(turns):
        walk.tick(step)
        before, nodes = result, len(walk.nodes)
        names = place.names.turn(text) if anchor is None else None
        if names is not None:
            started.append(names)
        scope = Scope(place.scope.frame, place.scope, variables)
        # The first turn's previous step is the one before the loop, unless from: starts it elsewhere.
        prev = result if sequential and (n > 0 or step.from_ is not None) else place.prev
        turn = Place(scope, prev, place.names)
        path = None if anchor is None else f"{anchor}.{text}"
        result = walk.attempt(_turn, walk, step, turn, result if sequential else None, path, names)
        for name, at in scope.export(key):
            walk.report("N02", f"'{name}[{key}]' is already defined", at)
        if (
            not variables
            and isinstance(before, StepResult)
            and isinstance(result, StepResult)
            and before.spec == result.spec
        ):
            # Nothing else tells one turn from the next.
            _check_room(walk, len(walk.nodes) - nodes, len(turns) - n - 1)
        yield key, result
    place.names.after(started)


def _turn(walk: Walk, step: Step, turn: Place, given: object, path: str | None, names: Names | None) -> Any:
    return walk.apply(step, turn, given_to(step, turn) if given is None else given, path, names)


def repeat(walk: Walk, step: Step, place: Place) -> Any:
    """The last turn's result; without turns, what the first would have been given."""
    results = [result for _, result in _run(walk, step, "repeat", place, sequential=True)]
    return results[-1] if results else given_to(step, place)


def each(walk: Walk, step: Step, place: Place) -> Any:
    """A bundle of all turns' results, or their merge."""
    elements = dict(_run(walk, step, "each", place, sequential=False))
    if step.op in ("branches", "residual") or step.merge is None:
        return Bundle(elements, origin=("each", step.modifier_span("each")))
    op = merge_op(walk, step, place, step.merge)
    return merge(walk, step, op, list(elements.values()), _merge_path(step, place))


def _merge_path(step: Step, place: Place) -> Callable[[str], str]:
    """Where the merge of a step's turns stands: below its name, else beside it."""
    if step.name is not None and (anchor := anchor_of(step, place, looped=True)):
        return lambda base: f"{anchor}.{base}"
    return place.names.auto
