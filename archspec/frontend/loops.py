"""``repeat`` and ``each``: the turns of a step, and what their names mean outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, isfinite
from typing import Any

from archspec.frontend.document import NAME
from archspec.frontend.expressions import written
from archspec.frontend.naming import Names, key_texts
from archspec.frontend.references import anchor_of, evaluated, given_place, given_to, of_itself
from archspec.frontend.refusal import LimitExceeded, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, Scope, StepResult
from archspec.frontend.steps import Step
from archspec.frontend.structure import merge, merge_op
from archspec.frontend.walk import MANY, MAX_STEPS, Loop, Place, Walk
from archspec.frontend.yaml_source import Map, written_at
from archspec.ir.diagnostics import Span, amount, shown

ITEM_WORDS = ("item", "items", "element", "elements", "row", "rows", "frame", "frames", "time", "timestep", "timesteps")
"""What people call the items of a first axis."""


def _turns(step: Step, modifier: str, place: Place, loops: Sequence[Loop]) -> list[tuple[Any, str, dict[str, Any]]]:
    """Key, path text and variables of every turn."""
    raw = getattr(step, modifier)
    at = step.modifier_span(modifier)
    variables: dict[str, list[Any]] = {}
    try:
        if type(raw) is Map:
            for name in raw:
                if not NAME.match(name):
                    message = f"the name of a loop variable is a word, got {shown(name)}"
                    raise Refusal("S03", message, raw.key_span(name), _assigned(modifier, name))
                if why := place.scope.conflict(name):
                    at = raw.key_span(name)
                    hint = f"{name}_2, or another word, here and where it is read"
                    raise Refusal("N02", f"a loop variable has a name of its own: {why}", at, hint)
                values = evaluated(raw[name], raw, name, place)
                variables[name] = _loop_values(values, given_place(raw[name], raw.value_span(name), place, loops))
        else:
            values = _loop_values(evaluated(raw, step.given, modifier, place), given_place(raw, at, place, loops))
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
            f"give {odd} {amount(common, 'element')}, or the others {lengths[odd]}",
        )
    keys = _keys(next(iter(variables.values())))
    texts = key_texts(keys)
    return [(key, texts[i], {name: values[i] for name, values in variables.items()}) for i, key in enumerate(keys)]


_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*(?:=|\bin\b)\s*=?\s*(\S.*)", re.ASCII)


def _assigned(modifier: str, key: str) -> str:
    """What to write for ``{i = 3}`` and ``{i in range(3)}``, or for an expression without a variable."""
    if (found := _ASSIGNED.fullmatch(key[:80])) is not None:
        value = found[2] if found[2].isdigit() else written(found[2])
        return f"a colon stands between them: {modifier}: {{{found[1]}: {value}}}"
    if key[:1] == "=":
        return f"a count alone has no braces, {modifier}: {written(key[1:].strip())}; a variable has a name: {{i: …}}"
    return f"{modifier}: {{i: 3}}"


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
            if text[:1] == "=" and at.given is None:
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
    hint = "a count, such as 3, or a variable with its values: {i: 3}"
    if isinstance(value, str) and (ends := re.fullmatch(r"(\d+)\s*(?:\.{2,3}|:|-|to)\s*(\d+)", value[:80])) is not None:
        hint = f"a range is a function: {written(f'range({ends[1]}, {ends[2]})')}, which ends before {ends[2]}"
    elif isinstance(value, str) and value.lower() in ITEM_WORDS:
        hint = "each: items does a step for every item of the first axis"
    elif isinstance(value, str) and value.lower() in _numbers():
        hint = f"write {_numbers().index(value.lower())}"
    elif isinstance(value, str) and re.fullmatch(r"\d+(?:\s+\d+)+", value[:80]):
        hint = f"a comma stands between elements: [{', '.join(value.split())}]"
    raise Refusal("T03", f"a loop takes a count, a list or variables, got {shown(value)}", at, hint)


def _numbers() -> list[str]:
    from archspec.frontend.intended_numbers import IN_WORDS

    return IN_WORDS


def _run(walk: Walk, step: Step, modifier: str, place: Place, *, sequential: bool) -> Iterator[tuple[Any, Any]]:
    """Key and result of every turn; names given within are visible from outside under the key."""
    turns = _turns(step, modifier, place, walk.loops)
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
        for name, at, is_within in scope.export(key):
            if is_within:
                walk.report("N01", *of_itself(name, key, at))
                continue
            hint = f'as: "{name}[…]" has an index of its own; else leave this turn, or the other, out'
            walk.report("N02", f"'{name}[{key}]' is already defined", at, hint)
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
